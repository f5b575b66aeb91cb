#include "models/depth.h"

#include <algorithm>
#include <cmath>

#include "core/check.h"
#include "core/rng.h"

namespace sv {

namespace {

int parse_cycles(const std::string& text, const std::string& whole) {
  size_t used = 0;
  int value = 0;
  try {
    value = std::stoi(text, &used);
  } catch (const std::exception&) {
    used = 0;
  }
  if (used == 0 || used != text.size() || value < 1) {
    fail("depth '", whole, "' is not understood; use 4, 2..4, 1,2,4 or poisson:8");
  }
  return value;
}

/// Poisson by multiplication of uniforms; means here are small.
int poisson(const Rng& rng, double mean) {
  const double limit = std::exp(-mean);
  double product = 1;
  int k = -1;
  for (uint64_t i = 16; product > limit; ++i) {
    product *= rng.uniform(i);
    ++k;
  }
  return k;
}

}  // namespace

Depth Depth::parse(const std::string& text) {
  Depth d;
  if (const auto dots = text.find(".."); dots != std::string::npos) {
    d = {Kind::uniform,
         parse_cycles(text.substr(0, dots), text),
         parse_cycles(text.substr(dots + 2), text),
         0,
         {}};
    SV_CHECK(d.min <= d.max, "depth '", text, "' runs backwards");
  } else if (text.starts_with("poisson:")) {
    const int mean = parse_cycles(text.substr(8), text);
    d = {Kind::poisson, 1, 4 * mean, static_cast<double>(mean), {}};
  } else if (text.find(',') != std::string::npos) {
    d.kind = Kind::list;
    for (size_t begin = 0; begin <= text.size();) {
      const size_t end = std::min(text.find(',', begin), text.size());
      d.choices.push_back(parse_cycles(text.substr(begin, end - begin), text));
      begin = end + 1;
    }
    d.min = *std::min_element(d.choices.begin(), d.choices.end());
    d.max = *std::max_element(d.choices.begin(), d.choices.end());
  } else {
    d = fixed(parse_cycles(text, text));
  }
  return d;
}

int Depth::draw(uint64_t seed, uint64_t step) const {
  const Rng rng(seed, stream_of("depth"), step);
  switch (kind) {
    case Kind::fixed:
      return max;
    case Kind::uniform:
      return min + static_cast<int>(rng.below(0, static_cast<uint32_t>(max - min + 1)));
    case Kind::list:
      return choices[rng.below(0, static_cast<uint32_t>(choices.size()))];
    case Kind::poisson: {
      constexpr double kSigma = 0.5;
      const double rate = std::exp(std::log(mean) - kSigma * kSigma / 2 + kSigma * rng.normal(0));
      return std::min(poisson(rng, rate) + 1, max);
    }
  }
  fail("unknown depth law");
}

std::string Depth::text() const {
  switch (kind) {
    case Kind::fixed:
      return std::to_string(max);
    case Kind::uniform:
      return std::to_string(min) + ".." + std::to_string(max);
    case Kind::poisson:
      return "poisson:" + std::to_string(static_cast<int>(mean));
    case Kind::list:
      break;
  }
  std::string out;
  for (const int c : choices) {
    out += (out.empty() ? "" : ",") + std::to_string(c);
  }
  return out;
}

}  // namespace sv

#include "models/depth.h"

#include <algorithm>
#include <cmath>

#include "core/check.h"
#include "core/rng.h"

namespace sv {

namespace {

/// Calls f for every part of a list separated by commas.
template <class F>
void for_each_item(const std::string& text, F&& f) {
  for (size_t begin = 0; begin <= text.size();) {
    const size_t end = std::min(text.find(',', begin), text.size());
    f(text.substr(begin, end - begin));
    begin = end + 1;
  }
}

int parse_cycles(const std::string& text, const std::string& whole) {
  size_t used = 0;
  int value = 0;
  try {
    value = std::stoi(text, &used);
  } catch (const std::exception&) {
    used = 0;
  }
  if (used == 0 || used != text.size() || value < 1) {
    fail("depth '", whole, "' is not understood; use 4, 2..4, 1,2,4, poisson:8 or 2@0,4@500");
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

Stages Stages::parse(const std::string& text, const std::string& what) {
  const auto number = [&](const std::string& digits, int64_t least) {
    size_t used = 0;
    int64_t value = -1;
    try {
      value = std::stoll(digits, &used);
    } catch (const std::exception&) {
    }
    if (used != digits.size() || value < least || value > 1'000'000'000) {
      fail(what, "=", text, " is not understood; use a count, or counts from steps on: 2@0,4@500");
    }
    return value;
  };
  Stages out;
  out.from.clear();
  for_each_item(text, [&](const std::string& item) {
    const size_t at = std::min(item.find('@'), item.size());
    const bool alone = at == item.size() && item.size() == text.size();
    const int64_t step = alone ? 0 : number(item.substr(std::min(at + 1, item.size())), 0);
    SV_CHECK(out.from.empty() ? step == 0 : static_cast<uint64_t>(step) > out.from.back().second,
             what,
             "=",
             text,
             ": the first count holds from step 0 on, each later one from a later step");
    out.from.emplace_back(static_cast<int>(number(item.substr(0, at), 1)), step);
  });
  return out;
}

int Stages::at(uint64_t step) const {
  int value = from.front().first;
  for (const auto& [count, first] : from) {
    value = step >= first ? count : value;
  }
  return value;
}

int Stages::max() const {
  return std::ranges::max_element(from)->first;
}

std::string Stages::text() const {
  std::string out;
  for (const auto& [count, step] : from) {
    out += (out.empty() ? "" : ",") + std::to_string(count) + "@" + std::to_string(step);
  }
  return out;
}

Depth Depth::parse(const std::string& text) {
  Depth d;
  if (text.find('@') != std::string::npos) {
    d.kind = Kind::stages;
    d.stages = Stages::parse(text, "depth");
    d.min = std::ranges::min_element(d.stages.from)->first;
    d.max = d.stages.max();
  } else if (const auto dots = text.find(".."); dots != std::string::npos) {
    d = {Kind::uniform,
         parse_cycles(text.substr(0, dots), text),
         parse_cycles(text.substr(dots + 2), text),
         0,
         {},
         {}};
    SV_CHECK(d.min <= d.max, "depth '", text, "' runs backwards");
  } else if (text.starts_with("poisson:")) {
    const int mean = parse_cycles(text.substr(8), text);
    d = {Kind::poisson, 1, 4 * mean, static_cast<double>(mean), {}, {}};
  } else if (text.find(',') != std::string::npos) {
    d.kind = Kind::list;
    for_each_item(text,
                  [&](const std::string& item) { d.choices.push_back(parse_cycles(item, text)); });
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
    case Kind::stages:
      return stages.at(step);
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
    case Kind::stages:
      return stages.text();
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

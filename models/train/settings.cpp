#include "models/train/settings.h"

#include <algorithm>
#include <array>
#include <cmath>

#include "core/check.h"
#include "core/nearest.h"

namespace sv {

namespace {

int parse_count(const std::string& text, size_t from) {
  size_t used = 0;
  int k = 0;
  try {
    k = std::stoi(text.substr(from), &used);
  } catch (const std::exception&) {
    k = 0;
  }
  if (k < 1 || used + from != text.size()) {
    fail("gradient '", text, "': a count of at least 1 must follow the colon");
  }
  return k;
}

}  // namespace

Gradient parse_gradient(const std::string& text) {
  if (text == "full") {
    return {Gradient::Kind::full, 1};
  }
  if (text == "one_step") {
    return {Gradient::Kind::one_step, 1};
  }
  if (text == "round") {
    return {Gradient::Kind::round, 0};
  }
  if (text.starts_with("last:")) {
    return {Gradient::Kind::last_k, parse_count(text, 5)};
  }
  if (text.starts_with("implicit:")) {
    return {Gradient::Kind::implicit, parse_count(text, 9)};
  }
  if (text.starts_with("checkpoint:")) {
    return {Gradient::Kind::checkpoint, parse_count(text, 11)};
  }
  fail(
      "gradient '", text, "' is not understood; use full, last:4, one_step, round, implicit:20 or checkpoint:8");
}

Precision precision_of(const TrainSettings& s, const Device* device) {
  const Precision p = s.precision == "tf32"   ? Precision::tf32
                      : s.precision == "bf16" ? Precision::bf16
                                              : Precision::f32;
  SV_CHECK(p == Precision::f32 || device != nullptr,
           "train.precision=",
           s.precision,
           " needs a device (--device cuda); the CPU computes in f32");
  return p;
}

void TrainSettings::check(Problems& p) const {
  try {
    parse_gradient(gradient);
  } catch (const Error& e) {
    p.add("gradient", e.what());
  }
}

void DepthSettings::check(Problems& p) const {
  try {
    Depth::parse(train);
  } catch (const Error& e) {
    p.add("train", e.what());
  }
}

void HaltSettings::check(Problems& p) const {
  if (threshold == 0) {
    return;
  }
  const std::string given = std::to_string(threshold);
  if (rule == "sample" || rule == "confident") {
    p.add("threshold", rule + " has no bound; leave it 0");
  } else if (rule == "cdf" && !(threshold > 0 && threshold <= 1)) {
    p.add("threshold", "cdf is a probability in (0, 1], not " + given);
  } else if (rule == "patience" && !(threshold >= 1 && threshold == std::floor(threshold))) {
    p.add("threshold", "patience is a whole number of checks, at least 1, not " + given);
  } else if (rule == "oracle" && threshold < 0) {
    p.add("threshold", "the oracle's periods per unit of difficulty are positive, not " + given);
  }
}

Halt make_halt(const HaltSettings& s) {
  // By Halt::Kind. patience: Huginn's; cdf: a row stops as soon as that is likelier than not.
  constexpr std::array kDefault = {0.0, 0.03, 1e-3, 1e-3, 0.0, 0.0, 0.5, 5.0, 0.0, 1.0};
  const auto at = std::find(kHaltRules.begin(), kHaltRules.end(), s.rule) - kHaltRules.begin();
  SV_CHECK(at < std::ssize(kHaltRules),
           "unknown halting rule '",
           s.rule,
           "'",
           did_you_mean(s.rule, kHaltRules));
  Halt h;
  h.kind = static_cast<Halt::Kind>(at);
  h.threshold = s.threshold == 0 ? kDefault.at(static_cast<size_t>(at)) : s.threshold;
  h.min_depth = s.min_depth;
  h.every = s.every;
  return h;
}

}  // namespace sv

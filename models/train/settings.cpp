#include "models/train/settings.h"

#include "core/check.h"

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

Halt make_halt(const HaltSettings& s) {
  Halt h;
  h.min_depth = s.min_depth;
  h.threshold = s.threshold;
  const auto with_default = [&](Halt::Kind kind, double threshold) {
    h.kind = kind;
    h.threshold = s.threshold == 0 ? threshold : s.threshold;
  };
  if (s.rule == "change") {
    with_default(Halt::Kind::change, 0.03);
  } else if (s.rule == "divergence") {
    with_default(Halt::Kind::divergence, 1e-3);
  } else if (s.rule == "entropy") {
    with_default(Halt::Kind::entropy, 1e-3);
  } else if (s.rule == "learned") {
    with_default(Halt::Kind::learned, 0);
  } else {
    SV_CHECK(s.rule == "none", "unknown halting rule ", s.rule);
  }
  return h;
}

}  // namespace sv

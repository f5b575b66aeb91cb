#include "models/train/watchdog.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include "kernels/autograd/ops.h"
#include "kernels/memory/copy.h"
#include "kernels/ops/readout_stats/readout_stats.h"

namespace sv {

namespace {

bool finite(const Tensor& x, int m) {
  return with_float(x.dtype, [&]<class T>() {
    const Tensor mine = x.slice(m, 1);
    return std::all_of(
        mine.as<T>(), mine.as<T>() + mine.numel(), [](T v) { return std::isfinite(v); });
  });
}

bool finite(const Params& params, const Tensor& x, int m) {
  if (params.device() == nullptr) {
    return finite(x, m);
  }
  const Tensor mine = x.slice(m, 1);
  const Buffer copy(mine.shape, mine.dtype);
  read_tensor(params.device(), copy.tensor().data, mine);
  return finite(copy, 0);
}

void poison(const Tensor& x, int m, Device* device = nullptr) {
  with_float(x.dtype, [&]<class T>() {
    const T nan = std::numeric_limits<T>::quiet_NaN();
    write_tensor(device, {{1}, x.dtype, x.slice(m, 1).data}, &nan);
  });
}

struct Fault {
  int model;
  int64_t step;
  std::string place;
};

Fault parse_fault(const std::string& text, const Reasoner& model) {
  const size_t a = text.find(':');
  const size_t b = a == std::string::npos ? a : text.find(':', a + 1);
  SV_CHECK(b != std::string::npos, "train.plant_nan = '", text, "' must be seed:step:site");
  uint64_t seed = 0;
  Fault f{};
  try {
    seed = std::stoull(text.substr(0, a));
    f.step = std::stoll(text.substr(a + 1, b - a - 1));
  } catch (const std::exception&) {
    fail("train.plant_nan = '", text, "': seed and step must be numbers");
  }
  const auto& seeds = model.params().seeds();
  const auto it = std::find(seeds.begin(), seeds.end(), seed);
  SV_CHECK(it != seeds.end(), "train.plant_nan names seed ", seed, ", which is not in this pack");
  f.model = static_cast<int>(it - seeds.begin());
  f.place = text.substr(b + 1);
  return f;
}

/// What a site's name already says, in words.
std::string explain(const Site& site, const Schedule& schedule) {
  std::string out = site_name(site, schedule) + " (";
  out += site.phase == Phase::encode ? "encoder" : "iteration " + std::to_string(site.r);
  if (site.block >= 0) {
    out += ", block " + std::to_string(site.block);
  }
  return out + ", tensor " + std::string(point_name(site.point)) + ")";
}

}  // namespace

std::string first_non_finite(Reasoner& model,
                             const Inputs& inputs,
                             const Plan& plan,
                             const Context& ctx) {
  const bool alone = plan.members.count > 0;
  const int place = alone ? plan.members.first : ctx.models[0];
  for (const Param& p : model.params()) {
    if (!finite(model.params(), p.value, place)) {
      return "parameter " + p.name;
    }
  }
  std::string found;
  Taps taps = plan.taps != nullptr ? *plan.taps : Taps{};
  const auto look = [&](const TapEvent& e) {
    if (found.empty() && !finite(e.x, alone ? 0 : place)) {
      found = explain(e.site, model.schedule());
    }
  };
  for (const char* pattern : {"encode.*",
                              "encode.block.*.*",
                              "loop.*.*",
                              "loop.*.block.*.*",
                              "readout.*.*",
                              "readout.*.block.*.*"}) {
    const std::string text = pattern;
    const bool blocks = text.find("block") != std::string::npos;
    const Phase phase = text.starts_with("encode") ? Phase::encode
                        : text.starts_with("loop") ? Phase::loop
                                                   : Phase::readout;
    const auto sites = model.sites();
    if (std::any_of(sites.begin(), sites.end(), [&](const Site& s) {
          return s.phase == phase && (s.block >= 0) == blocks;
        })) {
      Tap tap;
      tap.pattern = text;
      tap.action = look;
      taps.push_back(tap);
    }
  }
  const MemoryScope scope(ctx);
  Plan again = plan;
  again.taps = &taps;
  again.gradient = {};
  Tape tape(ctx, false);
  Trajectory trajectory;
  unroll(model, inputs, again, tape, trajectory);
  return found;
}

std::string first_non_finite_gradient(const Params& params, int m) {
  for (const Param& p : params) {
    if (!finite(params, p.grad, m)) {
      return "gradient of parameter " + p.name + " (all values of the forward run are finite)";
    }
  }
  return "";
}

Planted plant_forward(const std::string& text, Reasoner& model, int64_t step) {
  const Fault f = parse_fault(text, model);
  if (f.step != step || f.place.starts_with("grad.")) {
    return {};
  }
  if (f.place.starts_with("param.")) {
    Params& params = model.params();
    poison(params[params.find(f.place.substr(6))].value, f.model, params.device());
    return {};
  }
  Tap tap;
  tap.pattern = f.place;
  tap.kind = Tap::Kind::replace;
  const int place = model.params().device() != nullptr ? f.model : 0;
  tap.select.models = {place};
  tap.action = [place](const TapEvent& e) { poison(e.x, place); };
  return {f.model, {tap}};
}

void plant_gradient(const std::string& text, Reasoner& model, int64_t step) {
  const Fault f = parse_fault(text, model);
  if (f.step == step && f.place.starts_with("grad.")) {
    Params& params = model.params();
    poison(params[params.find(f.place.substr(5))].grad, f.model, params.device());
  }
}

Score score_answers(const int32_t* answer, const Batch& batch, int m, Rows rows, int r) {
  Score s;
  for (int b = 0; b < rows.count; ++b) {
    const int32_t* want = batch.target(m, rows.begin + b, r);
    const int32_t* got = answer + static_cast<int64_t>(b) * batch.positions;
    int64_t answers = 0;
    int64_t right = 0;
    for (int t = 0; t < batch.positions; ++t) {
      answers += want[t] >= 0 ? 1 : 0;
      right += want[t] >= 0 && want[t] == got[t] ? 1 : 0;
    }
    s.right += right;
    s.answers += answers;
    s.rows += answers > 0 ? 1 : 0;
    s.right_rows += answers > 0 && right == answers ? 1 : 0;
  }
  return s;
}

}  // namespace sv

#include "models/params.h"

#include <cmath>
#include <numbers>

#include "core/nearest.h"
#include "core/rng.h"
#include "kernels/memory/copy.h"
#include "kernels/memory/device.h"
#include "kernels/ops/elementwise/elementwise.h"

namespace sv {

namespace {

/// Element `index` of a parameter whose draws are keyed by `seed` and `stream`.
double start(const Init& init, uint64_t seed, uint32_t stream, uint64_t index, uint64_t columns) {
  switch (init.kind) {
    case Init::Kind::constant:
      return init.scale;
    case Init::Kind::identity:
      return index / columns == index % columns ? init.scale : 0;
    case Init::Kind::normal:
      return init.scale * Rng(seed, stream).normal(index);
    case Init::Kind::uniform:
      return init.scale * (2 * Rng(seed, stream).uniform(index) - 1);
    case Init::Kind::truncated_normal:
      break;
  }
  // Rejection; the attempt stands in the key where a training step would.
  double x = Rng(seed, stream).normal(index);
  for (uint64_t attempt = 1; std::abs(x) > init.cut; ++attempt) {
    x = Rng(seed, stream, attempt).normal(index);
  }
  return init.scale * x;
}

template <class T>
void fill(const Tensor& value,
          std::span<const uint64_t> seeds,
          const std::string& name,
          const Init& init) {
  const int64_t per_model = value.numel() / static_cast<int64_t>(seeds.size());
  const auto columns = static_cast<uint64_t>(value.dim(value.shape.rank() - 1));
  for (size_t m = 0; m < seeds.size(); ++m) {
    const uint32_t stream = stream_of("init." + name);
    T* out = value.as<T>() + static_cast<int64_t>(m) * per_model;
    for (int64_t i = 0; i < per_model; ++i) {
      const double x = start(init, seeds[m], stream, static_cast<uint64_t>(i), columns);
      // A draw is that of the f32 model in f64 too; a constant is exact.
      out[i] = init.kind == Init::Kind::constant ? static_cast<T>(x)
                                                 : static_cast<T>(static_cast<float>(x));
    }
  }
}

}  // namespace

double truncated_std(double cut) {
  const double density = std::exp(-0.5 * cut * cut) / std::sqrt(2 * std::numbers::pi);
  return std::sqrt(1 - 2 * cut * density / std::erf(cut / std::numbers::sqrt2));
}

Init Init::truncated_normal(double std_dev, double cut, bool corrected) {
  SV_CHECK(cut >= 0.5, "a normal is cut at 0.5 standard deviations or more, got ", cut);
  return {Kind::truncated_normal, corrected ? std_dev / truncated_std(cut) : std_dev, cut};
}

Params::Params(std::vector<uint64_t> seeds, DType dtype, Device* device, bool allocate)
    : seeds_(std::move(seeds)), dtype_(dtype), device_(device), allocate_(allocate) {
  SV_CHECK(device == nullptr || dtype == DType::f32,
           device_name(device),
           " computes in f32, these parameters are ",
           dtype_name(dtype));
  SV_CHECK(!seeds_.empty(), "a pack needs at least one seed");
  SV_CHECK(device == nullptr || seeds_.size() <= LiveModels::kMost,
           "a pack on a device has at most ",
           LiveModels::kMost,
           " seeds, got ",
           seeds_.size());
}

ParamId Params::add(const std::string& name, const Shape& inner, const Init& init, bool decay) {
  for (const Param& p : params_) {
    SV_CHECK(p.name != name, "parameter ", name, " is added twice");
  }
  std::vector<int64_t> dims = inner.to_vector();
  dims.insert(dims.begin(), models());
  Param p;
  p.name = name;
  p.shape = Shape(dims);
  p.decay = decay;
  if (allocate_) {
    Buffer value(p.shape, dtype_);
    with_float(dtype_, [&]<class T>() { fill<T>(value, seeds_, name, init); });
    p.value = placed(std::move(value), device_);
    p.grad = Buffer(p.shape, dtype_, device_);
  }
  params_.push_back(std::move(p));
  return static_cast<ParamId>(params_.size()) - 1;
}

ParamId Params::find(const std::string& name) const {
  std::vector<std::string> known;
  for (size_t i = 0; i < params_.size(); ++i) {
    if (params_[i].name == name) {
      return static_cast<ParamId>(i);
    }
    known.push_back(params_[i].name);
  }
  fail("no parameter '", name, "'; the nearest is '", nearest_name(name, known), "'");
}

int64_t Params::count() const {
  int64_t n = 0;
  for (const Param& p : params_) {
    n += p.fixed ? 0 : p.shape.numel() / models();
  }
  return n;
}

void Params::zero_grad() {
  zero_lane({});
}

void Params::reserve_lanes(int count) {
  for (Param& p : params_) {
    while (static_cast<int>(p.lanes.size()) + 1 < count) {
      p.lanes.emplace_back(p.shape, dtype_, device_);
    }
  }
}

void Params::zero_lane(const Members& members) {
  Context ctx;
  ctx.device = device_;
  for (Param& p : params_) {
    zero_tensor(ctx, members.of(p.lane(members.lane)));
  }
}

void Params::fold_lanes(const Context& ctx, int count) {
  for (Param& p : params_) {
    for (int lane = 1; lane < count; ++lane) {
      ops::put(ctx, p.lane(lane), {p.grad, GradientMode::accumulate});
    }
  }
}

void PackedWeights::pack(const Context& ctx, const Params& params) {
  entries_.resize(params.size());
  for (size_t i = 0; !ctx.device && i < entries_.size(); ++i) {
    const Param& p = params[static_cast<ParamId>(i)];
    const Tensor& w = p.value;
    if (!p.decay || w.shape.rank() != 3) {  // gains, biases, tables: no product reads them
      continue;
    }
    Entry& e = entries_[i];
    if (!e.y.tensor()) {
      const int64_t models = w.dim(0), O = w.dim(1), K = w.dim(2);
      e.y = Buffer({models, ops::panel_elements_y(w.dtype, O, K)}, w.dtype);
      e.dx = Buffer({models, ops::panel_elements_dx(w.dtype, O, K)}, w.dtype);
    }
    ops::pack_panels(ctx, w, {e.y, e.dx});
  }
}

}  // namespace sv

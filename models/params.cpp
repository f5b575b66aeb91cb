#include "models/params.h"

#include "core/nearest.h"
#include "core/rng.h"

namespace sv {

namespace {

template <class T>
void fill(const Tensor& value,
          std::span<const uint64_t> seeds,
          const std::string& name,
          const Init& init) {
  const int64_t per_model = value.numel() / static_cast<int64_t>(seeds.size());
  for (size_t m = 0; m < seeds.size(); ++m) {
    const Rng rng(seeds[m], stream_of("init." + name));
    T* out = value.as<T>() + static_cast<int64_t>(m) * per_model;
    for (int64_t i = 0; i < per_model; ++i) {
      const auto index = static_cast<uint64_t>(i);
      switch (init.kind) {
        case Init::Kind::constant:
          out[i] = static_cast<T>(init.scale);
          break;
        case Init::Kind::normal:
          out[i] = static_cast<T>(static_cast<float>(init.scale * rng.normal(index)));
          break;
        case Init::Kind::uniform:
          out[i] = static_cast<T>(static_cast<float>(init.scale * (2 * rng.uniform(index) - 1)));
          break;
      }
    }
  }
}

}  // namespace

Params::Params(std::vector<uint64_t> seeds, DType dtype) : seeds_(std::move(seeds)), dtype_(dtype) {
  SV_CHECK(!seeds_.empty(), "a pack needs at least one seed");
}

ParamId Params::add(const std::string& name, const Shape& inner, const Init& init, bool decay) {
  for (const Param& p : params_) {
    SV_CHECK(p.name != name, "parameter ", name, " is added twice");
  }
  std::vector<int64_t> dims = inner.to_vector();
  dims.insert(dims.begin(), models());
  const Shape shape(dims);
  Param p{name, Buffer(shape, dtype_), Buffer(shape, dtype_), decay};
  with_float(dtype_, [&]<class T>() { fill<T>(p.value, seeds_, name, init); });
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
    n += p.value.tensor().numel() / models();
  }
  return n;
}

void Params::zero_grad() {
  for (Param& p : params_) {
    p.grad.tensor().zero();
  }
}

}  // namespace sv

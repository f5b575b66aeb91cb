// Where a state begins, and noise keyed by the row it belongs to.
#include <algorithm>
#include <array>
#include <cmath>

#include "core/rng.h"
#include "kernels/memory/copy.h"
#include "models/kv_cache.h"
#include "models/parts/parts.h"

namespace sv::parts {

Var zeros(Pass& pass, const Shape& shape, DType dtype) {
  const Tensor x = make_tensor(pass.tape.arena(), shape, dtype);
  zero_tensor(pass.tape.ctx, x);
  return pass.tape.constant(x);
}

namespace {

constexpr double kCut = 2;  // standard deviations at which fixed and random starts are cut

/// Standard normal numbers of each model, the same for every row.
Var shared_noise(Pass& pass, const Shape& shape, DType dtype) {
  const Tensor h = host_tensor(pass.tape.ctx, shape, dtype);
  const int64_t row = h.numel() / (h.dim(0) * h.dim(1));
  with_float(h.dtype, [&]<class T>() {
    for (int64_t m = 0; m < h.dim(0); ++m) {
      const Rng rng(pass.params.seeds()[pass.place(m)], stream_of("state_init"));
      const int64_t skipped = pass.cache == nullptr ? 0 : pass.cache->begin() * h.dim(3);
      T* first = h.slice(m, 1).as<T>();
      for (int64_t i = 0; i < row; ++i) {
        first[i] = static_cast<T>(rng.normal(static_cast<uint64_t>(i + skipped)));
      }
      for (int64_t b = 1; b < h.dim(1); ++b) {
        std::copy_n(first, row, first + b * row);
      }
    }
  });
  return pass.tape.constant(to_device(pass.tape.ctx, h));
}

}  // namespace

StateStart::StateStart(Params& params,
                       const std::string& part,
                       const std::string& kind,
                       int64_t width)
    : stream_("state_init." + part), kind_(kind) {
  if (kind == "fixed") {
    vector_ = params.add("init." + part, {width}, Init::truncated_normal(1, kCut, true));
    params[vector_].fixed = true;
  }
}

Var StateStart::operator()(Pass& pass, const Inputs& in, Var e) const {
  const DType dtype = e.value().dtype;
  if (kind_ == "input") {
    return e;
  }
  if (kind_ == "normal") {
    return shared_noise(pass, e.shape(), dtype);
  }
  if (kind_ == "random") {
    const Shape inner = {e.shape()[2], e.shape()[3]};
    const Var x = noise(pass, in, stream_, inner, dtype, kCut);
    return ad::scale(pass.tape, x, 1 / truncated_std(kCut));
  }
  const Var h = zeros(pass, e.shape(), dtype);
  return kind_ == "fixed" ? ad::add_columns(pass.tape, h, pass.param(vector_)) : h;
}

namespace {

/// Draw i of a normal truncated at +-cut: the first of a chain of draws that lies inside.
double truncated(const Rng& rng, uint64_t i, double cut) {
  constexpr uint64_t kChain = uint64_t{1} << 40;
  for (uint64_t attempt = 0;; ++attempt) {
    const double x = rng.normal(i + attempt * kChain);
    if (std::abs(x) <= cut) {
      return x;
    }
  }
}

}  // namespace

Var noise(Pass& pass,
          const Inputs& in,
          std::string_view stream,
          const Shape& inner,
          DType dtype,
          double cut) {
  SV_CHECK(in.ids, "this model draws noise for every row, and the rows carry no ids");
  const Context& ctx = pass.tape.ctx;
  const int64_t models = pass.members.count > 0 ? pass.members.count : pass.params.models();
  const int64_t batch = in.batch(), size = inner.numel();
  std::array<int64_t, kMaxRank> dims = {models, batch};
  for (int i = 0; i < inner.rank(); ++i) {
    dims[static_cast<size_t>(2 + i)] = inner[i];
  }
  const Tensor x = host_tensor(ctx, Shape(dims.data(), 2 + inner.rank()), dtype);
  // Of the open positions of a cache, the numbers that they have in the whole row.
  const KvCache* cache = pass.cache;
  const int64_t whole = cache == nullptr ? size : size / cache->count() * cache->positions();
  const int64_t skipped = cache == nullptr ? 0 : size / cache->count() * cache->begin();
  with_float(dtype, [&]<class T>() {
    for (int64_t m = 0; m < models; ++m) {
      const int32_t* ids = in.ids.as<int32_t>() + (in.ids.dim(0) == 1 ? 0 : m * batch);
      for (int64_t b = 0; b < batch; ++b) {
        const uint64_t when = (pass.step << 32) + static_cast<uint64_t>(pass.row_r(m, b, batch));
        const Rng rng(pass.params.seeds()[pass.place(m)], stream_of(stream), when);
        T* to = x.as<T>() + (m * batch + b) * size;
        const auto first = static_cast<uint64_t>(ids[b] * whole + skipped);
        if (cut > 0) {
          for (int64_t i = 0; i < size; ++i) {
            to[i] = static_cast<T>(truncated(rng, first + static_cast<uint64_t>(i), cut));
          }
        } else {
          rng.normals(first, size, to);
        }
      }
    }
  });
  return pass.tape.constant(to_device(ctx, x));
}

}  // namespace sv::parts

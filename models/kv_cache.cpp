#include "models/kv_cache.h"

#include <cstring>
#include <set>

#include "core/check.h"
#include "core/nearest.h"

namespace sv {

CachePolicy CachePolicy::parse(const std::string& text) {
  const size_t colon = text.find(':');
  const std::string name = text.substr(0, colon);
  CachePolicy out;
  const std::vector<std::string> names = {"per_loop", "last", "first", "modulo", "anchor"};
  const auto at = std::find(names.begin(), names.end(), name);
  SV_CHECK(at != names.end(), "no cache policy '", name, "'", did_you_mean(name, names));
  out.kind = static_cast<Kind>(at - names.begin());
  const bool counted = out.kind == Kind::modulo || out.kind == Kind::anchor;
  if (counted && colon != std::string::npos) {
    size_t used = 0;
    const std::string digits = text.substr(colon + 1);
    try {
      out.n = std::stoi(digits, &used);
    } catch (const std::exception&) {
      used = 0;
    }
    out.n = used == digits.size() ? out.n : 0;
  }
  SV_CHECK(counted ? out.n >= 1 : colon == std::string::npos,
           "cache policy '",
           text,
           "' is not understood; use per_loop, last, first, modulo:4 or anchor:8");
  return out;
}

std::string CachePolicy::text() const {
  switch (kind) {
    case Kind::per_loop:
      return "per_loop";
    case Kind::last:
      return "last";
    case Kind::first:
      return "first";
    case Kind::modulo:
      return "modulo:" + std::to_string(n);
    case Kind::anchor:
      return "anchor:" + std::to_string(n);
  }
  fail("unknown cache policy");
}

int CachePolicy::slot(int r) const {
  switch (kind) {
    case Kind::per_loop:
      return r - 1;
    case Kind::modulo:
      return (r - 1) % n;
    case Kind::anchor:
      return std::min(r - 1, n);
    case Kind::last:
    case Kind::first:
      break;
  }
  return 0;
}

int CachePolicy::slots(int loops) const {
  std::set<int> used;
  for (int r = 1; r <= loops; ++r) {
    used.insert(slot(r));
  }
  return static_cast<int>(used.size());
}

void KvCache::open(int64_t count) {
  SV_CHECK(count >= 1 && begin_ + count <= positions_,
           count,
           " positions behind ",
           begin_,
           " do not fit a cache of ",
           positions_);
  count_ = count;
}

namespace {

/// Copies `rows` rows of every live model and batch row from position `from_at` to `to_at`.
void copy_positions(const Context& ctx,
                    const Tensor& from,
                    int64_t from_at,
                    const Tensor& to,
                    int64_t to_at,
                    int64_t rows) {
  const size_t row = static_cast<size_t>(from.dim(3)) * dtype_size(from.dtype);
  const auto* source = static_cast<const std::byte*>(from.data);
  auto* target = static_cast<std::byte*>(to.data);
  const int64_t batch = from.dim(1);
  for (int i = 0; i < ctx.model_count(from); ++i) {
    for (int64_t b = 0; b < batch; ++b) {
      const int64_t mb = ctx.model(i) * batch + b;
      std::memcpy(target + static_cast<size_t>(mb * to.dim(2) + to_at) * row,
                  source + static_cast<size_t>(mb * from.dim(2) + from_at) * row,
                  static_cast<size_t>(rows) * row);
    }
  }
}

}  // namespace

Tensor KvCache::seen(const Context& ctx, const Buffer& from) const {
  const Tensor all = from.tensor();
  const Tensor out = make_tensor(*ctx.arena, all.shape.with(2, begin_ + count_), all.dtype);
  copy_positions(ctx, all, 0, out, 0, begin_ + count_);
  return out;
}

std::pair<Tensor, Tensor> KvCache::exchange(
    const Context& ctx, Phase phase, int block, int r, const Tensor& k, const Tensor& v) {
  SV_CHECK(ctx.device == nullptr, "a cache of keys and values needs a run on the CPU");
  SV_CHECK_EQ(k.dim(2), count_, "positions of the run and of the cache");
  const bool loop = phase == Phase::loop;
  Entry& entry = entries_[{phase, block, loop ? policy_.slot(r) : 0}];
  if (!entry.k.tensor()) {
    entry = {{k.shape.with(2, positions_), k.dtype}, {v.shape.with(2, positions_), v.dtype}};
  }
  expect_shape(entry.k.tensor().shape, k.shape.with(2, positions_), "a cache's keys");
  if (!loop || policy_.writes(r)) {
    copy_positions(ctx, k, 0, entry.k, begin_, count_);
    copy_positions(ctx, v, 0, entry.v, begin_, count_);
  }
  if (begin_ == 0) {
    return {k, v};
  }
  return {seen(ctx, entry.k), seen(ctx, entry.v)};
}

int KvCache::slots() const {
  std::set<int> used;
  for (const auto& [key, entry] : entries_) {
    if (key.phase == Phase::loop) {
      used.insert(key.slot);
    }
  }
  return static_cast<int>(used.size());
}

size_t KvCache::bytes() const {
  size_t sum = 0;
  for (const auto& [key, entry] : entries_) {
    sum += entry.k.tensor().bytes() + entry.v.tensor().bytes();
  }
  return sum;
}

}  // namespace sv

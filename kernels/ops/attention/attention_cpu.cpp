// Attention on the packed-panel kernels: one thread takes one key-value group of one sequence (m,
// b, g) and walks over its heads.
#include "kernels/cpu/gemm.h"
#include "kernels/ops/attention/attention_device.h"
#include "kernels/ops/attention/attention_heads.h"

namespace sv::ops {

namespace {

using cpu::each_group;
using cpu::score_gradient;
using cpu::Visible;
using Dims = cpu::HeadDims;
using Heads = cpu::HeadRange;

/// From q or o `row` (M, B, T, H*K), k or v `key` (M, B, S, G*K) and p (M, B, H, T, S).
Dims check(const Context& ctx,
           const Tensor& row,
           const char* row_name,
           const Tensor& key,
           const char* key_name,
           const Tensor& p,
           int heads,
           int kv_heads) {
  SV_CHECK(heads >= 1 && kv_heads >= 1 && heads % kv_heads == 0,
           "kv_heads = ",
           kv_heads,
           " does not divide heads = ",
           heads);
  SV_CHECK_EQ(row.shape.rank(), 4, row_name, " has shape ", row.shape);
  SV_CHECK_EQ(key.shape.rank(), 4, key_name, " has shape ", key.shape);
  SV_CHECK_EQ(row.dim(3) % heads, 0, row_name, " has shape ", row.shape, ", heads = ", heads);
  const Dims d{row.dim(0),
               row.dim(1),
               row.dim(2),
               key.dim(2),
               heads,
               kv_heads,
               row.dim(3) / heads,
               ctx.model_count(row)};
  expect_shape(key.shape, {d.M, d.B, d.S, d.G * d.K}, key_name);
  expect_shape(p.shape, {d.M, d.B, d.H, d.T, d.S}, "p");
  SV_CHECK(key.dtype == row.dtype && p.dtype == row.dtype,
           row_name,
           ", ",
           key_name,
           " and p differ in dtype");
  return d;
}

void check_grad(const Grad& g, const Tensor& of, const char* name) {
  if (g.wanted()) {
    expect_shape(g.t.shape, of.shape, name);
  }
}

/// An i32 (1|M, B) tensor with all values in [0, S]; empty is allowed. The values in a device's
/// memory are left to its kernels, which take the nearest inside.
void check_counts(
    const Context& ctx, const Tensor& t, int64_t M, int64_t B, int64_t S, const char* name) {
  if (!t) {
    return;
  }
  expect_shape(t.shape, {t.shape.rank() == 2 && t.dim(0) == 1 ? 1 : M, B}, name);
  if (ctx.device) {
    return;
  }
  const int32_t* values = t.as<int32_t>();
  for (int64_t i = 0; i < t.numel(); ++i) {
    SV_CHECK(values[i] >= 0 && values[i] <= S,
             name,
             "[",
             i / B,
             ", ",
             i % B,
             "] = ",
             values[i],
             ", S = ",
             S);
  }
}

}  // namespace

void check_mask(const Context& ctx, const AttentionMask& mask, int64_t M, int64_t B, int64_t S) {
  check_counts(ctx, mask.lengths, M, B, S, "lengths");
  SV_CHECK((mask.kind == AttentionMask::Kind::prefix) == static_cast<bool>(mask.prefix),
           "a prefix tensor goes with the prefix mask");
  check_counts(ctx, mask.prefix, M, B, S, "prefix");
}

void attention_pattern(const Context& ctx,
                       const Tensor& q,
                       const Tensor& k,
                       const AttentionMask& mask,
                       int heads,
                       int kv_heads,
                       double scale,
                       const Tensor& p) {
  const Dims d = check(ctx, q, "q", k, "k", p, heads, kv_heads);
  check_mask(ctx, mask, d.M, d.B, d.S);
  if (ctx.device) {
    device::attention_pattern(ctx, q, k, mask, heads, kv_heads, scale, p);
    return;
  }
  with_float(q.dtype, [&]<class T>() {
    const cpu::Gemm<T> gemm;
    const T* rows = q.as<T>();
    const T* keys = k.as<T>();
    T* out = p.as<T>();
    each_group<
        T>(ctx, d, gemm.packed_size(d.K, d.S), [&](int64_t m, int64_t b, Heads group, T* packed) {
      const Visible visible(mask, d.S, m, b);
      const int64_t mb = m * d.B + b, length = visible.length();
      for (int64_t h = group.begin; h < group.end; ++h) {
        if (d.leads(h)) {
          gemm.pack({keys + d.k_at(mb, d.group(h)), 1, d.G * d.K}, d.K, length, packed);
        }
        T* to = out + d.p_at(mb, h);
        gemm.run({rows + d.q_at(mb, h), d.H * d.K, 1}, d.T, d.K, length, packed, to, d.S, false);
        cpu::softmax_rows(visible, 0, d.T, d.S, static_cast<T>(scale), to);
      }
    });
  });
}

void attention_pattern_vjp(const Context& ctx,
                           const Tensor& q,
                           const Tensor& k,
                           const Tensor& p,
                           const Tensor& dp,
                           const AttentionMask& mask,
                           int heads,
                           int kv_heads,
                           double scale,
                           const Grad& dq,
                           const Grad& dk) {
  const Dims d = check(ctx, q, "q", k, "k", p, heads, kv_heads);
  check_mask(ctx, mask, d.M, d.B, d.S);
  expect_shape(dp.shape, p.shape, "dp");
  check_grad(dq, q, "dq");
  check_grad(dk, k, "dk");
  if (ctx.device) {
    device::attention_pattern_vjp(ctx, q, k, p, dp, mask, heads, kv_heads, scale, dq, dk);
    return;
  }
  with_float(q.dtype, [&]<class T>() {
    const cpu::Gemm<T> gemm;
    const T *rows = q.as<T>(), *keys = k.as<T>(), *pattern = p.as<T>(), *dpattern = dp.as<T>();
    T* drows = dq.wanted() ? dq.t.as<T>() : nullptr;
    T* dkeys = dk.wanted() ? dk.t.as<T>() : nullptr;
    const int64_t width = d.H * d.K, key_width = d.G * d.K;
    const int64_t packed_size = gemm.packed_size(std::max(d.S, d.T), d.K);
    each_group<T>(
        ctx, d, packed_size + d.T * d.S, [&](int64_t m, int64_t b, Heads group, T* packed) {
          T* ds = packed + packed_size;
          const Visible visible(mask, d.S, m, b);
          const int64_t mb = m * d.B + b, length = visible.length();
          for (int64_t h = group.begin; h < group.end; ++h) {
            const int64_t at = d.p_at(mb, h), q_at = d.q_at(mb, h), k_at = d.k_at(mb, d.group(h));
            score_gradient(d, visible, static_cast<T>(scale), pattern + at, dpattern + at, ds);
            if (drows) {
              gemm.pack({keys + k_at, key_width, 1}, length, d.K, packed);
              gemm.run({ds, d.S, 1}, d.T, length, d.K, packed, drows + q_at, width, dq.adds());
            }
            if (dkeys) {
              gemm.pack({rows + q_at, width, 1}, d.T, d.K, packed);
              gemm.run({ds, 1, d.S},
                       d.S,
                       d.T,
                       d.K,
                       packed,
                       dkeys + k_at,
                       key_width,
                       dk.adds() || !d.leads(h));
            }
          }
        });
  });
}

void attention_mix(const Context& ctx,
                   const Tensor& p,
                   const Tensor& v,
                   int heads,
                   int kv_heads,
                   const Tensor& o) {
  const Dims d = check(ctx, o, "o", v, "v", p, heads, kv_heads);
  if (ctx.device) {
    device::attention_mix(ctx, p, v, heads, kv_heads, o);
    return;
  }
  with_float(p.dtype, [&]<class T>() {
    const cpu::Gemm<T> gemm;
    const T *pattern = p.as<T>(), *values = v.as<T>();
    T* out = o.as<T>();
    each_group<T>(
        ctx, d, gemm.packed_size(d.S, d.K), [&](int64_t m, int64_t b, Heads group, T* packed) {
          const int64_t mb = m * d.B + b;
          for (int64_t h = group.begin; h < group.end; ++h) {
            if (d.leads(h)) {
              gemm.pack({values + d.k_at(mb, d.group(h)), d.G * d.K, 1}, d.S, d.K, packed);
            }
            gemm.run({pattern + d.p_at(mb, h), d.S, 1},
                     d.T,
                     d.S,
                     d.K,
                     packed,
                     out + d.q_at(mb, h),
                     d.H * d.K,
                     false);
          }
        });
  });
}

void attention_mix_vjp(const Context& ctx,
                       const Tensor& p,
                       const Tensor& v,
                       const Tensor& dout,
                       int heads,
                       int kv_heads,
                       const Grad& dp,
                       const Grad& dv) {
  const Dims d = check(ctx, dout, "do", v, "v", p, heads, kv_heads);
  check_grad(dp, p, "dp");
  check_grad(dv, v, "dv");
  if (ctx.device) {
    device::attention_mix_vjp(ctx, p, v, dout, heads, kv_heads, dp, dv);
    return;
  }
  with_float(p.dtype, [&]<class T>() {
    const cpu::Gemm<T> gemm;
    const T *pattern = p.as<T>(), *values = v.as<T>(), *rows = dout.as<T>();
    T* dpattern = dp.wanted() ? dp.t.as<T>() : nullptr;
    T* dvalues = dv.wanted() ? dv.t.as<T>() : nullptr;
    const int64_t width = d.H * d.K, value_width = d.G * d.K;
    const int64_t packed_size = std::max(gemm.packed_size(d.K, d.S), gemm.packed_size(d.T, d.K));
    each_group<T>(ctx, d, packed_size, [&](int64_t m, int64_t b, Heads group, T* packed) {
      const int64_t mb = m * d.B + b;
      for (int64_t h = group.begin; h < group.end; ++h) {
        const int64_t at = d.p_at(mb, h), o_at = d.q_at(mb, h), v_at = d.k_at(mb, d.group(h));
        if (dpattern) {
          gemm.pack({values + v_at, 1, value_width}, d.K, d.S, packed);
          gemm.run({rows + o_at, width, 1}, d.T, d.K, d.S, packed, dpattern + at, d.S, dp.adds());
        }
        if (dvalues) {
          gemm.pack({rows + o_at, width, 1}, d.T, d.K, packed);
          gemm.run({pattern + at, 1, d.S},
                   d.S,
                   d.T,
                   d.K,
                   packed,
                   dvalues + v_at,
                   value_width,
                   dv.adds() || !d.leads(h));
        }
      }
    });
  });
}

}  // namespace sv::ops

// The products of attention_cpu.cpp, in its order and with its bits, on a pattern that lives in
// scratch of one head.
#include "kernels/cpu/gemm.h"
#include "kernels/ops/arguments.h"
#include "kernels/ops/attention/attention_heads.h"
#include "kernels/ops/attention_fused/attention_fused_device.h"

namespace sv::ops {

namespace {

using cpu::HeadDims;
using cpu::HeadRange;
using cpu::Visible;

HeadDims check(const Context& ctx, const FusedAttention& in, const Tensor& o, const Tensor& stats) {
  SV_CHECK(in.heads >= 1 && in.kv_heads >= 1 && in.heads % in.kv_heads == 0,
           "kv_heads = ",
           in.kv_heads,
           " does not divide heads = ",
           in.heads);
  SV_CHECK_EQ(in.q.shape.rank(), 4, "q has shape ", in.q.shape);
  SV_CHECK_EQ(in.k.shape.rank(), 4, "k has shape ", in.k.shape);
  SV_CHECK_EQ(in.q.dim(3) % in.heads, 0, "q has shape ", in.q.shape, ", heads = ", in.heads);
  const HeadDims d{in.q.dim(0),
                   in.q.dim(1),
                   in.q.dim(2),
                   in.k.dim(2),
                   in.heads,
                   in.kv_heads,
                   in.q.dim(3) / in.heads,
                   ctx.model_count(in.q)};
  expect_shape(in.k.shape, {d.M, d.B, d.S, d.G * d.K}, "k");
  expect_shape(in.v.shape, in.k.shape, "v");
  expect_shape(o.shape, in.q.shape, "o");
  expect_shape(stats.shape, {d.M, d.B, d.H, d.T, 2}, "stats");
  for (const Tensor& t : {in.k, in.v, o, stats}) {
    SV_CHECK(t.dtype == in.q.dtype, "q, k, v, o and stats differ in dtype");
  }
  check_mask(ctx, in.mask, d.M, d.B, d.S);
  return d;
}

/// Pointers to a sequence's group, and what its heads share.
template <class T>
struct Operands {
  const T *q, *k, *v;
  int64_t width, key_width;  // of a row of q and of k

  Operands(const FusedAttention& in, const HeadDims& d)
      : q(in.q.as<T>()), k(in.k.as<T>()), v(in.v.as<T>()), width(d.H * d.K), key_width(d.G * d.K) {}
};

template <class T>
void forward(
    const Context& ctx, const FusedAttention& in, const HeadDims& d, const Tensor& o, T* stats) {
  const cpu::Gemm<T> gemm;
  const Operands<T> x(in, d);
  T* out = o.as<T>();
  const int64_t keys_size = gemm.packed_size(d.K, d.S), values_size = gemm.packed_size(d.S, d.K);
  cpu::each_group<T>(
      ctx,
      d,
      keys_size + values_size + d.T * d.S,
      [&](int64_t m, int64_t b, HeadRange group, T* packed_k) {
        T *packed_v = packed_k + keys_size, *p = packed_v + values_size;
        const Visible visible(in.mask, d.S, m, b);
        const int64_t mb = m * d.B + b, length = visible.length();
        for (int64_t h = group.begin; h < group.end; ++h) {
          const int64_t q_at = d.q_at(mb, h), k_at = d.k_at(mb, d.group(h));
          if (d.leads(h)) {
            gemm.pack({x.k + k_at, 1, x.key_width}, d.K, length, packed_k);
            gemm.pack({x.v + k_at, x.key_width, 1}, d.S, d.K, packed_v);
          }
          gemm.run({x.q + q_at, x.width, 1}, d.T, d.K, length, packed_k, p, d.S, false);
          cpu::softmax_rows(
              visible, 0, d.T, d.S, static_cast<T>(in.scale), p, stats + 2 * (mb * d.H + h) * d.T);
          gemm.run({p, d.S, 1}, d.T, d.S, d.K, packed_v, out + q_at, x.width, false);
        }
      });
}

template <class T>
void backward(const Context& ctx,
              const FusedAttention& in,
              const HeadDims& d,
              const T* dout,
              const Grad& dq,
              const Grad& dk,
              const Grad& dv) {
  const cpu::Gemm<T> gemm;
  const Operands<T> x(in, d);
  T *to_q = data_or_null<T>(dq), *to_k = data_or_null<T>(dk), *to_v = data_or_null<T>(dv);
  const int64_t keys_size = gemm.packed_size(d.K, d.S);
  const int64_t rows_size = gemm.packed_size(std::max(d.S, d.T), d.K);
  const int64_t size = 2 * keys_size + rows_size + 2 * d.T * d.S;
  const auto scale = static_cast<T>(in.scale);
  cpu::each_group<T>(ctx, d, size, [&](int64_t m, int64_t b, HeadRange group, T* packed_k) {
    T *packed_v = packed_k + keys_size, *packed = packed_v + keys_size;
    T *p = packed + rows_size, *ds = p + d.T * d.S;
    const Visible visible(in.mask, d.S, m, b);
    const int64_t mb = m * d.B + b, length = visible.length();
    for (int64_t h = group.begin; h < group.end; ++h) {
      const int64_t q_at = d.q_at(mb, h), k_at = d.k_at(mb, d.group(h));
      if (d.leads(h)) {
        gemm.pack({x.k + k_at, 1, x.key_width}, d.K, length, packed_k);
        gemm.pack({x.v + k_at, 1, x.key_width}, d.K, d.S, packed_v);
      }
      gemm.run({x.q + q_at, x.width, 1}, d.T, d.K, length, packed_k, p, d.S, false);
      cpu::softmax_rows(visible, 0, d.T, d.S, scale, p);
      if (to_v) {
        gemm.pack({dout + q_at, x.width, 1}, d.T, d.K, packed);
        const bool adds = dv.adds() || !d.leads(h);
        gemm.run({p, 1, d.S}, d.S, d.T, d.K, packed, to_v + k_at, x.key_width, adds);
      }
      gemm.run({dout + q_at, x.width, 1}, d.T, d.K, d.S, packed_v, ds, d.S, false);
      cpu::score_gradient(d, visible, scale, p, ds, ds);
      if (to_q) {
        gemm.pack({x.k + k_at, x.key_width, 1}, length, d.K, packed);
        gemm.run({ds, d.S, 1}, d.T, length, d.K, packed, to_q + q_at, x.width, dq.adds());
      }
      if (to_k) {
        gemm.pack({x.q + q_at, x.width, 1}, d.T, d.K, packed);
        const bool adds = dk.adds() || !d.leads(h);
        gemm.run({ds, 1, d.S}, d.S, d.T, d.K, packed, to_k + k_at, x.key_width, adds);
      }
    }
  });
}

}  // namespace

void attention_fused(const Context& ctx,
                     const FusedAttention& in,
                     const Tensor& o,
                     const Tensor& stats) {
  const HeadDims d = check(ctx, in, o, stats);
  if (ctx.device) {
    device::attention_fused(ctx, in, o, stats);
    return;
  }
  with_float(in.q.dtype, [&]<class T>() { forward<T>(ctx, in, d, o, stats.as<T>()); });
}

void attention_fused_vjp(const Context& ctx,
                         const FusedAttention& in,
                         const Tensor& o,
                         const Tensor& stats,
                         const Tensor& dout,
                         const Grad& dq,
                         const Grad& dk,
                         const Grad& dv) {
  const HeadDims d = check(ctx, in, o, stats);
  expect_shape(dout.shape, in.q.shape, "do");
  expect_grad(dq, in.q.shape, "dq");
  expect_grad(dk, in.k.shape, "dk");
  expect_grad(dv, in.v.shape, "dv");
  if (ctx.device) {
    device::attention_fused_vjp(ctx, in, o, stats, dout, dq, dk, dv);
    return;
  }
  with_float(in.q.dtype, [&]<class T>() { backward<T>(ctx, in, d, dout.as<T>(), dq, dk, dv); });
}

}  // namespace sv::ops

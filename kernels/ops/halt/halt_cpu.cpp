#include "kernels/cpu/split.h"
#include "kernels/math/simd.h"
#include "kernels/ops/arguments.h"
#include "kernels/ops/halt/halt.h"
#include "kernels/ops/halt/halt_device.h"
#include "kernels/ops/reduce/reduce.h"

namespace sv::ops {

void halt(const Context& ctx,
          const Tensor& h,
          const Tensor& w,
          const Tensor& bias,
          double threshold,
          const Tensor& logit,
          const Tensor& live) {
  SV_CHECK(h.shape.rank() == 4, "halt needs h (M, B, T, D), got ", h.shape);
  const int64_t M = h.dim(0), B = h.dim(1), D = h.dim(3);
  expect_shape(w.shape, {M, 1, D}, "w");
  if (bias) {
    expect_shape(bias.shape, {M, 1}, "bias");
  }
  expect_shape(logit.shape, {M, B}, "logit");
  expect_shape(live.shape, {M, B}, "live");
  if (ctx.device) {
    device::halt(ctx, h, w, bias, threshold, logit, live);
    return;
  }
  const ArenaScope scope(*ctx.arena);
  const Tensor mean = make_tensor(*ctx.arena, {M, B, D}, h.dtype);
  mean_positions(ctx, h, mean);
  with_float(h.dtype, [&]<class T>() {
    const T *means = mean.as<T>(), *weights = w.as<T>(), *shift = data_or_null<T>(bias);
    T* to = logit.as<T>();
    auto* flags = live.as<int32_t>();
    cpu::for_each_row_block(ctx, ctx.model_count(h), B, D, [=](int m, int64_t begin, int64_t end) {
      for (int64_t b = m * B + begin; b < m * B + end; ++b) {
        const T score = simd::sum_terms<T>(D, [&](int64_t i, int64_t count) {
          return simd::load_n(means + b * D + i, count) * simd::load_n(weights + m * D + i, count);
        });
        to[b] = shift ? score + shift[m] : score;
        flags[b] = flags[b] != 0 && !(static_cast<double>(to[b]) > threshold) ? 1 : 0;
      }
    });
  });
}

}  // namespace sv::ops

#include "kernels/cpu/split.h"
#include "kernels/ops/arguments.h"
#include "kernels/ops/sample/sample.h"
#include "kernels/ops/sample/sample_device.h"
#include "kernels/ops/sample/sample_row.h"

namespace sv::ops {

namespace {

template <class T>
int draw_row(const T* x, int64_t V, T scale, const SampleKey& key, int64_t n) {
  Drawn<T> best;
  for (int64_t v = 0; v < V; v += 4) {
    const Philox::Counter bits = key.bits(static_cast<uint64_t>(n * sample_blocks(V) + v / 4));
    for (int64_t k = 0; k < 4 && v + k < V; ++k) {
      const T g = gumbel<T>(bits[static_cast<size_t>(k)]);
      best.see(x[v + k] * scale + g, static_cast<int>(v + k));
    }
  }
  return best.result();
}

}  // namespace

void sample(const Context& ctx,
            const Tensor& logits,
            const Tensor& keys,
            const SampleDraw& draw,
            const Tensor& out) {
  SV_CHECK(logits.shape.rank() == 4 && logits.dim(3) >= 1,
           "sample needs logits (M, B, T, V), got ",
           logits.shape);
  SV_CHECK(draw.temperature > 0, "temperature is ", draw.temperature, ", must be above 0");
  expect_shape(keys.shape, {logits.dim(0), 2}, "keys");
  expect_shape(out.shape, {logits.dim(0), logits.dim(1), logits.dim(2)}, "out");
  if (ctx.device) {
    device::sample(ctx, logits, keys, draw, out);
    return;
  }
  const int64_t V = logits.dim(3), N = rows_per_model(logits);
  const auto* words = keys.as<int32_t>();
  auto* to = out.as<int32_t>();
  with_float(logits.dtype, [&]<class T>() {
    const T* x = logits.as<T>();
    const T scale = static_cast<T>(1 / draw.temperature);
    cpu::for_each_row_block(
        ctx, ctx.model_count(logits), N, V, [=](int m, int64_t begin, int64_t end) {
          const SampleKey key{static_cast<uint32_t>(words[2 * m]),
                              static_cast<uint32_t>(words[2 * m + 1]),
                              draw.stream,
                              draw.step};
          for (int64_t n = begin; n < end; ++n) {
            to[m * N + n] = draw_row(x + (m * N + n) * V, V, scale, key, n);
          }
        });
  });
}

}  // namespace sv::ops

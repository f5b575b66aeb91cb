#include "kernels/ops/rope/rope.h"

#include "kernels/cpu/split.h"
#include "kernels/ops/arguments.h"
#include "kernels/ops/rope/rope_device.h"
#include "kernels/ops/rope/rope_row.h"

namespace sv::ops {

void rope(const Context& ctx, const Tensor& x, const Rope& rope, bool inverse, const Tensor& y) {
  const int heads = rope.heads;
  SV_CHECK(x.shape.rank() == 4, "rope needs x (M, B, T, H K), got ", x.shape);
  SV_CHECK(heads >= 1 && x.dim(-1) % heads == 0,
           x.dim(-1),
           " columns do not divide into ",
           heads,
           " heads");
  SV_CHECK(rope.base > 0, "base = ", rope.base);
  const int64_t K = x.dim(-1) / heads, positions = x.dim(2), D = x.dim(-1);
  SV_CHECK(
      K % 2 == 0, "rope pairs the columns of a head, so the head width must be even; it is ", K);
  expect_shape(y.shape, x.shape, "y");
  if (ctx.device) {
    device::rope(ctx, x, rope, inverse, y);
    return;
  }
  const int64_t N = x.dim(1) * positions, pairs = K / 2;
  with_float(x.dtype, [&]<class T>() {
    const cpu::RopeTable<T>& table = cpu::rope_table<T>(rope.offset, positions, pairs, rope.base);
    const T *cosine = table.cosine.data(), *sine = table.sine.data();
    const T turn = inverse ? T{-1} : T{1};
    const auto turn_head =
        rope.layout == RopeLayout::interleaved ? cpu::rotate_interleaved<T> : cpu::rotate<T>;
    const T* from = x.as<T>();
    T* to = y.as<T>();
    cpu::for_each_row_block(ctx, ctx.model_count(x), N, D, [=](int m, int64_t begin, int64_t end) {
      for (int64_t n = begin; n < end; ++n) {
        const int64_t at = n % positions * pairs;
        for (int64_t head = (m * N + n) * heads; head < (m * N + n + 1) * heads; ++head) {
          turn_head(from + head * K, cosine + at, sine + at, turn, pairs, to + head * K);
        }
      }
    });
  });
}

}  // namespace sv::ops

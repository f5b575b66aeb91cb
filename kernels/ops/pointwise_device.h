// Host side of functions of one element (pointwise_body.h).
#pragma once
#include <array>

#include "kernels/memory/device.h"
#include "kernels/ops/device_rows.h"
#include "kernels/ops/pointwise_body.h"

namespace sv::ops::device {

/// out (=|+=) F of the inputs, for the listed models; all tensors have the shape of `out`.
template <class F>
void pointwise(const Context& ctx,
               const std::array<Tensor, F::kInputs>& in,
               const Tensor& out,
               bool adds,
               const typename F::Numbers& numbers) {
  typename Pointwise<F>::Args args{};
  bool aligned = simt::aligned16(out.data);
  for (size_t i = 0; i < in.size(); ++i) {
    expect_device_f32(in[i], F::kName);
    args.in[i] = in[i].template as<float>();
    aligned = aligned && simt::aligned16(in[i].data);
  }
  const int64_t M = out.dim(0);
  args.out = out.as<float>();
  args.size = M == 0 ? 0 : out.numel() / M;
  args.adds = adds;
  args.vector = aligned && args.size % 4 == 0;
  args.numbers = numbers;
  args.models = live_models(ctx, M);
  launch<Pointwise<F>>(
      ctx,
      {.grid_x = static_cast<int>((args.size + kPointElements - 1) / kPointElements),
       .grid_y = args.models.count,
       .block = kPointThreads},
      args);
}

}  // namespace sv::ops::device

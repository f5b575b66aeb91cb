#include "kernels/ops/rope/rope_device.h"

#include "kernels/memory/device.h"
#include "kernels/ops/rope/rope_body.h"

namespace sv::ops::device {

void rope(const Context& ctx, const Tensor& x, const Rope& rope, bool inverse, const Tensor& y) {
  expect_device_f32(x, "rope");
  const int64_t B = x.dim(1), T = x.dim(2), pairs = x.dim(3) / rope.heads / 2;
  const LiveModels models = live_models(ctx, x.dim(0));
  const int64_t tiles = (T * pairs + RopeRotate::kThreads - 1) / RopeRotate::kThreads;
  const int64_t chunks = (B + RopeRotate::kSequences - 1) / RopeRotate::kSequences;
  launch<RopeRotate>(ctx,
                     {.grid_x = static_cast<int>(tiles * chunks),
                      .grid_y = models.count,
                      .block = RopeRotate::kThreads},
                     {x.as<float>(),
                      y.as<float>(),
                      B,
                      T,
                      pairs,
                      rope.offset,
                      rope.heads,
                      static_cast<int>(tiles),
                      rope.layout == RopeLayout::interleaved,
                      point::log_poly(rope.base),
                      inverse ? -1.0f : 1.0f,
                      models});
}

}  // namespace sv::ops::device

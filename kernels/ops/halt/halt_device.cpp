#include "kernels/ops/halt/halt_device.h"

#include "kernels/memory/device.h"
#include "kernels/ops/arguments.h"
#include "kernels/ops/halt/halt_body.h"

namespace sv::ops::device {

void halt(const Context& ctx,
          const Tensor& h,
          const Tensor& w,
          const Tensor& bias,
          double threshold,
          const Tensor& logit,
          const Tensor& live) {
  expect_device_f32(h, "halt");
  const LiveModels models = live_models(ctx, h.dim(0));
  launch<Halt>(ctx,
               {.grid_x = static_cast<int>(h.dim(1)),
                .grid_y = models.count,
                .block = halt_threads(h.dim(3)),
                .shared_bytes = simt::kReduceBytes},
               {h.as<float>(),
                w.as<float>(),
                data_or_null<float>(bias),
                logit.as<float>(),
                live.as<int32_t>(),
                h.dim(1),
                h.dim(2),
                h.dim(3),
                threshold,
                models});
}

}  // namespace sv::ops::device

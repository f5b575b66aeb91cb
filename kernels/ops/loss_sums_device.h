// Host side of the sums over rows that become a loss (loss_sums_body.h).
#pragma once
#include <algorithm>

#include "kernels/memory/device.h"
#include "kernels/ops/arguments.h"
#include "kernels/ops/loss_sums_body.h"

namespace sv::ops::device {

/// loss (M) = sum over a model's rows of F's terms, for the listed models; 0 without rows.
template <class F>
void put_loss(const Context& ctx,
              const LiveModels& models,
              int64_t rows,
              const typename F::Args& terms,
              const Tensor& loss) {
  const ArenaScope scope(*ctx.arena);
  const int64_t blocks = std::max<int64_t>(1, (rows + kLossRows - 1) / kLossRows);
  double* partial = nullptr;
  if (blocks > 1) {
    partial = ctx.arena->alloc_n<double>(static_cast<size_t>(models.count * blocks));
  }
  launch<LossPartials<F>>(ctx,
                          {.grid_x = static_cast<int>(blocks),
                           .grid_y = models.count,
                           .block = kLossThreads,
                           .shared_bytes = simt::kReduceBytes},
                          {terms, loss.as<float>(), partial, rows, models});
  if (blocks > 1) {
    launch<LossTotals>(
        ctx,
        {.grid_x = models.count, .block = kLossThreads, .shared_bytes = simt::kReduceBytes},
        {partial, loss.as<float>(), blocks, models});
  }
}

}  // namespace sv::ops::device

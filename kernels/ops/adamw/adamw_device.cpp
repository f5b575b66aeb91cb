#include "kernels/ops/adamw/adamw_device.h"

#include <vector>

#include "kernels/ops/adamw/adamw_body.h"
#include "kernels/ops/arguments.h"
#include "kernels/ops/device_rows.h"

namespace sv::ops::device {

namespace {

/// A copy of the list in device memory, from the arena.
template <class T>
const T* upload(const Context& ctx, const std::vector<T>& list) {
  if (list.empty()) {
    return nullptr;
  }
  T* to = ctx.arena->alloc_n<T>(list.size());
  ctx.device->to_device(to, list.data(), list.size() * sizeof(T));
  return to;
}

int64_t model_size(const Tensor& t) {
  return t.dim(0) == 0 ? 0 : t.numel() / t.dim(0);
}

/// Blocks of `elements` that one model of t takes, after `blocks` of others.
int next_block(int blocks, const Tensor& t, int64_t elements) {
  const int64_t next = blocks + (model_size(t) + elements - 1) / elements;
  SV_CHECK(next <= INT32_MAX, "the parameters of one model are too many for a launch");
  return static_cast<int>(next);
}

std::vector<AdamWModel> scalars(const AdamWStep& s, const LiveModels& models) {
  std::vector<AdamWModel> list;
  for (int i = 0; i < models.count; ++i) {
    const int m = models.model(i);
    list.push_back({s.lr[m],
                    s.grad_scale ? s.grad_scale[m] : 1.0,
                    s.lr[m] / (1 - adamw_power(s.beta1, s.step))});
  }
  return list;
}

}  // namespace

void adamw(const Context& ctx, std::span<const AdamWTensors> list, const AdamWStep& s) {
  if (list.empty()) {
    return;
  }
  std::vector<AdamWEntry> entries;
  int blocks = 0;
  for (const AdamWTensors& t : list) {
    for (const Tensor* part : {&t.param, &t.grad, &t.m, &t.v}) {
      expect_device_f32(*part, "adamw");
    }
    const bool aligned = all_aligned({t.param.data, t.grad.data, t.m.data, t.v.data, t.ema.data});
    entries.push_back({t.param.as<float>(),
                       t.grad.as<float>(),
                       t.m.as<float>(),
                       t.v.as<float>(),
                       data_or_null<float>(t.ema),
                       model_size(t.param),
                       t.weight_decay,
                       blocks,
                       aligned && model_size(t.param) % 4 == 0});
    blocks = next_block(blocks, t.param, kAdamWElements);
  }
  const LiveModels models = live_models(ctx, list[0].param.dim(0));
  const ArenaScope scope(*ctx.arena);
  launch<AdamWUpdate>(ctx,
                      {.grid_x = blocks, .grid_y = models.count, .block = kAdamWThreads},
                      {upload(ctx, entries),
                       upload(ctx, scalars(s, models)),
                       s.clip > 0 ? s.squares.as<double>() : nullptr,
                       s.clip,
                       adamw_constants<float>(s),
                       static_cast<int>(entries.size()),
                       models});
}

void grad_squares(const Context& ctx, std::span<const Tensor> grads, const Tensor& squares) {
  std::vector<SquaresEntry> entries;
  int blocks = 0;
  for (const Tensor& g : grads) {
    expect_device_f32(g, "grad_squares");
    entries.push_back({g.as<float>(), model_size(g), blocks});
    blocks = next_block(blocks, g, kSquaresElements);
  }
  const LiveModels models = live_models(ctx, squares.dim(0));
  const ArenaScope scope(*ctx.arena);
  double* partial =
      ctx.arena->alloc_n<double>(static_cast<size_t>(models.count) * static_cast<size_t>(blocks));
  launch<GradSquares>(ctx,
                      {.grid_x = blocks,
                       .grid_y = models.count,
                       .block = kAdamWThreads,
                       .shared_bytes = simt::kReduceBytes},
                      {upload(ctx, entries), partial, static_cast<int>(entries.size()), models});
  launch<GradSquaresTotals>(
      ctx,
      {.grid_x = models.count, .block = kAdamWThreads, .shared_bytes = simt::kReduceBytes},
      {partial, squares.as<double>(), blocks, models});
}

}  // namespace sv::ops::device

#include "models/groups.h"

#include "kernels/memory/copy.h"

namespace sv {

Rows piece(Rows rows, int i, int pieces) {
  const int size = rows.count / pieces, longer = rows.count % pieces;
  return {rows.begin + i * size + std::min(i, longer), size + (i < longer ? 1 : 0)};
}

int group_count(Rows rows, int positions) {
  const int64_t tokens = static_cast<int64_t>(rows.count) * positions;
  const int64_t groups = (tokens + kGroupTokens - 1) / kGroupTokens;
  return static_cast<int>(std::clamp<int64_t>(groups, 1, std::max(rows.count, 1)));
}

std::vector<Rows> lanes_of(int batch, int positions, int most) {
  const Rows all{0, batch};
  const int lanes = std::min(most, group_count(all, positions));
  std::vector<Rows> out;
  for (int i = 0; i < lanes; ++i) {
    out.push_back(piece(all, i, lanes));
  }
  return out;
}

Inputs load_inputs(const Context& ctx, const Batch& batch) {
  const auto load = [&](const std::vector<int32_t>& values, const Shape& shape) {
    const Tensor x = host_tensor(ctx, shape, DType::i32);
    SV_CHECK_EQ(static_cast<int64_t>(values.size()), shape.numel());
    std::copy(values.begin(), values.end(), x.as<int32_t>());
    return to_device(ctx, x);
  };
  Inputs in;
  in.tokens = load(batch.tokens, {batch.models, batch.size, batch.positions});
  const bool padded = std::any_of(
      batch.lengths.begin(), batch.lengths.end(), [&](int32_t n) { return n < batch.positions; });
  if (padded) {
    in.lengths = load(batch.lengths, {batch.models, batch.size});
  }
  in.ids = host_tensor(ctx, {batch.models, batch.size}, DType::i32);
  std::copy(batch.index.begin(), batch.index.end(), in.ids.as<int32_t>());
  return in;
}

Inputs slice(const Inputs& in, int m, Rows rows) {
  const auto part = [&](const Tensor& x) {
    if (!x) {
      return x;
    }
    const Tensor model = x.slice(x.dim(0) == 1 ? 0 : m, 1);
    const int64_t row = model.numel() / model.dim(1);
    return Tensor{model.shape.with(1, rows.count), x.dtype, model.as<int32_t>() + rows.begin * row};
  };
  return {part(in.tokens), part(in.lengths), part(in.prefix), part(in.ids)};
}

}  // namespace sv

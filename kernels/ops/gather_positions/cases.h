// Cases of gather_positions and scatter_positions: empty places, ids named twice, all positions.
#pragma once
#include "kernels/ops/case.h"
#include "kernels/ops/gather_positions/gather_positions.h"

namespace sv::cases {

struct GatherDims {
  int64_t M, B, T, K, D;
  int64_t id_models;  // 1 or M
};

/// K of T positions of every row in a seeded order, every third place empty; `twice`: the last one
/// names the first again.
inline Input chosen_positions(const GatherDims& d, bool twice) {
  Array values;
  for (int64_t row = 0; row < d.id_models * d.B; ++row) {
    std::vector<int> order;
    for (int t = 0; t < d.T; ++t) {
      order.push_back(t);
    }
    RngCursor cursor(Rng(5, stream_of("positions"), static_cast<uint64_t>(row)));
    cursor.shuffle(order);
    for (int64_t k = 0; k < d.K; ++k) {
      values.push_back(k % 3 == 2 ? -1 : order[static_cast<size_t>(k)]);
    }
    if (twice) {
      values.back() = order[0];
    }
  }
  return by_rows(given("ids", {d.id_models, d.B, d.K}, values, Kind::i32));
}

/// Calls f(id, place of position `id` in (M, B, T, D), place of k in (M, B, K, D)) for each id; of
/// an empty one the first place is that of position 0.
template <class F>
void each_chosen(const GatherDims& d, const Array& ids, F&& f) {
  for (int64_t n = 0; n < d.M * d.B * d.K; ++n) {
    const int64_t row = n / d.K, listed = d.id_models == 1 ? row % d.B : row;
    const auto id = static_cast<int64_t>(ids[static_cast<size_t>(listed * d.K + n % d.K)]);
    f(id,
      static_cast<size_t>((row * d.T + std::max<int64_t>(id, 0)) * d.D),
      static_cast<size_t>(n * d.D));
  }
}

inline Case gather_positions_case(const std::string& name, GatherDims d, bool twice = false) {
  Case c;
  c.name = name;
  c.models = static_cast<int>(d.M);
  c.inputs = {normal("x", {d.M, d.B, d.T, d.D}, 1.0, true), chosen_positions(d, twice)};
  c.outputs = {{.name = "y", .shape = {d.M, d.B, d.K, d.D}, .rows = true}};
  c.run = [](const Context& ctx, const Tensors& in, const Tensors& out) {
    ops::gather_positions(ctx, in[0], in[1], out[0]);
  };
  c.vjp = [](const Context& ctx,
             const Tensors& in,
             const Tensors&,
             const Tensors& dout,
             const Grads& din) { ops::gather_positions_vjp(ctx, dout[0], in[1], din[0]); };
  c.reference = [=](const Arrays& in, Arrays& out) {
    each_chosen(d, in[1], [&](int64_t id, size_t whole, size_t listed) {
      for (size_t i = 0; i < static_cast<size_t>(d.D); ++i) {
        out[0][listed + i] = id >= 0 ? in[0][whole + i] : 0.0;
      }
    });
  };
  c.tolerance = {0, 0, "a copy"};
  c.bytes = 8.0 * static_cast<double>(d.M * d.B * d.K * d.D);
  return c;
}

inline Case scatter_positions_case(const std::string& name, GatherDims d) {
  const Shape whole{d.M, d.B, d.T, d.D};
  Case c;
  c.name = name;
  c.models = static_cast<int>(d.M);
  c.inputs = {normal("base", whole, 1.0, true),
              normal("x", whole.with(2, d.K), 1.0, true),
              chosen_positions(d, false)};
  c.outputs = {{.name = "y", .shape = whole, .rows = true}};
  c.run = [](const Context& ctx, const Tensors& in, const Tensors& out) {
    ops::scatter_positions(ctx, in[0], in[1], in[2], out[0]);
  };
  c.vjp = [](const Context& ctx,
             const Tensors& in,
             const Tensors&,
             const Tensors& dout,
             const Grads& din) { ops::scatter_positions_vjp(ctx, dout[0], in[2], din[0], din[1]); };
  c.reference = [=](const Arrays& in, Arrays& out) {
    out[0] = in[0];
    each_chosen(d, in[2], [&](int64_t id, size_t place, size_t listed) {
      for (size_t i = 0; id >= 0 && i < static_cast<size_t>(d.D); ++i) {
        out[0][place + i] = in[1][listed + i];
      }
    });
  };
  c.tolerance = {0, 0, "a copy"};
  c.bytes = 8.0 * static_cast<double>(whole.numel());
  return c;
}

inline std::vector<Case> gather_positions_cases() {
  return {gather_positions_case("gather M3 B2 T7 K4 D5", {3, 2, 7, 4, 5, 3}),
          gather_positions_case("gather M2 B3 T5 K5 D3 twice", {2, 3, 5, 5, 3, 2}, true),
          gather_positions_case("gather M2 B3 T6 K6 D3 shared", {2, 3, 6, 6, 3, 1}),
          gather_positions_case("gather M2 B20 T40 K20 D48 large", {2, 20, 40, 20, 48, 2}),
          scatter_positions_case("scatter M3 B2 T7 K4 D5", {3, 2, 7, 4, 5, 3}),
          scatter_positions_case("scatter M2 B3 T6 K6 D3 shared", {2, 3, 6, 6, 3, 1}),
          scatter_positions_case("scatter M2 B20 T40 K20 D48 large", {2, 20, 40, 20, 48, 2})};
}

}  // namespace sv::cases

// Cases of attention_pattern and attention_mix: all masks, padding, grouped heads, head widths off
// the panels.
#pragma once
#include <algorithm>
#include <cmath>

#include "kernels/ops/attention/attention.h"
#include "kernels/ops/case.h"

namespace sv::cases {

struct AttentionDims {
  int64_t M, B, T, S, H, G, K;
};

using MaskKind = ops::AttentionMask::Kind;

/// The masks of a case; `lengths` and `prefix` are used where not empty and hold B or M * B
/// entries.
struct AttentionMasks {
  MaskKind kind = MaskKind::bidirectional;
  Array lengths = {};
  Array prefix = {};
  int64_t offset = 0;
};

/// Whether key s counts for query t of sequence mb (= m * B + b), from the definition of each mask.
inline bool attention_sees(const AttentionMasks& masks, int64_t mb, int64_t t, int64_t s) {
  const auto entry = [&](const Array& a) { return a[static_cast<size_t>(mb) % a.size()]; };
  if (!masks.lengths.empty() && static_cast<double>(s) >= entry(masks.lengths)) {
    return false;
  }
  const int64_t at = t + masks.offset;
  switch (masks.kind) {
    case MaskKind::bidirectional:
      return true;
    case MaskKind::causal:
      return s <= at;
    case MaskKind::prefix:
      return s <= at || static_cast<double>(std::max(s, at)) < entry(masks.prefix);
  }
  return false;
}

inline double dot_heads(const double* a, const double* b, int64_t K) {
  double sum = 0;
  for (int64_t k = 0; k < K; ++k) {
    sum += a[k] * b[k];
  }
  return sum;
}

/// One row of the pattern in double.
inline void attention_row(const AttentionDims& d,
                          const AttentionMasks& masks,
                          double scale,
                          const Arrays& in,
                          int64_t mb,
                          int64_t h,
                          int64_t t,
                          double* p) {
  const int64_t g = h / (d.H / d.G);
  const double* q = in[0].data() + (mb * d.T + t) * d.H * d.K + h * d.K;
  double most = -INFINITY, sum = 0;
  for (int64_t s = 0; s < d.S; ++s) {
    const double* k = in[1].data() + (mb * d.S + s) * d.G * d.K + g * d.K;
    p[s] = attention_sees(masks, mb, t, s) ? scale * dot_heads(q, k, d.K) : -INFINITY;
    most = std::max(most, p[s]);
  }
  for (int64_t s = 0; s < d.S; ++s) {
    p[s] = most == -INFINITY ? 0.0 : std::exp(p[s] - most);
    sum += p[s];
  }
  for (int64_t s = 0; s < d.S && sum > 0; ++s) {
    p[s] /= sum;
  }
}

inline Input attention_counts(const std::string& name,
                              const AttentionDims& d,
                              const Array& values) {
  const auto count = static_cast<int64_t>(values.size());
  return by_rows(given(name, {count / d.B, d.B}, values, Kind::i32));
}

/// Inputs q, k and then the mask tensors that are used.
inline Case pattern_case(const std::string& name, AttentionDims d, AttentionMasks masks = {}) {
  constexpr double kScale = 0.37;
  Case c;
  c.name = name;
  c.models = static_cast<int>(d.M);
  c.inputs = {normal("q", {d.M, d.B, d.T, d.H * d.K}, 1.0, true),
              normal("k", {d.M, d.B, d.S, d.G * d.K}, 1.0, true)};
  if (!masks.lengths.empty()) {
    c.inputs.push_back(attention_counts("lengths", d, masks.lengths));
  }
  if (!masks.prefix.empty()) {
    c.inputs.push_back(attention_counts("prefix", d, masks.prefix));
  }
  c.outputs = {{.name = "p", .shape = {d.M, d.B, d.H, d.T, d.S}, .rows = true}};
  const bool padded = !masks.lengths.empty();
  const auto mask_of = [kind = masks.kind, offset = masks.offset, padded](const Tensors& in) {
    return ops::AttentionMask{kind,
                              padded ? in[2] : Tensor{},
                              kind == MaskKind::prefix ? in[padded ? 3 : 2] : Tensor{},
                              offset};
  };
  const int heads = static_cast<int>(d.H), kv_heads = static_cast<int>(d.G);
  c.run = [=](const Context& ctx, const Tensors& in, const Tensors& out) {
    ops::attention_pattern(ctx, in[0], in[1], mask_of(in), heads, kv_heads, kScale, out[0]);
  };
  c.vjp = [=](const Context& ctx,
              const Tensors& in,
              const Tensors& out,
              const Tensors& dout,
              const Grads& din) {
    ops::attention_pattern_vjp(
        ctx, in[0], in[1], out[0], dout[0], mask_of(in), heads, kv_heads, kScale, din[0], din[1]);
  };
  c.reference = [=](const Arrays& in, Arrays& out) {
    for (int64_t row = 0; row < d.M * d.B * d.H * d.T; ++row) {
      const int64_t mb = row / (d.H * d.T), h = row / d.T % d.H, t = row % d.T;
      attention_row(d, masks, kScale, in, mb, h, t, out[0].data() + row * d.S);
    }
  };
  c.tolerance = {4e-6, 1e-14, "K products, one exp of 2 ulp, one sum of S terms"};
  const int64_t scores = d.M * d.B * d.H * d.T * d.S;
  c.flops = 2.0 * static_cast<double>(scores * d.K);
  c.bytes = 4.0 * static_cast<double>(scores + d.M * d.B * d.K * (d.T * d.H + d.S * d.G));
  return c;
}

inline Case mix_case(const std::string& name, AttentionDims d) {
  Case c;
  c.name = name;
  c.models = static_cast<int>(d.M);
  c.inputs = {normal("p", {d.M, d.B, d.H, d.T, d.S}, 0.3, true),
              normal("v", {d.M, d.B, d.S, d.G * d.K}, 1.0, true)};
  c.outputs = {{.name = "o", .shape = {d.M, d.B, d.T, d.H * d.K}, .rows = true}};
  const int heads = static_cast<int>(d.H), kv_heads = static_cast<int>(d.G);
  c.run = [=](const Context& ctx, const Tensors& in, const Tensors& out) {
    ops::attention_mix(ctx, in[0], in[1], heads, kv_heads, out[0]);
  };
  c.vjp = [=](const Context& ctx,
              const Tensors& in,
              const Tensors&,
              const Tensors& dout,
              const Grads& din) {
    ops::attention_mix_vjp(ctx, in[0], in[1], dout[0], heads, kv_heads, din[0], din[1]);
  };
  c.reference = [=](const Arrays& in, Arrays& out) {
    for (int64_t row = 0; row < d.M * d.B * d.H * d.T; ++row) {
      const int64_t mb = row / (d.H * d.T), h = row / d.T % d.H, t = row % d.T;
      const int64_t g = h / (d.H / d.G);
      for (int64_t k = 0; k < d.K; ++k) {
        double sum = 0;
        for (int64_t s = 0; s < d.S; ++s) {
          sum += in[0][row * d.S + s] * in[1][(mb * d.S + s) * d.G * d.K + g * d.K + k];
        }
        out[0][(mb * d.T + t) * d.H * d.K + h * d.K + k] = sum;
      }
    }
  };
  c.tolerance = {4e-6, 1e-14, "S products rounded once each"};
  const int64_t scores = d.M * d.B * d.H * d.T * d.S;
  c.flops = 2.0 * static_cast<double>(scores * d.K);
  c.bytes = 4.0 * static_cast<double>(scores + d.M * d.B * d.K * (d.T * d.H + d.S * d.G));
  return c;
}

inline std::vector<Case> attention_pattern_cases() {
  return {
      pattern_case("M2 B2 T5 S5 H2 K3", {2, 2, 5, 5, 2, 2, 3}),
      pattern_case("M2 B3 T6 S6 H2 K4 causal", {2, 3, 6, 6, 2, 2, 4}, {.kind = MaskKind::causal}),
      pattern_case("M2 B2 T3 S7 H2 K4 causal with earlier keys",
                   {2, 2, 3, 7, 2, 2, 4},
                   {.kind = MaskKind::causal, .offset = 4}),
      pattern_case("M2 B2 T2 S9 H2 K4 causal in a cache that is longer",
                   {2, 2, 2, 9, 2, 2, 4},
                   {.kind = MaskKind::causal, .lengths = {5, 9, 4, 6}, .offset = 3}),
      pattern_case("M2 B2 T3 S6 H2 K4 prefix and earlier keys",
                   {2, 2, 3, 6, 2, 2, 4},
                   {.kind = MaskKind::prefix, .prefix = {4, 2, 6, 0}, .offset = 2}),
      pattern_case("M2 B3 T6 S6 H4 G2 K5 prefix shared by the models",
                   {2, 3, 6, 6, 4, 2, 5},
                   {.kind = MaskKind::prefix, .prefix = {0, 3, 6}}),
      pattern_case("M2 B2 T7 S7 H2 K4 lengths with an empty sequence",
                   {2, 2, 7, 7, 2, 2, 4},
                   {.lengths = {7, 0, 3, 1}}),
      pattern_case("M2 B2 T7 S7 H3 G1 K4 prefix and lengths",
                   {2, 2, 7, 7, 3, 1, 4},
                   {.kind = MaskKind::prefix, .lengths = {5, 7, 2, 6}, .prefix = {3, 2, 7, 0}}),
      pattern_case("M2 B4 T36 S36 H4 K12 parallel", {2, 4, 36, 36, 4, 4, 12})};
}

inline std::vector<Case> attention_mix_cases() {
  return {mix_case("M2 B2 T5 S5 H2 K3", {2, 2, 5, 5, 2, 2, 3}),
          mix_case("M2 B2 T3 S7 H4 G2 K5", {2, 2, 3, 7, 4, 2, 5}),
          mix_case("M2 B1 T20 S33 H2 G1 K17", {2, 1, 20, 33, 2, 1, 17}),
          mix_case("M2 B4 T36 S36 H4 K12 parallel", {2, 4, 36, 36, 4, 4, 12})};
}

}  // namespace sv::cases

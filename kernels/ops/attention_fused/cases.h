// Cases of attention_fused: the masks and heads of attention, more keys than one tile of a device.
#pragma once
#include "kernels/ops/attention/cases.h"
#include "kernels/ops/attention_fused/attention_fused.h"

namespace sv::cases {

/// o and stats of one row of a head, from row `row` of the pattern.
inline void fused_row(const AttentionDims& d,
                      const AttentionMasks& masks,
                      double scale,
                      const Arrays& in,
                      int64_t row,
                      Arrays& out) {
  const int64_t mb = row / (d.H * d.T), h = row / d.T % d.H, t = row % d.T, g = h / (d.H / d.G);
  Array p(static_cast<size_t>(d.S));
  attention_row(d, masks, scale, in, mb, h, t, p.data());
  double most = -INFINITY, sum = 0;
  const double* q = in[0].data() + (mb * d.T + t) * d.H * d.K + h * d.K;
  Array scores;
  for (int64_t s = 0; s < d.S; ++s) {
    if (attention_sees(masks, mb, t, s)) {
      const double* k = in[1].data() + (mb * d.S + s) * d.G * d.K + g * d.K;
      scores.push_back(scale * dot_heads(q, k, d.K));
      most = std::max(most, scores.back());
    }
  }
  for (const double score : scores) {
    sum += std::exp(score - most);
  }
  out[1][static_cast<size_t>(2 * row)] = scores.empty() ? 0 : most;
  out[1][static_cast<size_t>(2 * row + 1)] = scores.empty() ? 0 : 1 / sum;
  for (int64_t k = 0; k < d.K; ++k) {
    double mixed = 0;
    for (int64_t s = 0; s < d.S; ++s) {
      mixed += p[static_cast<size_t>(s)] * in[2][(mb * d.S + s) * d.G * d.K + g * d.K + k];
    }
    out[0][(mb * d.T + t) * d.H * d.K + h * d.K + k] = mixed;
  }
}

/// Inputs q, k, v and then the mask tensors that are used.
inline Case fused_case(const std::string& name, AttentionDims d, AttentionMasks masks = {}) {
  constexpr double kScale = 0.37;
  Case c = pattern_case(name, d, masks);  // q, k and the masks
  c.inputs.insert(c.inputs.begin() + 2, normal("v", {d.M, d.B, d.S, d.G * d.K}, 1.0, true));
  c.outputs = {{.name = "o", .shape = {d.M, d.B, d.T, d.H * d.K}, .rows = true},
               {.name = "stats", .shape = {d.M, d.B, d.H, d.T, 2}, .saved = true, .rows = true}};
  const bool padded = !masks.lengths.empty();
  const auto arguments = [=, kind = masks.kind, offset = masks.offset](const Tensors& in) {
    const ops::AttentionMask mask{kind,
                                  padded ? in[3] : Tensor{},
                                  kind == MaskKind::prefix ? in[padded ? 4 : 3] : Tensor{},
                                  offset};
    return ops::FusedAttention{
        in[0], in[1], in[2], mask, static_cast<int>(d.H), static_cast<int>(d.G), kScale};
  };
  c.run = [=](const Context& ctx, const Tensors& in, const Tensors& out) {
    ops::attention_fused(ctx, arguments(in), out[0], out[1]);
  };
  c.vjp = [=](const Context& ctx,
              const Tensors& in,
              const Tensors& out,
              const Tensors& dout,
              const Grads& din) {
    ops::attention_fused_vjp(ctx, arguments(in), out[0], out[1], dout[0], din[0], din[1], din[2]);
  };
  c.reference = [=](const Arrays& in, Arrays& out) {
    for (int64_t row = 0; row < d.M * d.B * d.H * d.T; ++row) {
      fused_row(d, masks, kScale, in, row, out);
    }
  };
  c.tolerance = {6e-6, 2e-14, "K products, one exp of 2 ulp, two sums of S terms"};
  const int64_t rows = d.M * d.B * d.H * d.T;
  c.flops = 4.0 * static_cast<double>(rows * d.S * d.K);
  c.bytes = 4.0 * static_cast<double>(2 * rows * (d.K + 1) + 2 * d.M * d.B * d.S * d.G * d.K);
  return c;
}

/// Values of the case representable in bf16, so that q k is exact and what bf16 costs is the
/// rounding of exp(score - largest) for the second product: half an ulp of 2^-8 in each weight.
inline Case fused_bf16_case(const std::string& name, AttentionDims d, AttentionMasks masks = {}) {
  Case c = fused_case(name, d, masks);
  for (size_t i = 0; i < 3; ++i) {
    for (double& x : c.inputs[i].values) {
      x = static_cast<double>(static_cast<float>(bf16(static_cast<float>(x))));
    }
  }
  const auto under = [](Context ctx) {
    ctx.precision = ctx.device ? Precision::bf16 : Precision::f32;
    return ctx;
  };
  c.run = [under, run = c.run](const Context& ctx, const Tensors& in, const Tensors& out) {
    run(under(ctx), in, out);
  };
  c.vjp = [under, vjp = c.vjp](const Context& ctx,
                               const Tensors& in,
                               const Tensors& out,
                               const Tensors& dout,
                               const Grads& din) { vjp(under(ctx), in, out, dout, din); };
  double largest = 0;
  for (const double v : c.inputs[2].values) {
    largest = std::max(largest, std::abs(v));
  }
  c.tolerance.f32 = largest / 512 + 1e-5;
  c.tolerance.reason = "weights of sum 1 in bf16: each off by 2^-9, so 2^-9 of the largest |v|";
  return c;
}

inline std::vector<Case> attention_fused_cases() {
  return {
      fused_case("M2 B2 T5 S5 H2 K3", {2, 2, 5, 5, 2, 2, 3}),
      fused_case("M2 B3 T6 S6 H2 K4 causal", {2, 3, 6, 6, 2, 2, 4}, {.kind = MaskKind::causal}),
      fused_case("M2 B2 T3 S7 H2 K4 causal with earlier keys",
                 {2, 2, 3, 7, 2, 2, 4},
                 {.kind = MaskKind::causal, .offset = 4}),
      fused_case("M2 B2 T2 S9 H2 K4 causal in a cache that is longer",
                 {2, 2, 2, 9, 2, 2, 4},
                 {.kind = MaskKind::causal, .lengths = {5, 9, 4, 6}, .offset = 3}),
      fused_case("M2 B2 T7 S5 H2 K4 causal, the first see nothing",
                 {2, 2, 7, 5, 2, 2, 4},
                 {.kind = MaskKind::causal, .offset = -2}),
      fused_case("M2 B2 T7 S7 H4 G2 K5 prefix and lengths, one empty",
                 {2, 2, 7, 7, 4, 2, 5},
                 {.kind = MaskKind::prefix, .lengths = {5, 7, 0, 6}, .prefix = {3, 2, 7, 0}}),
      fused_case("M2 B1 T70 S67 H2 G1 K6 prefix",
                 {2, 1, 70, 67, 2, 1, 6},
                 {.kind = MaskKind::prefix, .lengths = {66, 67}, .prefix = {40, 3}, .offset = -3}),
      fused_case("M2 B4 T36 S36 H4 K12 parallel", {2, 4, 36, 36, 4, 4, 12})};
}

}  // namespace sv::cases

// Shapes beyond those of the ops' cases, that only device kernels care about: rows of one warp and
// of a whole block, with and without 16 bytes at once, more rows than one partial sum has.
#pragma once
#include "kernels/ops/adamw/cases.h"
#include "kernels/ops/all_cases.h"
#include "kernels/ops/attention_fused/cases.h"
#include "kernels/ops/concat/cases.h"
#include "kernels/ops/embed/cases.h"
#include "kernels/ops/layernorm/cases.h"
#include "kernels/ops/linear_xent/cases.h"
#include "kernels/ops/matmul/cases.h"
#include "kernels/ops/readout_stats/cases.h"
#include "kernels/ops/reduce/cases.h"
#include "kernels/ops/rmsnorm/cases.h"
#include "kernels/ops/rope/cases.h"
#include "kernels/ops/rows/cases.h"
#include "kernels/ops/sigmoid_xent/cases.h"
#include "kernels/ops/silu_gate/cases.h"
#include "kernels/ops/softmax_xent/cases.h"
#include "kernels/ops/unfold/cases.h"

namespace sv::cases {

inline std::vector<Case> attention_shapes(const std::string& op) {
  if (op == "attention_pattern") {  // tiles on both sides; scores that wait in p; rows of 16 bytes
    return {pattern_case(
                "M2 B1 T70 S67 H2 G1 K6 prefix",
                {2, 1, 70, 67, 2, 1, 6},
                {.kind = MaskKind::prefix, .lengths = {66, 67}, .prefix = {40, 3}, .offset = -3}),
            pattern_case("M1 B1 T3 S600 H1 K36", {1, 1, 3, 600, 1, 1, 36}),
            pattern_case("M1 B2 T68 S72 H1 K8 causal",
                         {1, 2, 68, 72, 1, 1, 8},
                         {.kind = MaskKind::causal, .offset = 4}),
            pattern_case("M1 B1 T64 S400 H1 K4", {1, 1, 64, 400, 1, 1, 4})};
  }
  if (op == "attention_fused") {  // more than one tile of keys; heads over 64 wide
    return {
        fused_case("M1 B1 T12 S200 H2 G1 K8", {1, 1, 12, 200, 2, 1, 8}),
        fused_case(
            "M1 B1 T130 S130 H1 K4 causal", {1, 1, 130, 130, 1, 1, 4}, {.kind = MaskKind::causal}),
        fused_case("M2 B1 T37 S66 H1 K68 lengths", {2, 1, 37, 66, 1, 1, 68}, {.lengths = {66, 33}}),
        fused_bf16_case("bf16 M2 B2 T5 S5 H2 K3", {2, 2, 5, 5, 2, 2, 3}),
        fused_bf16_case(
            "bf16 M2 B2 T7 S7 H4 G2 K5 prefix and lengths, one empty",
            {2, 2, 7, 7, 4, 2, 5},
            {.kind = MaskKind::prefix, .lengths = {5, 7, 0, 6}, .prefix = {3, 2, 7, 0}}),
        fused_bf16_case("bf16 M1 B1 T70 S67 H2 G1 K32 causal",
                        {1, 1, 70, 67, 2, 1, 32},
                        {.kind = MaskKind::causal}),
        fused_bf16_case("bf16 M1 B1 T9 S100 H1 K60", {1, 1, 9, 100, 1, 1, 60})};
  }
  if (op == "attention_mix") {
    return {mix_case("M2 B1 T70 S67 H2 G1 K6", {2, 1, 70, 67, 2, 1, 6}),
            mix_case("M1 B1 T20 S72 H1 K132", {1, 1, 20, 72, 1, 1, 132})};
  }
  if (op == "embed") {  // more than one slot, more ids than threads scan, more than 32 columns
    return {embed_case("M2 B3 T300 V2 D5", {2, 3, 300}, 2, 3, 300, 2, 5),
            embed_case("M2 B1 T700 V600 D36 shared", {1, 1, 700}, 2, 1, 700, 600, 36)};
  }
  if (op == "rope") {
    return {rope_case("M2 B9 T7 H2 K64", {2, 9, 7, 128}, {2, 10000})};
  }
  return {};
}

inline std::vector<Case> device_shapes(const std::string& op) {
  if (op == "rmsnorm") {
    return {rmsnorm_case("M2 N9 D100", 2, 9, 100, true),
            rmsnorm_case("M2 N3 D1030", 2, 3, 1030, true),
            rmsnorm_case("M2 N3 D2048 no gain", 2, 3, 2048, false),
            rmsnorm_case("M2 N8300 D4", 2, 8300, 4, true),
            rmsnorm_case("M2 N1 D1", 2, 1, 1, true)};
  }
  if (op == "layernorm") {
    return {layernorm_case("M2 N9 D100", 2, 9, 100, false),
            layernorm_case("M2 N3 D1030", 2, 3, 1030, false),
            layernorm_case("M2 N3 D2048 plain", 2, 3, 2048, true)};
  }
  if (op == "silu_gate") {
    return {silu_gate_case("M2 N3 F100", 2, 3, 100), silu_gate_case("M2 N3 F1030", 2, 3, 1030)};
  }
  if (op == "concat") {
    return {concat_case("M2 N5 A5 C130", 2, 5, 5, 130),
            concat_case("M2 N3 A8 C1032", 2, 3, 8, 1032)};
  }
  if (op == "matmul") {
    std::vector<Case> list = {
        matmul_case("M2 N600 K36 O40 two sums of dw", {2, 600, 36, 40, false}),
        matmul_case("M2 N66 K64 O64 whole tiles", {2, 66, 64, 64, true})};
    for (const auto& [name, precision] :
         {std::pair{"tf32 ", Precision::tf32}, std::pair{"bf16 ", Precision::bf16}}) {
      const std::string text = name;
      list.push_back(matmul_mode_case(text + "M2 N1 K1 O1", {2, 1, 1, 1, true}, {precision}));
      list.push_back(
          matmul_mode_case(text + "M2 N5 K131 O67", {2, 5, 131, 67, false}, {precision}));
      list.push_back(
          matmul_mode_case(text + "M1 N530 K64 O64", {1, 530, 64, 64, false}, {precision}));
    }
    return list;
  }
  if (op == "reduce") {
    return {mean_positions_case("mean M2 B1 T3 D1100", {2, 1, 3, 1100}),
            state_case("state M2 B1 T400 D50", {2, 1, 400, 50}, false)};
  }
  if (op == "rows") {
    return {rows_case("gather M2 D1100", {2, 7, 1100}, 5, 2, true, Kind::real),
            rows_case("scatter M2 D1100", {2, 7, 1100}, 5, 1, false, Kind::i32)};
  }
  if (op == "adamw") {
    return {adamw_views_case("M1 of 70 parameters", 70, 3)};
  }
  if (op == "linear_xent") {
    return {linear_xent_case("M2 B2 T3 V20 D150", {{2, 2, 3, 20, 1, 1, 0.1}, 150, true})};
  }
  if (op == "softmax_xent") {
    return {softmax_xent_case("M2 B3 T3 V4", {2, 3, 3, 4, 2, 1, 2}),
            softmax_xent_case("M2 B3 T3 V48", {2, 3, 3, 48, 1, 2, 2}),
            softmax_xent_case("M2 B1 T3 V1030", {2, 1, 3, 1030, 1, 2, 2}),
            softmax_xent_case("M2 B300 T56 V1 two blocks of a loss", {2, 300, 56, 1, 1, 1, 1})};
  }
  if (op == "sigmoid_xent") {
    return {sigmoid_xent_case("M2 B16500 two blocks of a loss", 2, 16500, 1, 1)};
  }
  if (op == "unfold") {  // rows of a whole block, with and without 16 bytes at once
    return {unfold_case("M2 B1 3x3 D100 kernel 3", 2, 1, {3, 3, 3}, 100),
            unfold_case("M2 B1 T3 D1030 kernel 3", 2, 1, {1, 3, 3}, 1030),
            unfold_case("M1 B1 2x2 D1028 kernel 3", 1, 1, {2, 2, 3}, 1028)};
  }
  if (op == "readout_stats") {
    return {readout_case("M2 B2 T5 V1", {2, 2, 5, 1}, 1),
            readout_case("M2 B2 T5 V13", {2, 2, 5, 13}, 2),
            readout_case("M2 B1 T3 V64", {2, 1, 3, 64}, 2),
            readout_case("M2 B1 T3 V1030", {2, 1, 3, 1030}, 3)};
  }
  return attention_shapes(op);
}

/// The cases of an op, and its shapes for devices.
inline std::vector<Case> device_cases(const std::string& op) {
  std::vector<Case> list;
  for (const OpCases& entry : all_cases()) {
    if (entry.op == op) {
      list = entry.make();
    }
  }
  SV_CHECK(!list.empty(), "no op called ", op, " has cases");
  for (Case& c : device_shapes(op)) {
    list.push_back(std::move(c));
  }
  return list;
}

}  // namespace sv::cases

// Huginn (tomg-group-umd/huginn-0125, seal-rg/recurrent-pretraining) and Ouro (ByteDance/Ouro):
// looped language models in the safetensors of their authors. Matrices are [out, in].
#include <array>
#include <cmath>

#include "models/layouts/layout.h"

namespace sv {

namespace {

constexpr std::array<std::string_view, 3> kHuginnWrapped = {
    "_orig_mod.", "_original_module.", "module."};
constexpr std::array<std::string_view, 1> kOuroWrapped = {"_orig_mod."};

constexpr std::array kHuginnConfig = {ConfigKey{"rope_base", "model.rope_base"},
                                      ConfigKey{"mean_recurrence", "model.start_depth"}};
constexpr std::array kOuroConfig = {ConfigKey{"num_attention_heads", "model.heads"},
                                    ConfigKey{"rope_theta", "model.rope_base"},
                                    ConfigKey{"total_ut_steps", "depth.train"}};

std::string setting(const std::string& key, int64_t value) {
  return "model." + key + "=" + std::to_string(value);
}

// --- Huginn --------------------------------------------------------------------------------------

constexpr int64_t kHuginnPositions = 4096;  // rows of its table of angles

std::vector<std::string> told_by_huginn(const TensorShapes& shapes, const TaskSpec&) {
  const std::string core = "transformer.core_block.";
  return {setting("width", size_in(shapes, "transformer.wte.weight", 1)),
          setting("symbols", size_in(shapes, "transformer.wte.weight", 0)),
          setting("prelude", count_layers(shapes, "transformer.prelude.")),
          setting("layers", count_layers(shapes, core)),
          setting("coda", count_layers(shapes, "transformer.coda.")),
          setting("heads", size_in(shapes, core + "0.attn.qk_bias", 2)),
          setting("hidden", size_in(shapes, core + "0.mlp.proj.weight", 1))};
}

/// cos and sin of t base^(-2i/K), (1, 4096, 1, K/2, 2), which its checkpoints keep.
double huginn_angle(int64_t element, int64_t half, double base) {
  const int64_t t = element / (2 * half), i = element / 2 % half;
  const double angle =
      static_cast<double>(t) * std::pow(base, -static_cast<double>(i) / static_cast<double>(half));
  return element % 2 == 0 ? std::cos(angle) : std::sin(angle);
}

std::vector<LayoutTensor> huginn_tensors(const ModelSettings& s, const Params& params) {
  TensorList list(params);
  list.add("transformer.wte.weight", {"embed.tokens"});
  list.add_repeated("lm_head.weight", "embed.tokens");
  list.add("transformer.ln_f.weight", {"readout.norm.gain"});
  list.add("transformer.adapter.weight", {"inject.weight"});
  const int64_t head_width = s.width / s.heads, half = head_width / 2;
  const double base = s.rope_base;
  list.add_computed("freqs_cis", {1, kHuginnPositions, 1, half, 2}, [=](int64_t i) {
    return huginn_angle(i, half, base);
  });
  const auto add_blocks = [&](const std::string& theirs, const std::string& ours, int count) {
    for (int l = 0; l < count; ++l) {
      const std::string to = theirs + std::to_string(l) + ".";
      const std::string from = ours + std::to_string(l) + ".", attn = from + "attn.";
      list.add(to + "norm_1.weight", {from + "norm.attn_in.gain"});
      list.add(to + "norm_2.weight", {from + "norm.attn_out.gain"});
      list.add(to + "norm_3.weight", {from + "norm.mlp_in.gain"});
      list.add(to + "norm_4.weight", {from + "norm.mlp_out.gain"});
      list.add(to + "attn.Wqkv.weight", {attn + "q.weight", attn + "k.weight", attn + "v.weight"});
      list.add(
          to + "attn.qk_bias", {attn + "q.bias", attn + "k.bias"}, {2, 1, s.heads, head_width});
      list.add(to + "attn.proj.weight", {attn + "out.weight"});
      list.add(to + "mlp.fc.weight", {from + "mlp.up.weight"});
      list.add(to + "mlp.proj.weight", {from + "mlp.down.weight"});
    }
  };
  add_blocks("transformer.prelude.", "prelude.", s.prelude);
  add_blocks("transformer.core_block.", "core.", s.layers);
  add_blocks("transformer.coda.", "coda.", s.coda);
  return list.take();
}

bool fits_huginn(const ModelSettings& s) {
  return s.name == "recurrent_depth" && s.norm == "rmsnorm" && s.placement == "sandwich" &&
         s.mlp == "swiglu" && (s.kv_heads == 0 || s.kv_heads == s.heads) &&
         s.injection == "concat" && s.qk_bias && !s.qk_norm && s.positions == "rope" &&
         s.rope_pairs == "interleaved" && s.embedding_scale && s.tied_head && !s.input_norm &&
         !s.readout_map;
}

// --- Ouro ----------------------------------------------------------------------------------------

constexpr int64_t kOuroHeadWidth = 128;

std::vector<std::string> told_by_ouro(const TensorShapes& shapes, const TaskSpec&) {
  const int64_t width = size_in(shapes, "model.embed_tokens.weight", 1);
  std::vector<std::string> out = {
      setting("width", width),
      setting("symbols", size_in(shapes, "model.embed_tokens.weight", 0)),
      setting("layers", count_layers(shapes, "model.layers.")),
      setting("hidden", size_in(shapes, "model.layers.0.mlp.down_proj.weight", 1))};
  if (width % kOuroHeadWidth == 0) {  // config.json, if it is there, knows better
    out.push_back(setting("heads", width / kOuroHeadWidth));
  }
  return out;
}

std::vector<LayoutTensor> ouro_tensors(const ModelSettings& s, const Params& params) {
  TensorList list(params);
  list.add("model.embed_tokens.weight", {"embed.tokens"});
  list.add("lm_head.weight", {"readout.head.weight"});
  list.add("model.norm.weight", {"state_norm.gain"});
  list.add("model.early_exit_gate.weight", {"halt.weight"});
  list.add("model.early_exit_gate.bias", {"halt.bias"});
  for (int l = 0; l < s.layers; ++l) {
    const std::string to = "model.layers." + std::to_string(l) + ".";
    const std::string from = "core." + std::to_string(l) + ".";
    list.add(to + "self_attn.q_proj.weight", {from + "attn.q.weight"});
    list.add(to + "self_attn.k_proj.weight", {from + "attn.k.weight"});
    list.add(to + "self_attn.v_proj.weight", {from + "attn.v.weight"});
    list.add(to + "self_attn.o_proj.weight", {from + "attn.out.weight"});
    list.add_part(to + "mlp.gate_proj.weight", from + "mlp.up.weight", 0, 2);
    list.add_part(to + "mlp.up_proj.weight", from + "mlp.up.weight", 1, 2);
    list.add(to + "mlp.down_proj.weight", {from + "mlp.down.weight"});
    list.add(to + "input_layernorm.weight", {from + "norm.attn_in.gain"});
    list.add(to + "input_layernorm_2.weight", {from + "norm.attn_out.gain"});
    list.add(to + "post_attention_layernorm.weight", {from + "norm.mlp_in.gain"});
    list.add(to + "post_attention_layernorm_2.weight", {from + "norm.mlp_out.gain"});
  }
  return list.take();
}

bool fits_ouro(const ModelSettings& s) {
  return s.name == "exit_gate" && s.norm == "rmsnorm" && s.placement == "branch" &&
         s.mlp == "swiglu" && s.halt_head && s.gate == "token" && !s.tied_head && !s.qk_bias &&
         !s.qk_norm && !s.embedding_scale && s.positions == "rope" && s.rope_pairs == "half_split";
}

}  // namespace

Layout huginn_layout() {
  return {"huginn",
          "Huginn: prelude, looped core and coda with a tied head",
          "model.name=recurrent_depth model.mask=causal",
          kHuginnWrapped,
          kHuginnConfig,
          fits_huginn,
          told_by_huginn,
          huginn_tensors};
}

Layout ouro_layout() {
  return {"ouro",
          "Ouro: looped blocks with an exit gate",
          "model.name=exit_gate model.mask=causal",
          kOuroWrapped,
          kOuroConfig,
          fits_ouro,
          told_by_ouro,
          ouro_tensors};
}

}  // namespace sv

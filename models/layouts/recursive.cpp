// HRM (sapientinc/HRM), TRM (SamsungSAILMontreal/TinyRecursiveModels), URM (UbiquantAI/URM), RSM
// (navidivan/rsm) and EqR (locuslab/EqR): one state dict with small differences. Matrices are [out,
// in] without biases, norms have no parameters; q, k and v are one matrix, gate and up another.
#include <array>

#include "models/layouts/layout.h"

namespace sv {

namespace {

constexpr std::array<std::string_view, 2> kWrapped = {"_orig_mod.", "model.inner."};
constexpr std::array<std::string_view, 2> kModel = {"_orig_mod.", "model."};

#define SV_CONFIG_KEYS                                                             \
  ConfigKey{"hidden_size", "model.width"}, ConfigKey{"num_heads", "model.heads"},  \
      ConfigKey{"L_layers", "model.layers"}, ConfigKey{"L_cycles", "model.inner"}, \
      ConfigKey{"puzzle_emb_len", "model.prefix"}, ConfigKey {                     \
    "rope_theta", "model.rope_base"                                                \
  }
#define SV_SEGMENT_KEYS                                                                            \
  ConfigKey{"H_cycles", "depth.train"}, ConfigKey{"halt_max_steps", "train.segments"}, ConfigKey { \
    "halt_exploration_prob", "train.explore"                                                       \
  }

constexpr std::array kConfig = {SV_CONFIG_KEYS, SV_SEGMENT_KEYS};
constexpr std::array kEqrConfig = {SV_CONFIG_KEYS,
                                   SV_SEGMENT_KEYS,
                                   ConfigKey{"lambda_", "model.damping"},
                                   ConfigKey{"noise_scale", "model.noise"}};
constexpr std::array kRsmConfig = {SV_CONFIG_KEYS, ConfigKey{"H_cycles", "depth.train"}};
constexpr std::array kUrmConfig = {SV_CONFIG_KEYS};  // depth.train is H_cycles times L_cycles

// --- what the shapes tell ---

/// `mixers`: the project has models with an MLP over the positions too.
std::vector<std::string> told(const TensorShapes& shapes,
                              const TaskSpec& task,
                              const std::string& layers,
                              bool mixers = true) {
  std::vector<std::string> out;
  const auto set = [&](const std::string& key, int64_t value) {
    out.push_back("model." + key + "=" + std::to_string(value));
  };
  const auto has = [&](const std::string& name) { return shapes.contains(name); };
  const std::string first = layers + "0.";
  set("width", size_in(shapes, "embed_tokens.embedding_weight", 1));
  set("layers", count_layers(shapes, layers));
  set("hidden", size_in(shapes, first + "mlp.down_proj.weight", 1));
  // Theirs have as many rows for answers as for input symbols; ours need not.
  const int64_t symbols = size_in(shapes, "embed_tokens.embedding_weight", 0);
  const bool tied = !has("q_head.weight");
  if (symbols != task.vocab || (!tied && size_in(shapes, "lm_head.weight", 0) != task.answers)) {
    set("symbols", symbols);
  }
  if (task.name == "sudoku" && symbols == task.vocab + 1) {  // 0 pad, 1 blank, then the digits
    set("token_shift", 1);
    set("answer_shift", 2);
  }
  const bool puzzles = has("puzzle_emb.weights"), learned = has("embed_pos.embedding_weight");
  set("puzzles", puzzles ? size_in(shapes, "puzzle_emb.weights", 0) : 0);
  if (mixers && has(first + "mlp_t.down_proj.weight")) {
    out.emplace_back("model.mixer=tokens");
    out.emplace_back("model.positions=none");
    set("token_hidden", size_in(shapes, first + "mlp_t.down_proj.weight", 1));
    set("prefix", size_in(shapes, first + "mlp_t.down_proj.weight", 0) - task.positions);
  }
  if (learned) {
    out.emplace_back("model.positions=learned");
    set("prefix", size_in(shapes, "embed_pos.embedding_weight", 0) - task.positions);
  } else if (!puzzles && !has(first + "mlp_t.down_proj.weight")) {
    set("prefix", 0);
  }
  if (has(first + "mlp.dwconv.weight")) {
    set("conv", size_in(shapes, first + "mlp.dwconv.weight", 2));
  }
  return out;
}

std::vector<std::string> told_by_two_levels(const TensorShapes& shapes, const TaskSpec& task) {
  return told(shapes, task, "L_level.layers.", false);
}
std::vector<std::string> told_by_levels(const TensorShapes& shapes, const TaskSpec& task) {
  return told(shapes, task, "L_level.layers.");
}
std::vector<std::string> told_by_core(const TensorShapes& shapes, const TaskSpec& task) {
  return told(shapes, task, "core.layers.");
}
std::vector<std::string> told_by_layers(const TensorShapes& shapes, const TaskSpec& task) {
  return told(shapes, task, "layers.");
}

// --- tensors ---

void add_module(TensorList& list,
                const ModelSettings& s,
                const std::string& theirs,
                const std::string& ours) {
  for (int l = 0; l < s.layers; ++l) {
    const std::string to = theirs + std::to_string(l) + ".", from = ours + std::to_string(l) + ".";
    if (s.mixer == "tokens") {
      list.add(to + "mlp_t.gate_up_proj.weight", {from + "tokens.up.weight"});
      list.add(to + "mlp_t.down_proj.weight", {from + "tokens.down.weight"});
    } else {
      const std::string attn = from + "attn.";
      list.add(to + "self_attn.qkv_proj.weight",
               {attn + "q.weight", attn + "k.weight", attn + "v.weight"});
      list.add(to + "self_attn.o_proj.weight", {attn + "out.weight"});
    }
    list.add(to + "mlp.gate_up_proj.weight", {from + "mlp.up.weight"});
    list.add(to + "mlp.down_proj.weight", {from + "mlp.down.weight"});
    if (s.conv > 0) {
      std::vector<std::string> weights;
      for (int k = 0; k < s.conv; ++k) {
        weights.push_back(from + "mlp.conv.weight." + std::to_string(k));
      }
      list.add_columns(to + "mlp.dwconv.weight", weights, {s.hidden, 1, s.conv});
      list.add(to + "mlp.dwconv.bias", {from + "mlp.conv.bias"});
    }
  }
}

/// Everything around the modules.
void add_ends(TensorList& list, const ModelSettings& s) {
  list.add("embed_tokens.embedding_weight", {"embed.tokens"});
  if (s.tied_head) {
    list.add_repeated("lm_head.weight", "embed.tokens");
  } else {
    list.add("lm_head.weight", {"readout.head.weight"});
  }
  if (s.halt_head) {
    list.add("q_head.weight", {"halt.weight"});
    list.add("q_head.bias", {"halt.bias"});
  }
  if (s.puzzles > 0) {
    list.add("puzzle_emb.weights", {"embed.puzzles"});
  }
  if (s.positions == "learned") {
    list.add("embed_pos.embedding_weight", {"embed.positions"});
  }
}

std::vector<LayoutTensor> hrm_tensors(const ModelSettings& s, const Params& params) {
  TensorList list(params);
  add_ends(list, s);
  list.add("H_init", {"init.z_H"});
  list.add("L_init", {"init.z_L"});
  add_module(list, s, "H_level.layers.", "high.");
  add_module(list, s, "L_level.layers.", "low.");
  return list.take();
}

std::vector<LayoutTensor> trm_tensors(const ModelSettings& s, const Params& params) {
  TensorList list(params);
  add_ends(list, s);
  list.add("H_init", {"init.z_H"});
  list.add("L_init", {"init.z_L"});
  add_module(list, s, "L_level.layers.", "core.");
  return list.take();
}

std::vector<LayoutTensor> eqr_tensors(const ModelSettings& s, const Params& params) {
  TensorList list(params);
  add_ends(list, s);
  add_module(list, s, "L_level.layers.", "core.");
  return list.take();
}

std::vector<LayoutTensor> rsm_tensors(const ModelSettings& s, const Params& params) {
  TensorList list(params);
  add_ends(list, s);
  list.add("H_init", {"init.z_H"});
  list.add("L_init", {"init.z_L"});
  add_module(list, s, "core.layers.", "core.");
  return list.take();
}

std::vector<LayoutTensor> urm_tensors(const ModelSettings& s, const Params& params) {
  TensorList list(params);
  add_ends(list, s);
  list.add("init_hidden", {"init.h"});
  add_module(list, s, "layers.", "core.");
  return list.take();
}

// --- which models ---

/// What all five have in common.
bool fits(const ModelSettings& s, std::string_view family, std::string_view init) {
  return s.name == family && s.norm == "rms" && s.placement == "post" && s.mlp == "swiglu" &&
         (s.kv_heads == 0 || s.kv_heads == s.heads) && s.init == init;
}
bool fits_eqr(const ModelSettings& s) {
  return fits(s, "trm", "random") && s.states == 2 && s.halt_head && !s.tied_head && s.puzzles == 0;
}
bool fits_hrm(const ModelSettings& s) {
  return fits(s, "hrm", "fixed") && s.halt_head;
}
bool fits_rsm(const ModelSettings& s) {
  return fits(s, "trm", "fixed") && s.states == 2 && !s.halt_head && s.tied_head;
}
bool fits_trm(const ModelSettings& s) {
  return fits(s, "trm", "fixed") && s.states == 2 && s.halt_head && !s.tied_head && s.conv == 0;
}
bool fits_urm(const ModelSettings& s) {
  return fits(s, "trm", "fixed") && s.states == 1 && s.halt_head && !s.tied_head && s.conv > 0;
}

}  // namespace

Layout eqr_layout() {
  return {"eqr",
          "Equilibrium Reasoners: one module, damped and noisy, random starts",
          "model.name=trm model.heads=8 model.damping=0.95 model.noise=0.01 model.init=random "
          "model.prefix=0",
          kWrapped,
          kEqrConfig,
          fits_eqr,
          told_by_levels,
          eqr_tensors};
}

Layout hrm_layout() {
  return {"hrm",
          "Hierarchical Reasoning Model: two modules",
          "model.name=hrm model.heads=8",
          kWrapped,
          kConfig,
          fits_hrm,
          told_by_two_levels,
          hrm_tensors};
}

Layout rsm_layout() {
  return {"rsm",
          "Recursive Stem Model: tied readout, no halting head",
          "model.name=trm model.heads=8 model.halt_head=false model.tied_head=true "
          "model.token_norm=false model.prefix=0 train.segments=1",
          kModel,
          kRsmConfig,
          fits_rsm,
          told_by_core,
          rsm_tensors};
}

Layout trm_layout() {
  return {"trm",
          "Tiny Recursive Model: one module, attention or an MLP over positions",
          "model.name=trm model.heads=8",
          kWrapped,
          kConfig,
          fits_trm,
          told_by_levels,
          trm_tensors};
}

Layout urm_layout() {
  return {"urm",
          "Universal Reasoning Model: one state, convolution in the MLP",
          "model.name=trm model.heads=8 model.states=1 depth.train=12",
          kWrapped,
          kUrmConfig,
          fits_urm,
          told_by_layers,
          urm_tensors};
}

}  // namespace sv

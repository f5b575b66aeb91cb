// ModelSettings: every choice a reasoner of the zoo offers, listed once for parsing, --help,
// printing and hashing.
#pragma once
#include <string>
#include <vector>

#include "core/fields.h"

namespace sv {

struct ModelSettings {
  std::string name = "looped";
  int width = 64;
  int layers = 1;
  int heads = 4;
  int kv_heads = 0;
  int hidden = 0;
  std::string mlp = "swiglu";
  std::string norm = "rmsnorm";
  std::string placement = "pre";
  std::string injection = "add";
  std::vector<int> without_injection;
  std::string positions = "task";
  double rope_base = 10000;
  std::string mask = "task";
  int prelude = 0;
  int coda = 0;
  bool state_norm = true;
  std::string init = "zero";
  bool halt_head = false;
  int depth = 0;
  std::string match = "depth";
  std::string inner = "2";
  int states = 2;
  int prefix = 0;
  int puzzles = 0;
  std::string mixer = "attention";
  int token_hidden = 0;
  bool token_norm = true;
  int conv = 0;
  double damping = 1;
  double noise = 0;
  bool tied_head = false;
  int symbols = 0;
  int token_shift = 0;
  int answer_shift = 0;
  int dimensions = 0;
  std::string solver = "damped";
  int solver_memory = 5;
  int memory = 5;
  int neuron_hidden = 4;
  int pairs = 32;
  int recursions = 3;
  std::string routing = "expert";
  std::string cell = "block";
  int memory_tokens = 0;
  std::string signals = "none";
  double halt_bias = -3;
  double act_epsilon = 0.01;
  bool qk_bias = false;
  bool qk_norm = false;
  std::string rope_pairs = "half_split";
  bool embedding_scale = false;
  double init_scale = 1;
  int start_depth = 32;
  bool input_norm = false;
  bool readout_map = false;
  std::string gate = "token";

  template <class V>
  void fields(V& v) {
    block_fields(v);
    loop_fields(v);
    recursive_fields(v);
    halting_fields(v);
    other_fields(v);
  }
  /// What updates are made of.
  template <class V>
  void block_fields(V& v) {
    v("name", name, "which reasoner of the zoo; see `subvocal list models`");
    v("width", width, "D, width of the state", range(2, 8192), unit("channels"));
    v("layers", layers, "L, blocks per update", range(1, 64), unit("blocks"));
    v("heads", heads, "H, attention heads; divides width", range(1, 256), unit("heads"));
    v("kv_heads",
      kv_heads,
      "key/value heads; divides heads; 0 = heads",
      range(0, 256),
      unit("heads"));
    v("hidden",
      hidden,
      "F, hidden width of the MLP; 0 = 5/2 of width for swiglu, 4 of width otherwise",
      range(0, 65536),
      unit("channels"));
    v("mlp", mlp, "kind of MLP", one_of({"swiglu", "gelu", "relu_squared"}));
    v("norm",
      norm,
      "kind of norm; rms: rmsnorm without a gain",
      one_of({"rmsnorm", "layernorm", "rms"}));
    v("placement",
      placement,
      "where norms stand in a block: before, after the residual sum, both, or before and after the "
      "branch (branch)",
      one_of({"pre", "post", "sandwich", "branch"}));
    v("injection",
      injection,
      "how the input enters every update; decay: the state decays by a learned factor per channel",
      one_of({"none", "add", "concat", "gated", "decay"}));
    v("without_injection",
      without_injection,
      "seeds whose input enters at the first update only: the no-injection control in the same "
      "pack",
      range(0, 2147483647));
    v("positions",
      positions,
      "task: the task's own coordinates; learned; rope; none",
      one_of({"task", "learned", "rope", "none"}));
    v("rope_base", rope_base, "base of the rotary angles", range(1, 1e9));
    v("mask",
      mask,
      "attention mask; task: what the task suggests",
      one_of({"task", "bidirectional", "causal"}));
  }
  /// What stands around them.
  template <class V>
  void loop_fields(V& v) {
    v("prelude", prelude, "blocks before the loop", range(0, 64), unit("blocks"));
    v("coda", coda, "blocks after the loop, before the readout", range(0, 64), unit("blocks"));
    v("state_norm", state_norm, "normalise the state after every update");
    v("init",
      init,
      "h_0: zeros, the encoded input, noise keyed by seed (normal), one random vector a part that "
      "stands at every position (fixed), or noise of every row and position (random)",
      one_of({"zero", "input", "normal", "fixed", "random"}));
    v("halt_head",
      halt_head,
      "a linear halting score on the mean state (bias -3 at the start; hrm and trm: on position 0, "
      "bias -5)");
    v("depth",
      depth,
      "feedforward: number of untied updates; 0 = the largest training depth",
      range(0, 4096),
      unit("updates"));
    v("match",
      match,
      "feedforward: equal depth at equal width, or equal parameters at smaller width",
      one_of({"depth", "parameters"}));
  }
  /// Of recursive reasoners (hrm, trm) and their descendants.
  template <class V>
  void recursive_fields(V& v) {
    v("inner",
      inner,
      "updates of the inner state for one of the outer: 6, or growing with the training step, "
      "2@0,4@500,6@1000");
    v("states", states, "2: an inner and an outer state; 1: one (URM)", range(1, 2));
    v("prefix",
      prefix,
      "positions before the tokens'; they hold zeros, or the puzzle's embedding in the first",
      range(0, 256),
      unit("positions"));
    v("puzzles",
      puzzles,
      "rows of a table of puzzle embeddings, updated by signs of their gradients; the row's own "
      "stands at the first position of the prefix. Tasks that do not number their puzzles have "
      "one; "
      "0 = no table",
      range(0, 10'000'000));
    v("mixer",
      mixer,
      "what mixes positions: attention, or an MLP over them (tokens)",
      one_of({"attention", "tokens"}));
    v("token_hidden",
      token_hidden,
      "hidden width of the MLP over positions; 0 = 5/2 of the positions",
      range(0, 65536));
    v("token_norm",
      token_norm,
      "the norm behind an MLP over positions runs over them (TRM), not over the width (RSM)");
    v("conv",
      conv,
      "kernel of a convolution over positions in the MLP, for each hidden channel alone (URM: 2); "
      "0 = none",
      range(0, 16));
    v("damping",
      damping,
      "share of the new state in an update: h + damping (F(h) - h)",
      range(0.01, 1));
    v("noise", noise, "standard deviation of the noise added at every update", range(0, 10));
    v("tied_head", tied_head, "the readout's matrix is that of the token embedding");
    // Symbols of published checkpoints, which count more than a task has.
    v("symbols",
      symbols,
      "rows of the embedding and of the readout; 0 = as many as the task has",
      range(0, 65536));
    v("token_shift", token_shift, "row of the task's first input symbol", range(0, 65535));
    v("answer_shift", answer_shift, "row of the task's first answer", range(0, 65535));
  }
  /// Reasoners that learn when to halt (universal, ponder).
  template <class V>
  void halting_fields(V& v) {
    v("cell",
      cell,
      "what is iterated: transformer blocks over the positions, or a GRU cell over one vector for "
      "the whole row",
      one_of({"block", "gru"}));
    v("memory_tokens",
      memory_tokens,
      "learned positions before the tokens', which the readout drops",
      range(0, 256),
      unit("positions"));
    v("signals",
      signals,
      "sinusoids added to the state at every update: of the position, of the step, or of both",
      one_of({"none", "position", "step", "both"}));
    v("halt_bias",
      halt_bias,
      "bias of the halting score at the start; a negative one starts deep",
      range(-100, 100));
    v("act_epsilon",
      act_epsilon,
      "a position halts when its halting probabilities sum to more than 1 minus this",
      range(1e-6, 0.5));
    // Recurrent-depth language models (recurrent_depth, exit_gate) and their attention.
    v("qk_bias", qk_bias, "learned biases of queries and keys, added before rope (Huginn)");
    v("qk_norm", qk_norm, "queries and keys of every head are normalised, without a gain (Parcae)");
    v("rope_pairs",
      rope_pairs,
      "which channels of a head rope turns: i with i + half, or neighbours",
      one_of({"half_split", "interleaved"}));
    v("embedding_scale", embedding_scale, "token embeddings are multiplied by sqrt(width)");
    v("init_scale",
      init_scale,
      "init=random of recurrent_depth: factor of the standard deviation sqrt(2/5); 0 = zeros",
      range(0, 100));
    v("start_depth",
      start_depth,
      "mean depth that the start of output matrices reckons with: they shrink with the root of all "
      "blocks on the way (Huginn: 32)",
      range(1, 4096),
      unit("updates"));
    v("input_norm", input_norm, "a norm behind the prelude (Parcae)");
    v("readout_map", readout_map, "a matrix between the state and the coda (Parcae)");
    v("gate",
      gate,
      "exit_gate: a halting score for every token, or one of the mean state for the row",
      one_of({"token", "row"}));
  }
  template <class V>
  void other_fields(V& v) {
    // thought_machine
    v("memory", memory, "ticks of pre-activations that a neuron sees", range(2, 256));
    v("neuron_hidden", neuron_hidden, "hidden width of a neuron's own net", range(1, 256));
    v("pairs", pairs, "pairs of neurons whose synchronisation is read", range(1, 65536));
    // mixture_of_recursions
    v("recursions", recursions, "N, most passes of a token", range(1, 64), unit("passes"));
    v("routing",
      routing,
      "who chooses: every pass its tokens, or every token its passes",
      one_of({"expert", "token"}));
    // deq
    v("solver", solver, "how the next iterate is found", one_of({"damped", "anderson", "broyden"}));
    v("solver_memory",
      solver_memory,
      "iterates (anderson) or rank-one updates (broyden) that are remembered",
      range(1, 16));
    // deep_thinking
    v("dimensions",
      dimensions,
      "of the convolutions; 0: 2 if the task's positions are a square grid, else 1",
      range(0, 2));
  }
  /// Keys that the family does not read.
  void check(Problems& problems) const;
};

}  // namespace sv

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

  template <class V>
  void fields(V& v) {
    v("name", name, "which reasoner of the zoo; see `subvocal list models`");
    v("width", width, "D, width of the state", range(2, 4096), unit("channels"));
    v("layers", layers, "L, blocks per update", range(1, 64), unit("blocks"));
    v("heads", heads, "H, attention heads; divides width", range(1, 256), unit("heads"));
    v("kv_heads",
      kv_heads,
      "key/value heads; divides heads; 0 = heads",
      range(0, 256),
      unit("heads"));
    v("hidden",
      hidden,
      "F, hidden width of the MLP; 0 = 5/2 of width for swiglu, 4 of width for gelu",
      range(0, 65536),
      unit("channels"));
    v("mlp", mlp, "kind of MLP", one_of({"swiglu", "gelu"}));
    v("norm", norm, "kind of norm", one_of({"rmsnorm", "layernorm"}));
    v("placement",
      placement,
      "where norms stand in a block: before, after the residual sum, or both",
      one_of({"pre", "post", "sandwich"}));
    v("injection",
      injection,
      "how the input enters every update",
      one_of({"none", "add", "concat", "gated"}));
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
    v("prelude", prelude, "blocks before the loop", range(0, 64), unit("blocks"));
    v("coda", coda, "blocks after the loop, before the readout", range(0, 64), unit("blocks"));
    v("state_norm", state_norm, "normalise the state after every update");
    v("init",
      init,
      "h_0: zeros, the encoded input, or noise keyed by seed",
      one_of({"zero", "input", "normal"}));
    v("halt_head", halt_head, "a linear halting score on the mean state (bias -3 at the start)");
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
  /// Keys that the family does not read.
  void check(Problems& problems) const;
};

}  // namespace sv

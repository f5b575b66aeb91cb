// Settings of the measuring commands, listed once each, and the help text of every command's keys.
#pragma once
#include <string>
#include <vector>

#include "core/fields.h"
#include "experiments/spec.h"

namespace sv::cli {

/// What may be changed when a finished run is evaluated: on which data, how deep, when rows halt.
struct EvalKeys {
  std::string task;  // empty: the run's own
  DataSettings data;
  std::vector<int> depth_test;
  HaltSettings halt;
  bool untrained = false;
  int breadth = 1;
  int window = 3;

  template <class V>
  void fields(V& v) {
    v("task", task, "evaluate on another task of the same symbols (empty: the run's own)");
    v.group("data", data);
    v("depth.test",
      depth_test,
      "periods at which the model is read out; empty: the run's own",
      range(1, 1e6),
      unit("periods"));
    v.group("halt", halt);
    v("untrained", untrained, "evaluate the untrained model instead: a null");
    v("breadth",
      breadth,
      "runs of every example, from which one is chosen without the answer; for models with random "
      "starts or noise, at the largest of depth.test",
      range(1, 4096),
      unit("runs"));
    v("window",
      window,
      "breadth: last periods over which the residual of a run is averaged",
      range(1, 1e6),
      unit("periods"));
  }
};

/// Which model of the pack is exported.
struct ExportKeys {
  int seed = -1;

  template <class V>
  void fields(V& v) {
    v("seed", seed, "seed of the model; -1: the only one of the run", range(-1, 2147483647));
  }
};

/// How held-out questions are answered in writing.
struct GenerateKeys {
  int examples = 64;
  int shown = 3;
  int depth = 0;
  std::string cache = "per_loop";
  double temperature = 0;

  template <class V>
  void fields(V& v) {
    v("examples", examples, "held-out questions", range(1, 1e6), unit("examples"));
    v("shown", shown, "of them, printed in full", range(0, 1e6), unit("examples"));
    v("depth",
      depth,
      "for every position; 0 = the deepest of training",
      range(0, 1e6),
      unit("periods"));
    v("cache",
      cache,
      "which loops share keys and values of earlier positions: per_loop (exact), last, first, "
      "modulo:N or anchor:N");
    v("temperature", temperature, "0 = the likeliest symbol; else draws", range(0, 100));
  }
};

struct CollectKeys {
  std::string sites = "loop.*.state_out";
  int examples = 256;
  int depth = 0;
  std::string dtype = "f32";

  template <class V>
  void fields(V& v) {
    v("sites", sites, "tap addresses, separated by ';', with globs");
    v("examples", examples, "held-out examples", range(1, 1e6), unit("examples"));
    v("depth",
      depth,
      "periods to run; 0 = four times the training maximum",
      range(0, 1e6),
      unit("periods"));
    v("dtype", dtype, "stored element type", one_of({"f32", "bf16"}));
  }
};

struct LensKeys {
  int examples = 8;
  int depth = 0;

  template <class V>
  void fields(V& v) {
    v("examples",
      examples,
      "held-out examples kept for the picture, the hardest first",
      range(1, 256),
      unit("examples"));
    v("depth",
      depth,
      "periods to run; 0 = four times the training maximum",
      range(0, 4096),
      unit("periods"));
  }
};

struct ProbeKeys {
  std::string target;
  std::string site = "loop.*.state_out";
  int examples = 1024;
  int depth = 0;
  double train_share = 0.7;
  double ridge = 1e-3;

  template <class V>
  void fields(V& v) {
    v("target", target, "named truth, or group of truths, of the task; empty: the first group");
    v("site", site, "tap address inside the loop");
    v("examples",
      examples,
      "held-out examples, split again into probe training and probe test",
      range(8, 1e6),
      unit("examples"));
    v("depth",
      depth,
      "periods to run; 0 = four times the training maximum",
      range(0, 4096),
      unit("periods"));
    v("train_share", train_share, "share of the examples the probe is fitted on", range(0.1, 0.9));
    v("ridge", ridge, "ridge penalty, in units of rows x mean variance", range(0, 1e9));
  }
};

struct PatchKeys {
  std::string mode = "at,window,clamp";
  std::string site = "loop.*.state_out";
  int window = 2;
  int pairs = 64;
  int depth = 0;

  template <class V>
  void fields(V& v) {
    v("mode", mode, "which of at, window and clamp, separated by commas");
    v("site", site, "tap address inside the loop");
    v("window", window, "updates of a window", range(1, 4096), unit("updates"));
    v("pairs",
      pairs,
      "pairs of a held-out example and its counterfactual",
      range(1, 65536),
      unit("pairs"));
    v("depth",
      depth,
      "periods to run; 0 = twice the training maximum",
      range(0, 4096),
      unit("periods"));
  }
};

struct DynamicsKeys {
  int examples = 256;
  int trajectories = 8;
  int depth = 0;

  template <class V>
  void fields(V& v) {
    v("examples", examples, "held-out examples", range(1, 1e6), unit("examples"));
    v("trajectories",
      trajectories,
      "examples whose state is drawn in two dimensions",
      range(1, 256),
      unit("examples"));
    v("depth",
      depth,
      "periods to run; 0 = eight times the training maximum",
      range(0, 4096),
      unit("periods"));
  }
};

/// Shape of a timed op (kernels/ops/sized_case.h); the defaults are the demo's.
struct OpKeys {
  int M = 5, B = 64, T = 36, d = 48, out = 48, heads = 4, hidden = 128, vocab = 10;
  std::string dtype = "f32";

  template <class V>
  void fields(V& v) {
    v("M", M, "models in the pack", range(1, 65536));
    v("B", B, "sequences", range(1, 65536));
    v("T", T, "positions", range(1, 65536));
    v("d", d, "D, width", range(1, 65536));
    v("out", out, "columns of matmul's result, rows of adamw's matrix", range(1, 65536));
    v("heads", heads, "H, attention heads; divides d", range(1, 65536));
    v("hidden", hidden, "F, hidden width of the MLP", range(1, 65536));
    v("vocab", vocab, "V, symbols", range(1, 65536));
    v("dtype", dtype, "element type", one_of({"f32", "f64"}));
  }
};

/// Shape of a timed model.
struct ModelKeys {
  int M = 5, B = 64, T = 36, d = 48, layers = 1, hidden = 128, heads = 4;
  int loops = 0;

  template <class V>
  void fields(V& v) {
    v("M", M, "models in the pack", range(1, 1024));
    v("B", B, "sequences", range(1, 4096));
    v("T", T, "positions; enough for B different sequences", range(16, 1024));
    v("d", d, "D, width", range(2, 4096));
    v("layers", layers, "L, blocks per update", range(1, 64));
    v("hidden", hidden, "F, hidden width of the MLP", range(1, 65536));
    v("heads", heads, "H, attention heads; divides d", range(1, 256));
    v("loops",
      loops,
      "iterations of a step or of the run that is divided; 0 = 8 for train, 64 for iteration",
      range(0, 65536));
  }
};

/// Table of the keys of a command, or an empty text.
std::string keys_help(const std::string& command);

}  // namespace sv::cli

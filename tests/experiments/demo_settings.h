// A settings struct of the size and the names of the real ones, for tests of settings.
#pragma once
#include "core/fields.h"

namespace sv {

struct DemoModel {
  std::string name = "looped";
  int width = 64, heads = 4, layers = 2;
  std::string injection = "add";
  template <class V>
  void fields(V& v) {
    v("name", name, "model of the zoo", one_of({"looped", "feedforward"}));
    v("width", width, "width of the state", range(1, 4096), unit("channels"));
    v("heads", heads, "attention heads", range(1, 64));
    v("layers", layers, "layers per update", range(1, 64));
    v("injection", injection, "how the input enters", one_of({"none", "add", "concat", "gated"}));
  }
  void check(Problems& p) const {
    if (width % heads != 0) {
      p.add("heads", "must divide model.width = " + std::to_string(width));
    }
  }
};

struct DemoTrain {
  int steps = 1000, batch = 64, warmup = 20, checkpoint_every = 100;
  double lr = 3e-3, weight_decay = 0.1, ema_decay = 0.99;
  std::string schedule = "cosine";
  bool last_only = false;
  template <class V>
  void fields(V& v) {
    v("steps", steps, "optimiser steps", range(1, 1e9), unit("steps"));
    v("batch", batch, "examples per step and model", range(1, 65536), unit("examples"));
    v("warmup", warmup, "steps of linear warm-up", range(0, 1e9), unit("steps"));
    v("checkpoint_every",
      checkpoint_every,
      "steps between checkpoints",
      range(1, 1e9),
      unit("steps"));
    v("lr", lr, "peak learning rate", range(0, 1));
    v("weight_decay", weight_decay, "decoupled weight decay", range(0, 10));
    v("ema_decay", ema_decay, "decay of the weight average", range(0, 1));
    v("schedule", schedule, "learning-rate law", one_of({"constant", "linear", "cosine"}));
    v("last_only", last_only, "loss on the last read-out only");
  }
};

struct DemoSettings {
  std::string task = "sudoku";
  std::vector<int> seeds{1, 2, 3, 4};
  std::vector<int> depth_train{2, 3, 4}, depth_test{1, 2, 4, 8};
  std::string halt_rule = "none";
  double halt_threshold = 0.01;
  int threads = 2;
  DemoModel model;
  DemoTrain train;
  template <class V>
  void fields(V& v) {
    v("task", task, "what is learned", one_of({"sudoku", "linked_list", "addition"}));
    v("seeds", seeds, "one model each", range(0, 1e9), items(1, 64));
    v.group("model", model);
    v.group("train", train);
    v("depth.train", depth_train, "loops in training", range(1, 1e6), items(1, 1000));
    v("depth.test", depth_test, "loops in the test", range(1, 1e6), items(1, 1000));
    v("halt.rule", halt_rule, "when to stop", one_of({"none", "change", "entropy"}));
    v("halt.threshold", halt_threshold, "stop below", range(0, 100));
    v("threads", threads, "worker threads", range(1, 1024), outside_digest());
  }
};

}  // namespace sv

// TrainSettings and DepthSettings: how a pack is trained, listed once.
#pragma once
#include <string>
#include <vector>

#include "core/fields.h"
#include "kernels/memory/context.h"
#include "models/depth.h"
#include "models/strategies.h"
#include "models/train/optimiser.h"

namespace sv {

/// Names of models/train/objective.h, for the setting `supervision`.
std::vector<std::string> objective_names();

struct TrainSettings {
  int steps = 950;
  int batch = 64;
  std::string optimiser = "adamw";
  double lr = 3e-3;
  int warmup = 100;
  double decay = 0.4;
  double floor = 0.02;
  double weight_decay = 0.01;
  double beta1 = 0.9;
  double beta2 = 0.95;
  double clip = 1.0;
  double ema = 0;
  double embedding_lr = 1e-2;
  double embedding_weight_decay = 0.1;
  std::string supervision = "last";
  std::string loss = "softmax";
  std::string gradient = "full";
  double reach_back = 0;
  std::string precision = "f32";
  double halt_weight = 0.5;
  std::string prior = "geometric";
  double prior_rate = 0.2;
  double kl_weight = 0.01;
  int gate_only = 0;
  double penalty = 0.01;
  double progressive = 1;
  int segments = 1;
  double explore = 0.1;
  int log_every = 10;
  int checkpoint_every = 200;
  std::string plant_nan;

  template <class V>
  void fields(V& v) {
    optimiser_fields(v);
    objective_fields(v);
    record_fields(v);
  }
  template <class V>
  void optimiser_fields(V& v) {
    v("steps", steps, "optimiser steps", range(1, 1e8), unit("steps"));
    v("batch",
      batch,
      "effective batch of each model of the pack",
      range(1, 65536),
      unit("examples"));
    v("optimiser",
      optimiser,
      "what updates the weights; on a device adamw alone",
      one_of(optimiser_names()));
    v("lr", lr, "peak learning rate", range(0, 1));
    v("warmup", warmup, "linear warm-up", range(0, 1e6), unit("steps"));
    v("decay",
      decay,
      "share of the run, at its end, over which lr falls linearly to `floor` of itself",
      range(0, 1));
    v("floor", floor, "share of lr left at the end", range(0, 1));
    v("weight_decay", weight_decay, "decoupled, on matrices only", range(0, 10));
    v("beta1", beta1, "first moment of adamw and adam_atan2, momentum of sgd", range(0, 0.9999));
    v("beta2", beta2, "second moment of adamw and adam_atan2", range(0, 0.99999));
    v("clip", clip, "gradient norm of each model is cut at this; 0 = no clipping", range(0, 1e6));
    v("ema", ema, "decay of the weight average used for evaluation; 0 = none", range(0, 0.99999));
    v("embedding_lr",
      embedding_lr,
      "peak learning rate of tables that are updated by signs (embeddings of single puzzles)",
      range(0, 1));
    v("embedding_weight_decay",
      embedding_weight_decay,
      "decoupled, on the rows of such tables that were used",
      range(0, 10));
  }
  template <class V>
  void objective_fields(V& v) {
    v("supervision",
      supervision,
      "what the readouts of a run are worth; see `subvocal list objectives`",
      one_of(objective_names()));
    v("loss",
      loss,
      "of one answer: cross-entropy of softmax, or of stablemax (HRM, TRM)",
      one_of({"softmax", "stablemax"}));
    v("gradient",
      gradient,
      "full, last:K (updates), one_step (the last update of every part), round (the last round of "
      "nested updates), implicit:K (of a fixed point, K iterations), or checkpoint:C");
    v("reach_back",
      reach_back,
      "gradient=round: chance that a step's gradient goes one update further back (RSM: 0.01)",
      range(0, 1));
    v("precision",
      precision,
      "of matrix products on a device: f32, or on tensor cores tf32 or bf16 with f32 sums; the CPU "
      "has f32 alone",
      one_of({"f32", "tf32", "bf16"}));
    v("halt_weight",
      halt_weight,
      "weight of the halting loss, for models with a halting head",
      range(0, 100));
    v("prior",
      prior,
      "supervision=expected: what the distribution of the halting update is drawn to, a truncated "
      "geometric one (PonderNet) or a uniform one (Ouro)",
      one_of({"geometric", "uniform"}));
    v("prior_rate",
      prior_rate,
      "prior=geometric: chance to halt at an update; 1/prior_rate are expected",
      range(1e-4, 0.9999));
    v("kl_weight",
      kl_weight,
      "supervision=expected: weight of the divergence from the prior",
      range(0, 100));
    v("gate_only",
      gate_only,
      "from this step on all but the halting score is frozen, and it learns whether a further loop "
      "improves the answers (Ouro's second stage); 0 = never",
      range(0, 1e8));
    v("penalty",
      penalty,
      "weight of the model's own cost (the ponder cost of adaptive computation time)",
      range(0, 100));
    v("progressive",
      progressive,
      "supervision=progressive: share of the loss of the run that begins without gradient",
      range(0, 1));
    v("segments",
      segments,
      "most runs over one example, each an optimiser step that starts where the last one ended; a "
      "row that halts or has made all takes a new example",
      range(1, 4096),
      unit("segments"));
    v("explore",
      explore,
      "segments: chance that a row must make at least 2..segments before it may halt",
      range(0, 1));
  }
  /// What a run leaves behind, and planted faults.
  template <class V>
  void record_fields(V& v) {
    v("log_every",
      log_every,
      "a metrics line every so many steps",
      range(1, 1e6),
      unit("steps"),
      outside_digest());
    v("checkpoint_every",
      checkpoint_every,
      "a checkpoint every so many steps; 0 = only at the end",
      range(0, 1e8),
      unit("steps"),
      outside_digest());
    v("plant_nan",
      plant_nan,
      "fault injection, seed:step:site with a site, param.NAME or grad.NAME; empty = none");
  }
  void check(Problems& p) const;
};

/// "full" · "last:4" · "one_step" · "round" · "checkpoint:8"; throws with the forms on anything
/// else.
Gradient parse_gradient(const std::string& text);
/// What the settings' matrix products are computed with. Refuses tf32 and bf16 on the CPU, which
/// is where `device` is null.
Precision precision_of(const TrainSettings& settings, const Device* device);

struct DepthSettings {
  std::string train = "2..4";
  std::vector<int> test = {1, 2, 3, 4, 5, 6, 8, 12, 16, 24, 32};

  template <class V>
  void fields(V& v) {
    v("train",
      train,
      "periods per training step: 4, 2..4 (uniform), 1,2,4 (one of), poisson:8, or growing, "
      "2@0,4@500 (4 from step 500 on)");
    v("test",
      test,
      "periods at which the model is read out; a list or 1..32",
      range(1, 1e6),
      unit("periods"));
  }
  void check(Problems& p) const;
};

/// The rules of Halt::Kind, in its order.
inline const std::vector<std::string> kHaltRules = {"none",
                                                    "change",
                                                    "divergence",
                                                    "entropy",
                                                    "learned",
                                                    "sample",
                                                    "cdf",
                                                    "patience",
                                                    "confident",
                                                    "oracle"};

struct HaltSettings {
  std::string rule = "none";
  double threshold = 0;
  int min_depth = 1;
  int every = 1;

  template <class V>
  void fields(V& v) {
    v("rule", rule, "when a row stops at evaluation", one_of(kHaltRules));
    v("threshold",
      threshold,
      "the rule's bound; 0 = the rule's default (change 0.03, divergence and entropy 1e-3, learned "
      "0, cdf 0.5, patience 5 checks, oracle 1 period per unit of difficulty; sample and confident "
      "have none)",
      range(-100, 100));
    v("min_depth", min_depth, "no row stops before this", range(1, 1e6), unit("periods"));
    v("every",
      every,
      "from check to check, for models whose segments are several periods",
      range(1, 1e6),
      unit("periods"));
  }
  void check(Problems& p) const;
};
Halt make_halt(const HaltSettings&);

}  // namespace sv

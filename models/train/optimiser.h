// Optimiser: AdamW, Adam-atan2 or SGD with per-model gradient clipping, warm-up, linear decay and
// an optional weight average. It trains any Params: a reasoner, a probe, a lens, a small MLP. Its
// state lives where they do. Parameters marked `sparse_sign` are updated by the signs of their
// gradients instead, whatever the kind: only rows with a gradient, at a learning rate and weight
// decay of their own. A device has AdamW alone. Formulas: kernels/ops/adamw, adam_atan2 and sgd.
#pragma once
#include <string>
#include <vector>

#include "kernels/memory/context.h"
#include "kernels/ops/adamw/adamw.h"
#include "kernels/ops/sgd/sgd.h"
#include "models/params.h"

namespace sv {

enum class OptimiserKind : uint8_t { adamw, adam_atan2, sgd };
/// In the order of the kinds.
const std::vector<std::string>& optimiser_names();
/// Throws on a name that is none, with the nearest.
OptimiserKind parse_optimiser(const std::string& name);

struct OptimiserSettings {
  OptimiserKind kind = OptimiserKind::adamw;
  double lr = 3e-3;
  double beta1 = 0.9;   // of sgd: the momentum
  double beta2 = 0.95;  // not read by sgd
  double eps = 1e-8;
  double weight_decay = 0.01;
  double clip = 1.0;           // 0 = none
  double ema = 0;              // 0 = none
  int warmup = 0;              // steps
  int steps = 0;               // of the whole run, for the decay; 0 = constant after the warm-up
  double decay = 0;            // share of the run over which lr falls
  double floor = 0;            // share of lr left at the end
  double embedding_lr = 1e-2;  // of sparse_sign parameters, with the schedule of lr
  double embedding_weight_decay = 0.1;

  /// Share of the peak learning rate at step 0, 1, ...
  double share_at(int64_t step) const;
  double lr_at(int64_t step) const { return lr * share_at(step); }
};

class Optimiser {
 public:
  /// Throws if the parameters lie on a device that cannot update them.
  Optimiser(Params& params, const OptimiserSettings& settings);

  /// Measures the gradient of each live model, over all parameters in their order, for clipping.
  /// What step() needs of it stays where the gradient is; for the host it is on its way.
  void measure(const Context& ctx);
  /// Norms (M) before clipping, after measure() and finish_copies(); 0 for models that were not
  /// measured.
  std::span<const double> grad_norm();
  /// One step for the models of ctx with the gradients in Params; call measure() first. `step`
  /// counts from 0.
  void step(const Context& ctx, int64_t step);
  /// Exchanges weights and their average, for evaluation and back; nothing if there is no average.
  void swap_average();

  struct Moments {
    // Each (M, ...) like the parameter, whatever the kind; average empty without ema. sgd keeps its
    // velocity in `first`.
    Buffer first, second, average;
  };
  std::vector<Moments>& moments() { return moments_; }
  const std::vector<Moments>& moments() const { return moments_; }
  const OptimiserSettings& settings() const { return settings_; }

 private:
  ops::AdamWStep adam_step(int64_t step) const;
  /// Sorts the parameters into the lists of the ops.
  void list_parameters();

  Params& params_;
  OptimiserSettings settings_;
  std::vector<Moments> moments_;
  Buffer squares_;                 // f64 (M), where the gradients are
  Buffer seen_squares_;            // f64 (M), their copy on the host of a device
  std::vector<double> grad_norm_;  // (M)
  std::vector<double> lr_;         // (M)
  std::vector<double> scale_;      // (M), of sgd, which knows no squares
  // Lists for the ops, kept so that a step allocates nothing.
  std::vector<Tensor> grads_;
  std::vector<ops::AdamWTensors> adam_;
  std::vector<ops::SgdTensors> descended_, signed_;
};

}  // namespace sv

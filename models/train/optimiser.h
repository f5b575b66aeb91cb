// Optimiser: AdamW with per-model gradient clipping, warm-up, linear decay and an optional weight
// average. It trains any Params: a reasoner, a probe, a lens, a small MLP. Its state lives where
// they do.
#pragma once
#include <vector>

#include "kernels/memory/context.h"
#include "kernels/ops/adamw/adamw.h"
#include "models/params.h"

namespace sv {

struct OptimiserSettings {
  double lr = 3e-3;
  double beta1 = 0.9;
  double beta2 = 0.95;
  double eps = 1e-8;
  double weight_decay = 0.01;
  double clip = 1.0;  // 0 = none
  double ema = 0;     // 0 = none
  int warmup = 0;     // steps
  int steps = 0;      // of the whole run, for the decay; 0 = constant after the warm-up
  double decay = 0;   // share of the run over which lr falls
  double floor = 0;   // share of lr left at the end

  /// Learning rate of step 0, 1, ...
  double lr_at(int64_t step) const;
};

class Optimiser {
 public:
  Optimiser(Params& params, const OptimiserSettings& settings);

  /// Norm of the gradient of each live model (M), over all parameters in their order, before
  /// clipping.
  void measure(const Context& ctx);
  std::span<const double> grad_norm() const { return grad_norm_; }
  /// One step for the models of ctx with the gradients in Params; call measure() first. `step`
  /// counts from 0.
  void step(const Context& ctx, int64_t step);
  /// Exchanges weights and their average, for evaluation and back; nothing if there is no average.
  void swap_average();

  struct Moments {
    Buffer first, second, average;  // each (M, ...) like the parameter; average empty without ema
  };
  std::vector<Moments>& moments() { return moments_; }
  const std::vector<Moments>& moments() const { return moments_; }
  const OptimiserSettings& settings() const { return settings_; }

 private:
  Params& params_;
  OptimiserSettings settings_;
  std::vector<Moments> moments_;
  Buffer squares_;                 // f64 (M)
  std::vector<double> grad_norm_;  // (M)
  std::vector<double> lr_;         // (M)
  std::vector<double> scale_;      // (M)
  // Lists for the ops, kept so that a step allocates nothing.
  std::vector<Tensor> grads_;
  std::vector<ops::AdamWTensors> updated_;
};

}  // namespace sv

#include "models/train/trainer.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "kernels/autograd/ops.h"
#include "kernels/ops/readout_stats/readout_stats.h"
#include "models/train/watchdog.h"

namespace sv {

OptimiserSettings optimiser_settings(const TrainSettings& s) {
  OptimiserSettings o;
  o.lr = s.lr;
  o.beta1 = s.beta1;
  o.beta2 = s.beta2;
  o.weight_decay = s.weight_decay;
  o.clip = s.clip;
  o.ema = s.ema;
  o.warmup = s.warmup;
  o.steps = s.steps;
  o.decay = s.decay;
  o.floor = s.floor;
  return o;
}

Trainer::Trainer(Reasoner& model,
                 const Dataset& data,
                 const TrainSettings& settings,
                 const Depth& depth,
                 int threads)
    : model_(model),
      data_(data),
      settings_(settings),
      optimiser_(model.params(), optimiser_settings(settings)),
      arena_(size_t{64} << 20),
      threads_(threads) {
  const auto models = static_cast<size_t>(model.models());
  plan_.depth = depth;
  plan_.gradient = parse_gradient(settings.gradient);
  plan_.save.readouts =
      settings.supervision == "every" ? SaveAt::Readouts::every : SaveAt::Readouts::last;
  stats_ = {std::vector<double>(models, 0),
            std::vector<double>(models, 0),
            std::vector<double>(models, 0),
            std::vector<double>(models, 0)};
  loss_now_.assign(models, 0);
  healthy_.resize(models);
  std::iota(healthy_.begin(), healthy_.end(), 0);
}

Context Trainer::context() {
  Context ctx{&arena_, threads_, {}};
  if (healthy_.size() < static_cast<size_t>(model_.models())) {
    ctx.models = healthy_;
  }
  return ctx;
}

Inputs Trainer::load(const Batch& batch) {
  const auto host = [&](const std::vector<int32_t>& values, const Shape& shape) {
    Tensor x = make_tensor(arena_, shape, DType::i32);
    SV_CHECK_EQ(static_cast<int64_t>(values.size()), shape.numel());
    std::copy(values.begin(), values.end(), x.as<int32_t>());
    return x;
  };
  Inputs in;
  in.tokens = host(batch.tokens, {batch.models, batch.size, batch.positions});
  const bool padded = std::any_of(
      batch.lengths.begin(), batch.lengths.end(), [&](int32_t n) { return n < batch.positions; });
  // Whether a mask is applied must not depend on which examples were drawn for the neighbours: a
  // mask that hides nothing gives the same bits as none (a law of the attention op).
  if (padded) {
    in.lengths = host(batch.lengths, {batch.models, batch.size});
  }
  return in;
}

/// The loss of one readout: mean over the scored answers of each model, divided over updates if
/// every one is read out.
Var Trainer::supervise(Tape& tape, const Readout& y, const Batch& batch) {
  const DType dtype = model_.params().dtype();
  const int models = model_.models();
  const Shape rows{models, batch.size, batch.positions};
  const Tensor targets = make_tensor(arena_, rows, DType::i32);
  const Tensor weight = make_tensor(arena_, rows, dtype);
  const int64_t per_model = static_cast<int64_t>(batch.size) * batch.positions;
  for (int m = 0; m < models; ++m) {
    int32_t* row = targets.as<int32_t>() + m * per_model;
    int64_t scored = 0;
    for (int b = 0; b < batch.size; ++b) {
      const int32_t* from = batch.target(m, b, y.r);
      std::copy_n(from, batch.positions, row + static_cast<int64_t>(b) * batch.positions);
    }
    for (int64_t i = 0; i < per_model; ++i) {
      scored += row[i] >= 0 ? 1 : 0;
    }
    const double updates =
        settings_.supervision == "every" ? trajectory_.depth[static_cast<size_t>(m)] : 1;
    const double w = scored > 0 && updates > 0 ? 1.0 / (static_cast<double>(scored) * updates) : 0;
    with_float(dtype, [&]<class T>() {
      std::fill_n(weight.as<T>() + m * per_model, per_model, static_cast<T>(w));
    });
  }
  const std::span<const int> outer = tape.ctx.models;
  tape.ctx.models = y.models;
  Var loss = ad::softmax_xent(tape, y.logits, targets, weight);
  if (y.halt) {
    loss = ad::add(tape, loss, halting_loss(tape, y, batch, settings_.halt_weight));
  }
  tape.seed_grad(loss);
  tape.ctx.models = outer;
  return loss;
}

void Trainer::losses(Tape& tape, const Batch& batch) {
  std::fill(loss_now_.begin(), loss_now_.end(), 0.0);
  for (const Readout& y : trajectory_.readouts) {
    const Tensor loss = supervise(tape, y, batch).value();
    with_float(loss.dtype, [&]<class T>() {
      for (int m = 0; m < model_.models(); ++m) {
        if (y.models.empty() || std::find(y.models.begin(), y.models.end(), m) != y.models.end()) {
          loss_now_[static_cast<size_t>(m)] += static_cast<double>(loss.as<T>()[m]);
        }
      }
    });
  }
}

/// Accuracy of the models whose last update is this readout's.
void Trainer::score(const Readout& y, const Batch& batch) {
  const ArenaScope scope(arena_);
  Context ctx = context();
  ctx.models = y.models;
  const Tensor answer =
      make_tensor(arena_, {model_.models(), batch.size, batch.positions}, DType::i32);
  ops::argmax(ctx, y.logits.value(), answer);
  for (int i = 0; i < ctx.model_count(answer); ++i) {
    const int m = ctx.model(i);
    if (trajectory_.depth[static_cast<size_t>(m)] != y.r) {
      continue;
    }
    const Score s = score_answers(answer, m, batch, y.r);
    stats_.accuracy[static_cast<size_t>(m)] = s.accuracy();
    stats_.exact[static_cast<size_t>(m)] = s.exact();
  }
}

void Trainer::freeze(int m, int64_t step, std::string what) {
  const Frozen f{m, model_.params().seeds()[static_cast<size_t>(m)], step, std::move(what)};
  healthy_.erase(std::remove(healthy_.begin(), healthy_.end(), m), healthy_.end());
  frozen_.push_back(f);
  fresh_.push_back(f);
}

void Trainer::restore_frozen(const std::vector<Frozen>& frozen) {
  frozen_.clear();
  healthy_.resize(static_cast<size_t>(model_.models()));
  std::iota(healthy_.begin(), healthy_.end(), 0);
  for (const Frozen& f : frozen) {
    freeze(f.model, f.step, f.what);
  }
  fresh_.clear();
}

/// Freezes the models whose loss or gradient is not finite, before their weights are touched.
void Trainer::watch(int64_t step, const Inputs& inputs, const Plan& plan) {
  for (const int m : std::vector<int>(healthy_)) {
    const auto i = static_cast<size_t>(m);
    const bool loss_ok = std::isfinite(loss_now_[i]);
    if (loss_ok && std::isfinite(optimiser_.grad_norm()[i])) {
      continue;
    }
    std::string where = first_non_finite(model_, inputs, plan, m, arena_, threads_);
    if (where.empty()) {
      where = first_non_finite_gradient(model_.params(), m);
    }
    freeze(
        m, step, std::string(loss_ok ? "gradient" : "loss") + " is not finite; first at " + where);
  }
}

const std::vector<Frozen>& Trainer::step(int64_t step) {
  fresh_.clear();
  arena_.reset();
  data_.draw(model_.params().seeds(), static_cast<uint64_t>(step), settings_.batch, batch_);
  const Inputs inputs = load(batch_);
  plan_.step = static_cast<uint64_t>(step);
  if (!settings_.plant_nan.empty()) {
    planted_ = plant_forward(settings_.plant_nan, model_, step);
    plan_.taps = planted_.empty() ? nullptr : &planted_;
  }
  model_.params().zero_grad();
  Tape tape(context(), true);
  unroll(model_, inputs, plan_, tape, trajectory_);
  losses(tape, batch_);
  for (const Readout& y : trajectory_.readouts) {
    score(y, batch_);
  }
  tape.backward();
  if (!settings_.plant_nan.empty()) {
    plant_gradient(settings_.plant_nan, model_, step);
  }
  optimiser_.measure(context());
  bool finite = true;
  for (const int m : healthy_) {
    const auto i = static_cast<size_t>(m);
    stats_.loss[i] = loss_now_[i];
    stats_.grad_norm[i] = optimiser_.grad_norm()[i];
    finite = finite && std::isfinite(loss_now_[i]) && std::isfinite(optimiser_.grad_norm()[i]);
  }
  if (!finite) {
    watch(step, inputs, plan_);
  }
  if (!healthy_.empty()) {
    optimiser_.step(context(), step);
  }
  return fresh_;
}

}  // namespace sv

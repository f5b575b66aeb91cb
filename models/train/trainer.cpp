#include "models/train/trainer.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "kernels/autograd/ops.h"
#include "kernels/ops/readout_stats/readout_stats.h"

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
                 int threads,
                 int most_lanes)
    : model_(model),
      data_(data),
      settings_(settings),
      optimiser_(model.params(), optimiser_settings(settings)),
      arena_(size_t{64} << 20),
      threads_(std::max(threads, 1)),
      lanes_(lanes_of(settings.batch, data.task().spec().positions, most_lanes)) {
  const auto models = static_cast<size_t>(model.models());
  for (int i = 0; i < threads_; ++i) {
    workers_.push_back(std::make_unique<Worker>());
    Plan& plan = workers_.back()->plan;
    plan.depth = depth;
    plan.gradient = parse_gradient(settings.gradient);
    plan.save.readouts =
        settings.supervision == "every" ? SaveAt::Readouts::every : SaveAt::Readouts::last;
    plan.packed = &packed_;
  }
  model.params().reserve_lanes(static_cast<int>(lanes_.size()));
  sums_.resize(models * lanes_.size());
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

size_t Trainer::system_allocations() const {
  size_t n = arena_.system_allocations();
  for (const auto& worker : workers_) {
    n += worker->arena.system_allocations();
  }
  return n;
}

/// The loss of one readout: mean over all scored answers of the model's batch, divided over updates
/// if every one is read out. The rows of a group contribute their share of it.
Var Trainer::supervise(Tape& tape, const Readout& y, int m, Rows rows, int depth) const {
  const DType dtype = model_.params().dtype();
  const Shape shape{1, rows.count, batch_.positions};
  const Tensor targets = make_tensor(tape.arena(), shape, DType::i32);
  const Tensor weight = make_tensor(tape.arena(), shape, dtype);
  int64_t scored = 0;
  for (int b = 0; b < batch_.size; ++b) {
    const int32_t* from = batch_.target(m, b, y.r);
    scored += std::count_if(from, from + batch_.positions, [](int32_t t) { return t >= 0; });
  }
  for (int b = 0; b < rows.count; ++b) {
    std::copy_n(batch_.target(m, rows.begin + b, y.r),
                batch_.positions,
                targets.as<int32_t>() + static_cast<int64_t>(b) * batch_.positions);
  }
  const double updates = settings_.supervision == "every" ? depth : 1;
  const double w = scored > 0 ? 1.0 / (static_cast<double>(scored) * updates) : 0;
  with_float(dtype,
             [&]<class T>() { std::fill_n(weight.as<T>(), weight.numel(), static_cast<T>(w)); });
  Var loss = ad::softmax_xent(tape, y.logits, targets, weight);
  if (y.halt) {
    const double share = settings_.halt_weight / updates;
    loss = ad::add(tape, loss, halting_loss(tape, y, batch_, m, rows, share));
  }
  tape.seed_grad(loss);
  return loss;
}

Score Trainer::score(Tape& tape, const Readout& y, int m, Rows rows) const {
  const ArenaScope scope(tape.arena());
  const Tensor answer = make_tensor(tape.arena(), {1, rows.count, batch_.positions}, DType::i32);
  ops::argmax(tape.ctx, y.logits.value(), answer);
  return score_answers(answer.as<int32_t>(), batch_, m, rows, y.r);
}

/// Forward and backward of one lane of model m, group after group; its gradient goes to buffers of
/// the lane's own.
void Trainer::run_lane(int m, int lane, const Inputs& inputs, Worker& w, int threads) {
  w.plan.members = {m, 1, lane};
  w.plan.taps = m == planted_.model ? &planted_.taps : nullptr;
  model_.params().zero_lane(w.plan.members);
  LaneSum& sum = sums_[static_cast<size_t>(m) * lanes_.size() + static_cast<size_t>(lane)];
  sum = {};
  const Rows all = lanes_[static_cast<size_t>(lane)];
  const int groups = group_count(all, batch_.positions);
  for (int g = 0; g < groups; ++g) {
    const Rows rows = piece(all, g, groups);
    w.arena.reset();
    Tape tape({&w.arena, threads, {}}, true);
    unroll(model_, slice(inputs, m, rows), w.plan, tape, w.trajectory);
    const int depth = w.trajectory.depth[0];
    for (const Readout& y : w.trajectory.readouts) {
      const Tensor loss = supervise(tape, y, m, rows, depth).value();
      sum.loss += with_float(loss.dtype, [&]<class T>() { return double{loss.as<T>()[0]}; });
      if (y.r == depth) {
        sum.score.add(score(tape, y, m, rows));
      }
    }
    tape.backward();
  }
}

/// Lanes of each model in order: loss, score and gradient.
void Trainer::add_lanes() {
  const int lanes = static_cast<int>(lanes_.size());
  model_.params().fold_lanes(context(), lanes);
  for (const int m : healthy_) {
    LaneSum total;
    for (int lane = 0; lane < lanes; ++lane) {
      const LaneSum& s = sums_[static_cast<size_t>(m * lanes + lane)];
      total.loss += s.loss;
      total.score.add(s.score);
    }
    const auto i = static_cast<size_t>(m);
    loss_now_[i] = total.loss;
    stats_.accuracy[i] = total.score.accuracy();
    stats_.exact[i] = total.score.exact();
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
void Trainer::watch(int64_t step, const Inputs& inputs) {
  for (const int m : std::vector<int>(healthy_)) {
    const auto i = static_cast<size_t>(m);
    const bool loss_ok = std::isfinite(loss_now_[i]);
    if (loss_ok && std::isfinite(optimiser_.grad_norm()[i])) {
      continue;
    }
    Plan plan = workers_[0]->plan;
    plan.members = {m, 1, 0};
    plan.taps = m == planted_.model ? &planted_.taps : nullptr;
    const Inputs mine = slice(inputs, m, {0, batch_.size});
    std::string where = first_non_finite(model_, mine, plan, {&arena_, threads_, {}});
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
  const Inputs inputs = load_inputs(arena_, batch_);
  if (!settings_.plant_nan.empty()) {
    planted_ = plant_forward(settings_.plant_nan, model_, step);
  }
  packed_.pack(context(), model_.params());
  for (const auto& worker : workers_) {
    worker->plan.step = static_cast<uint64_t>(step);
  }
  const auto lanes = static_cast<int64_t>(lanes_.size());
  const int64_t tasks = lanes * static_cast<int64_t>(healthy_.size());
  run_tasks(tasks, threads_, [&](int64_t task, int worker) {
    const int m = healthy_[static_cast<size_t>(task / lanes)];
    run_lane(m,
             static_cast<int>(task % lanes),
             inputs,
             *workers_[static_cast<size_t>(worker)],
             tasks == 1 ? threads_ : 1);
  });
  add_lanes();
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
    watch(step, inputs);
  }
  if (!healthy_.empty()) {
    optimiser_.step(context(), step);
  }
  return fresh_;
}

}  // namespace sv

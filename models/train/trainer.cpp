#include "models/train/trainer.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "kernels/autograd/ops.h"
#include "kernels/memory/copy.h"
#include "kernels/memory/device.h"
#include "kernels/ops/readout_stats/readout_stats.h"

namespace sv {

OptimiserSettings optimiser_settings(const TrainSettings& s) {
  OptimiserSettings o;
  o.kind = parse_optimiser(s.optimiser);
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
  o.embedding_lr = s.embedding_lr;
  o.embedding_weight_decay = s.embedding_weight_decay;
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
      objective_(make_objective(settings)),
      depth_(depth),
      gradient_(parse_gradient(settings.gradient)),
      carry_(model, data, settings),
      optimiser_(model.params(), optimiser_settings(settings)),
      memory_(device()),
      precision_(precision_of(settings, device())),
      threads_(device() ? 1 : std::max(threads, 1)),
      lanes_(device() ? std::vector<Rows>{{0, settings.batch}}
                      : lanes_of(settings.batch, data.task().spec().positions, most_lanes)) {
  const auto models = static_cast<size_t>(model.models());
  for (int i = 0; i < threads_; ++i) {
    workers_.push_back(std::make_unique<Worker>(device()));
    Plan& plan = workers_.back()->plan;
    plan.depth = depth;
    plan.gradient = gradient_;
    plan.save.readouts = objective_->readouts();
    plan.packed = &packed_;
  }
  SV_CHECK(!device() || model.models() == 1 || !objective_->plans_by_seed(),
           "train.supervision=",
           settings.supervision,
           " trains one model at a time on a device");
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

Trainer::~Trainer() {
  if (device()) {
    device()->drop_copies();  // an error may have left some under way, into memory that goes now
  }
}

Context Trainer::context() {
  return context(memory_, threads_);
}

/// Of the healthy models.
Context Trainer::context(Workspace& memory, int threads) {
  const bool all = healthy_.size() == static_cast<size_t>(model_.models());
  Context ctx = memory.context(threads, all ? std::span<const int>{} : healthy_);
  ctx.precision = precision_;
  return ctx;
}

size_t Trainer::system_allocations() const {
  size_t n = memory_.system_allocations();
  for (const auto& worker : workers_) {
    n += worker->memory.system_allocations();
  }
  return n;
}

/// What the host wants to know of a run: its losses, and with `answers` what the models have
/// answered after their last update. On a device it is on its way.
void Trainer::ask(Tape& tape, size_t first_loss, bool answers, Rows rows, Worker& w) const {
  for (size_t i = first_loss; i < w.losses.size(); ++i) {
    w.losses[i].loss = to_host_later(tape.ctx, w.losses[i].loss);
  }
  const std::span<const int> outer = tape.ctx.models;
  for (const Readout& y : w.trajectory.readouts) {
    tape.ctx.models = y.models;
    const Tensor logits = y.logits.value();
    int* last = tape.host().alloc_n<int>(static_cast<size_t>(logits.dim(0)));
    size_t count = 0;
    for (int i = 0; answers && i < tape.ctx.model_count(logits); ++i) {
      const int m = tape.ctx.model(i);
      if (y.r == w.trajectory.depth[static_cast<size_t>(m)]) {
        last[count++] = m;
      }
    }
    if (count > 0) {
      const Tensor answer =
          make_tensor(tape.arena(), {logits.dim(0), rows.count, batch_.positions}, DType::i32);
      ops::argmax(tape.ctx, logits, answer);
      w.answers.push_back({y.r, {last, count}, to_host_later(tape.ctx, answer)});
    }
  }
  tape.ctx.models = outer;
}

/// Adds losses and answers of a group, once they are there.
void Trainer::score(const Context& ctx, Rows rows, const Worker& w) {
  const Members& members = w.plan.members;
  for (const auto& [loss, who] : w.losses) {
    Context of = ctx;
    of.models = who;
    for (int i = 0; i < of.model_count(loss); ++i) {
      sum_of(members.first + of.model(i), members.lane).loss += element(loss, of.model(i));
    }
  }
  for (const auto& [r, who, answer] : w.answers) {
    for (const int m : who) {
      const int place = members.first + m;
      sum_of(place, members.lane)
          .score.add(score_answers(answer.slice(m, 1).as<int32_t>(), batch_, place, rows, r));
    }
  }
}

/// Forward and backward of some rows of the models of the worker's plan, in every run of the
/// objective.
void Trainer::run_group(const Context& ctx, const Inputs& inputs, Rows rows, Worker& w) {
  const int first = w.plan.members.first;
  w.losses.clear();
  w.answers.clear();
  for (int run = 0; run < objective_->runs(); ++run) {
    Tape tape(ctx, true);
    w.plan.depth = depth_;
    w.plan.gradient = gradient_;
    objective_->plan(run,
                     model_.schedule(),
                     model_.params().seeds()[static_cast<size_t>(first)],
                     w.plan.step,
                     w.plan);
    w.plan.start = nullptr;
    if (carry_.on()) {
      w.start = carry_.start(first, rows);
      w.plan.start = &w.start;
    }
    unroll(model_, inputs, w.plan, tape, w.trajectory);
    const size_t first_loss = w.losses.size();
    Supervised supervised{tape,
                          model_,
                          inputs,
                          w.plan,
                          w.trajectory,
                          batch_,
                          rows,
                          settings_,
                          w.losses,
                          carry_,
                          w.own};
    objective_->supervise(run, supervised);
    tape.ctx.models = ctx.models;
    {
      const TimeRange range(device(), "backward");
      tape.backward();
    }
    ask(tape, first_loss, run == 0, rows, w);
    if (carry_.on()) {
      carry_.keep(ctx, first, rows, w.trajectory, w.trajectory.readouts.back(), w.plan.step);
    }
  }
}

/// One lane of model m, group after group; its gradient goes to buffers of the lane's own.
void Trainer::run_lane(int m, int lane, const Inputs& inputs, Worker& w, int threads) {
  w.plan.members = {m, 1, lane};
  w.plan.taps = m == planted_.model ? &planted_.taps : nullptr;
  model_.params().zero_lane(w.plan.members);
  sum_of(m, lane) = {};
  const Rows all = lanes_[static_cast<size_t>(lane)];
  const int groups = group_count(all, batch_.positions);
  for (int g = 0; g < groups; ++g) {
    const Rows rows = piece(all, g, groups);
    w.memory.reset();
    const Context ctx = w.memory.context(threads);
    run_group(ctx, slice(inputs, m, rows), rows, w);
    score(ctx, rows, w);
  }
}

/// All healthy models with all rows, on a device; not yet scored.
void Trainer::run_pack(const Inputs& inputs, Worker& w) {
  w.plan.members = {};
  w.plan.taps = planted_.model >= 0 ? &planted_.taps : nullptr;
  model_.params().zero_grad();
  std::fill(sums_.begin(), sums_.end(), LaneSum{});
  w.memory.reset();
  run_group(context(w.memory, 1), inputs, lanes_[0], w);
}

/// Lanes of each model in order: loss and score.
void Trainer::add_scores() {
  const int lanes = static_cast<int>(lanes_.size());
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
  carry_.restore(batch_);
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
    Start start;
    if (carry_.on()) {
      start = carry_.start(m, {0, batch_.size});
      plan.start = &start;
    }
    plan.taps = m == planted_.model ? &planted_.taps : nullptr;
    Inputs mine = inputs;
    Context ctx = context();
    if (device()) {  // a planted tap is one of whole-pack runs
      ctx.models = {&m, 1};
    } else {
      ctx.models = {};
      plan.members = {m, 1, 0};
      mine = slice(inputs, m, {0, batch_.size});
    }
    std::string where = first_non_finite(model_, mine, plan, ctx);
    if (where.empty()) {
      where = first_non_finite_gradient(model_.params(), m);
    }
    freeze(
        m, step, std::string(loss_ok ? "gradient" : "loss") + " is not finite; first at " + where);
  }
}

const std::vector<Frozen>& Trainer::step(int64_t step) {
  const TimeRange range(device(), "step", step);
  fresh_.clear();
  memory_.reset();
  Batch& drawn = carry_.on() ? drawn_ : batch_;
  data_.draw(model_.params().seeds(), static_cast<uint64_t>(step), settings_.batch, drawn);
  if (carry_.on()) {
    carry_.begin(drawn_, batch_);
  }
  const Inputs inputs = load_inputs(context(), batch_);
  if (!settings_.plant_nan.empty()) {
    planted_ = plant_forward(settings_.plant_nan, model_, step);
  }
  for (Param& p : model_.params()) {
    p.frozen = settings_.gate_only > 0 && step >= settings_.gate_only && !p.halting;
  }
  packed_.pack(context(), model_.params());
  for (const auto& worker : workers_) {
    worker->plan.step = static_cast<uint64_t>(step);
  }
  const auto lanes = static_cast<int64_t>(lanes_.size());
  const int64_t tasks = device() ? 0 : lanes * static_cast<int64_t>(healthy_.size());
  run_tasks(tasks, threads_, [&](int64_t task, int worker) {
    const int m = healthy_[static_cast<size_t>(task / lanes)];
    run_lane(m,
             static_cast<int>(task % lanes),
             inputs,
             *workers_[static_cast<size_t>(worker)],
             tasks == 1 ? threads_ : 1);
  });
  if (device() && !healthy_.empty()) {
    run_pack(inputs, *workers_[0]);
  }
  model_.params().fold_lanes(context(), static_cast<int>(lanes_.size()));
  if (!settings_.plant_nan.empty()) {
    plant_gradient(settings_.plant_nan, model_, step);
  }
  {
    const TimeRange measuring(device(), "optimiser");
    optimiser_.measure(context());
  }
  if (device() && !healthy_.empty()) {
    finish_copies(context());  // the one time in a step that the host waits for a device
    score(context(), lanes_[0], *workers_[0]);
  }
  add_scores();
  bool finite = true;
  const std::span<const double> norms = optimiser_.grad_norm();
  for (const int m : healthy_) {
    const auto i = static_cast<size_t>(m);
    stats_.loss[i] = loss_now_[i];
    stats_.grad_norm[i] = norms[i];
    finite = finite && std::isfinite(loss_now_[i]) && std::isfinite(norms[i]);
  }
  if (!finite) {
    watch(step, inputs);
  }
  if (!healthy_.empty()) {
    const TimeRange updating(device(), "optimiser");
    optimiser_.step(context(), step);
  }
  return fresh_;
}

}  // namespace sv

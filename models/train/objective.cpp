#include "models/train/objective.h"

#include <algorithm>
#include <array>

#include "core/nearest.h"
#include "kernels/autograd/ops.h"
#include "kernels/memory/copy.h"
#include "kernels/ops/readout_stats/readout_stats.h"
#include "models/train/carry.h"
#include "models/train/watchdog.h"

namespace sv {

namespace {
constexpr std::array kObjectives = {
    ObjectiveEntry{"best_certain",
                   "loss of each row's best update and of its most certain one",
                   make_best_certain},
    ObjectiveEntry{"every", "mean loss of the answers after every update", make_every},
    ObjectiveEntry{"expected",
                   "loss expected under the halting score, and its divergence from a prior "
                   "(PonderNet, Ouro)",
                   make_expected,
                   true},
    ObjectiveEntry{"last", "loss of the answers after the last update", make_last},
    ObjectiveEntry{
        "progressive",
        "loss after n updates without gradient and k with, both drawn; and of a full run",
        make_progressive},
    ObjectiveEntry{"rows",
                   "last, as mean over rows of their own means, with halting and continue losses "
                   "(HRM, TRM)",
                   make_rows},
};

ops::LossKind loss_kind(const TrainSettings& s) {
  return s.loss == "stablemax" ? ops::LossKind::stablemax : ops::LossKind::softmax;
}
}  // namespace

std::span<const ObjectiveEntry> objectives() {
  return kObjectives;
}

std::vector<std::string> objective_names() {
  std::vector<std::string> out;
  for (const ObjectiveEntry& entry : kObjectives) {
    out.emplace_back(entry.name);
  }
  return out;
}

std::unique_ptr<Objective> make_objective(const TrainSettings& settings) {
  return settings.gate_only > 0 ? make_gate(settings) : make_first_objective(settings);
}

std::unique_ptr<Objective> make_first_objective(const TrainSettings& settings) {
  for (const ObjectiveEntry& entry : kObjectives) {
    if (entry.name == settings.supervision) {
      return entry.make(settings);
    }
  }
  fail("no supervision '",
       settings.supervision,
       "'",
       did_you_mean(settings.supervision, objective_names()));
}

Tensor Supervised::targets(int r) const {
  const int64_t positions = batch.positions;
  const Tensor out = host_tensor(tape.ctx, {models(), rows.count, positions}, DType::i32);
  for (int i = 0; i < tape.ctx.model_count(out); ++i) {
    const int m = tape.ctx.model(i);
    for (int b = 0; b < rows.count; ++b) {
      std::copy_n(batch.target(plan.members.first + m, rows.begin + b, r),
                  positions,
                  out.as<int32_t>() + (int64_t{m} * rows.count + b) * positions);
    }
  }
  return to_device(tape.ctx, out);
}

double Supervised::per_answer(int m, int r) const {
  int64_t scored = 0;
  for (int b = 0; b < batch.size; ++b) {
    const int32_t* from = batch.target(plan.members.first + m, b, r);
    scored += std::count_if(from, from + batch.positions, [](int32_t t) { return t >= 0; });
  }
  return scored > 0 ? 1.0 / static_cast<double>(scored) : 0;
}

Var Supervised::answer_loss(const Readout& y) const {
  return ad::nll(tape, loss_kind(settings), y.logits, targets(y.r));
}

Var Supervised::row_loss(const Readout& y) const {
  const Var rows_loss = ad::sum_last(tape, answer_loss(y));
  const Tensor scale = host_tensor(tape.ctx, rows_loss.shape(), rows_loss.value().dtype);
  with_float(scale.dtype, [&]<class T>() {
    for (int i = 0; i < tape.ctx.model_count(scale); ++i) {
      const int m = tape.ctx.model(i);
      std::fill_n(
          scale.as<T>() + int64_t{m} * rows.count, rows.count, static_cast<T>(per_answer(m, y.r)));
    }
  });
  return ad::mul(tape, rows_loss, tape.constant(to_device(tape.ctx, scale)));
}

Var Supervised::mean_loss(const Readout& y, std::span<const double> share) const {
  const DType dtype = y.logits.value().dtype;
  const Tensor weight =
      host_tensor(tape.ctx, {models(), rows.count, int64_t{batch.positions}}, dtype);
  for (int i = 0; i < tape.ctx.model_count(weight); ++i) {
    const int m = tape.ctx.model(i);
    const double each = per_answer(m, y.r) * share[static_cast<size_t>(m)];
    with_float(dtype, [&]<class T>() {
      const Tensor mine = weight.slice(m, 1);
      std::fill_n(mine.as<T>(), mine.numel(), static_cast<T>(each));
    });
  }
  return weighed_loss(y, weight);
}

Var Supervised::mean_row_loss(const Readout& y, std::span<const double> share) const {
  const DType dtype = y.logits.value().dtype;
  const int64_t positions = batch.positions;
  const Tensor weight = host_tensor(tape.ctx, {models(), rows.count, positions}, dtype);
  for (int i = 0; i < tape.ctx.model_count(weight); ++i) {
    const int m = tape.ctx.model(i);
    for (int b = 0; b < rows.count; ++b) {
      const int32_t* from = batch.target(plan.members.first + m, rows.begin + b, y.r);
      const auto scored = std::count_if(from, from + positions, [](int32_t t) { return t >= 0; });
      const double each =
          share[static_cast<size_t>(m)] / (batch.size * std::max<double>(1, scored));
      with_float(dtype, [&]<class T>() {
        std::fill_n(weight.as<T>() + (int64_t{m} * rows.count + b) * positions,
                    positions,
                    static_cast<T>(each));
      });
    }
  }
  return weighed_loss(y, weight);
}

Var Supervised::weighed_loss(const Readout& y, const Tensor& weight) const {
  const Tensor on_device = to_device(tape.ctx, weight);
  if (loss_kind(settings) == ops::LossKind::softmax) {
    return ad::softmax_xent(tape, y.logits, targets(y.r), on_device);
  }
  return ad::sum(tape, ad::mul(tape, answer_loss(y), tape.constant(on_device)));
}

Var Supervised::halting_loss(const Readout& y, std::span<const double> share) const {
  const Tensor logits = y.logits.value();
  Tensor answer = make_tensor(tape.arena(), {models(), rows.count, batch.positions}, DType::i32);
  ops::argmax(tape.ctx, logits, answer);
  answer = to_host(tape.ctx, answer);
  if (y.halt.shape().rank() == 3) {
    return position_halting_loss(y, answer, share);
  }
  const Tensor target = host_tensor(tape.ctx, {models(), rows.count}, logits.dtype);
  with_float(logits.dtype, [&]<class T>() {
    for (int i = 0; i < tape.ctx.model_count(logits); ++i) {
      const int m = tape.ctx.model(i);
      for (int b = 0; b < rows.count; ++b) {
        const int64_t row = int64_t{m} * rows.count + b;
        const int32_t* got = answer.as<int32_t>() + row * batch.positions;
        const Score s = score_answers(got, batch, plan.members.first + m, {rows.begin + b, 1}, y.r);
        target.as<T>()[row] = s.right == s.answers ? T{1} : T{0};
      }
    }
  });
  return score_loss(y.halt, target, share);
}

Var Supervised::position_halting_loss(const Readout& y,
                                      const Tensor& answer,
                                      std::span<const double> share) const {
  const DType dtype = y.halt.value().dtype;
  // Rows of the op are models, its columns all positions of theirs.
  const Shape flat = {models(), int64_t{rows.count} * batch.positions};
  const Tensor target = host_tensor(tape.ctx, flat, dtype);
  const Tensor weight = host_tensor(tape.ctx, flat, dtype);
  for (int i = 0; i < tape.ctx.model_count(weight); ++i) {
    const int m = tape.ctx.model(i);
    const double each = settings.halt_weight * share[static_cast<size_t>(m)] * per_answer(m, y.r);
    for (int64_t k = 0; k < flat[1]; ++k) {
      const auto b = static_cast<int>(k / batch.positions);
      const int32_t asked =
          batch.target(plan.members.first + m, rows.begin + b, y.r)[k % batch.positions];
      const int64_t at = m * flat[1] + k;
      with_float(dtype, [&]<class T>() {
        target.as<T>()[at] = answer.as<int32_t>()[at] == asked ? T{1} : T{0};
        weight.as<T>()[at] = static_cast<T>(asked >= 0 ? each : 0);
      });
    }
  }
  return ad::sigmoid_xent(tape,
                          ad::reshape(tape, y.halt, flat),
                          to_device(tape.ctx, target),
                          to_device(tape.ctx, weight));
}

Var Supervised::score_loss(Var score, const Tensor& target, std::span<const double> share) const {
  const Tensor weights = host_tensor(tape.ctx, {models(), rows.count}, target.dtype);
  with_float(target.dtype, [&]<class T>() {
    for (int i = 0; i < tape.ctx.model_count(target); ++i) {
      const int m = tape.ctx.model(i);
      std::fill_n(
          weights.as<T>() + int64_t{m} * rows.count,
          rows.count,
          static_cast<T>(settings.halt_weight * share[static_cast<size_t>(m)] / batch.size));
    }
  });
  return ad::sigmoid_xent(tape, score, to_device(tape.ctx, target), to_device(tape.ctx, weights));
}

bool Supervised::last_segment(int m, int b) const {
  return carry.last(plan.members.first + m, rows.begin + b);
}

Var Supervised::penalty(const Readout& y, std::span<const double> share) const {
  const Tensor weight = host_tensor(tape.ctx, y.penalty.shape(), y.penalty.value().dtype);
  with_float(weight.dtype, [&]<class T>() {
    for (int i = 0; i < tape.ctx.model_count(weight); ++i) {
      const int m = tape.ctx.model(i);
      std::fill_n(weight.as<T>() + int64_t{m} * rows.count,
                  rows.count,
                  static_cast<T>(settings.penalty * share[static_cast<size_t>(m)] / batch.size));
    }
  });
  return ad::sum(tape, ad::mul(tape, y.penalty, tape.constant(to_device(tape.ctx, weight))));
}

void Supervised::add(Var loss, std::span<const int> who) {
  const std::span<const int> outer = tape.ctx.models;
  tape.ctx.models = who;
  tape.seed_grad(loss);
  tape.ctx.models = outer;
  added.push_back({loss.value(), who});
}

}  // namespace sv

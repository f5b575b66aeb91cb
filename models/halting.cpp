#include "models/halting.h"

#include <algorithm>
#include <cmath>

#include "kernels/memory/copy.h"
#include "kernels/ops/readout_stats/readout_stats.h"
#include "kernels/ops/rows/rows.h"

namespace sv {

namespace {

/// All models of the run: which rows an op looks at is said by its list of rows.
Context whole(const Context& ctx) {
  Context out = ctx;
  out.models = {};
  return out;
}

/// Shortens the batch axis to the listed rows (M, count), in place.
void compact_rows(const Context& ctx, Tensor& x, const Tensor& rows) {
  if (!x) {
    return;
  }
  const MemoryScope scope(ctx);
  const Tensor kept = make_tensor(*ctx.arena, x.shape.with(1, rows.dim(1)), x.dtype);
  ops::gather_rows(ctx, x, rows, kept);
  x.shape = kept.shape;
  copy_tensor(ctx, x, kept);
}

/// A copy with the model axis written out, so that rows of different models can go separate ways.
Tensor expanded_copy(const Context& ctx, const Tensor& x, int64_t models) {
  if (!x) {
    return {};
  }
  const Tensor y = make_tensor(*ctx.arena, x.shape.with(0, models), x.dtype);
  for (int64_t m = 0; m < models; ++m) {
    copy_tensor(ctx, y.slice(m, 1), x.dim(0) == 1 ? x : x.slice(m, 1));
  }
  return y;
}

/// The same for the numbers of the rows, which host code reads.
Tensor expanded_ids(const Context& ctx, const Tensor& ids, int64_t models) {
  if (!ids) {
    return {};
  }
  const Tensor out = host_tensor(ctx, {models, ids.dim(1)}, DType::i32);
  for (int64_t m = 0; m < models; ++m) {
    const Tensor from = ids.dim(0) == 1 ? ids : ids.slice(m, 1);
    std::copy_n(from.as<int32_t>(), ids.dim(1), out.as<int32_t>() + m * ids.dim(1));
  }
  return out;
}

/// Shortens the batch axis of the ids to the listed rows, `count` of each model.
void compact_ids(Tensor& ids, const std::vector<int32_t>& rows, int64_t count) {
  if (!ids) {
    return;
  }
  const int64_t before = ids.dim(1);
  for (size_t i = 0; i < rows.size(); ++i) {  // rows of a model ascend: in place
    const auto m = static_cast<int64_t>(i) / count;
    ids.as<int32_t>()[i] = ids.as<int32_t>()[m * before + rows[i]];
  }
  ids.shape = ids.shape.with(1, count);
}

}  // namespace

Halting::Halting(const Halt& rule,
                 Reasoner& model,
                 Pass pass,
                 Inputs& in,
                 Trajectory& out,
                 const State& h,
                 bool compact)
    : rule_(rule),
      model_(model),
      models_(static_cast<int>(out.depth.size())),
      compact_(compact),
      batch_(in.batch()) {
  const int64_t models = models_;
  Tape& tape = pass.tape;
  const auto cells = static_cast<size_t>(models * batch_);
  live_.assign(cells, 1);
  live_count_.assign(static_cast<size_t>(models), static_cast<int>(batch_));
  for (int m = 0; m < models_; ++m) {
    if (out.depth[static_cast<size_t>(m)] == 0) {  // not a model of this run
      live_count_[static_cast<size_t>(m)] = 0;
      std::fill_n(live_.begin() + m * batch_, batch_, uint8_t{0});
    }
  }
  original_.resize(cells);
  for (size_t i = 0; i < cells; ++i) {
    original_[i] = static_cast<int>(i % static_cast<size_t>(batch_));
  }
  previous_.assign(cells, 0);
  const Context& ctx = tape.ctx;
  in.tokens = expanded_copy(ctx, in.tokens, models);
  in.lengths = expanded_copy(ctx, in.lengths, models);
  in.prefix = expanded_copy(ctx, in.prefix, models);
  in.ids = expanded_ids(ctx, in.ids, models);
  out.e = tape.constant(copy_of(ctx, out.e.value()));
  for (size_t p = 0; p < model.schedule().parts.size(); ++p) {
    final_[static_cast<int>(p)] = tape.constant(copy_of(ctx, h[static_cast<int>(p)].value()));
  }
  pass.taps = nullptr;
  const auto readout_shape = [&] {
    const MemoryScope scope(ctx);
    return model.readout(pass, in, h, out.e).shape();
  };
  const Shape logits = readout_shape();
  out.exit_logits = make_tensor(*ctx.arena, logits, model.params().dtype());
  zero_tensor(ctx, out.exit_logits);
  if (rule.kind == Halt::Kind::divergence) {
    previous_logits_ = make_tensor(*ctx.arena, logits, model.params().dtype());
  }
  SV_CHECK(rule.kind != Halt::Kind::learned || model.halt_logit(pass, h),
           "this model has no halting head; set model.halt_head");
}

bool Halting::all_done() const {
  return std::all_of(live_count_.begin(), live_count_.end(), [](int n) { return n == 0; });
}

bool Halting::scores_at(int r) const {
  return r % model_.schedule().period() == 0;
}

void Halting::freeze_rows(const Context& ctx, const State& before, State& after) const {
  if (compact_ || std::find(live_.begin(), live_.end(), 0) == live_.end()) {
    return;  // what stopped rows leave behind is already stored, or none has stopped
  }
  Tensor rows = host_tensor(ctx, {models_, batch_}, DType::i32);
  for (size_t i = 0; i < live_.size(); ++i) {
    rows.as<int32_t>()[i] = live_[i] == 0 ? static_cast<int32_t>(i) % batch_ : -1;
  }
  rows = to_device(ctx, rows);
  for (size_t p = 0; p < model_.schedule().parts.size(); ++p) {
    const Tensor from = before[static_cast<int>(p)].value();
    const Tensor to = after[static_cast<int>(p)].value();
    if (to.data != from.data) {
      ops::scatter_rows(whole(ctx), from, rows, to);
    }
  }
}

/// One number per (model, row): what the rule compares. Means run over the positions in use.
std::vector<double> Halting::scores(
    Tape& tape, const Readout& y, const Tensor& change, int64_t rows, const Inputs& in) const {
  const int64_t models = models_;
  std::vector<double> out(static_cast<size_t>(models * rows), 0);
  if (rule_.kind == Halt::Kind::change || rule_.kind == Halt::Kind::learned) {
    const Tensor x = to_host(tape.ctx, rule_.kind == Halt::Kind::change ? change : y.halt.value());
    for (size_t i = 0; i < out.size(); ++i) {
      out[i] = element(x, static_cast<int64_t>(i));
    }
    return out;
  }
  const Tensor logits = y.logits.value();
  const int64_t positions = logits.dim(2);
  Tensor stat = make_tensor(tape.arena(), {models, rows, positions}, logits.dtype);
  Context ctx = tape.ctx;
  ctx.models = y.models;
  if (rule_.kind == Halt::Kind::entropy) {
    ops::entropy(ctx, logits, stat);
  } else if (seen_) {
    ops::kl(ctx, logits, previous_logits_, stat);
  }
  stat = to_host(ctx, stat);
  const Tensor lengths = to_host(ctx, in.lengths);
  for (int64_t i = 0; i < models * rows; ++i) {
    const int64_t used = lengths ? lengths.as<int32_t>()[i] : positions;
    double sum = 0;
    for (int64_t t = 0; t < used; ++t) {
      sum += element(stat, i * positions + t);
    }
    out[static_cast<size_t>(i)] = sum / static_cast<double>(std::max<int64_t>(used, 1));
  }
  return out;
}

bool Halting::stops(double score, double previous) const {
  switch (rule_.kind) {
    case Halt::Kind::none:
      return false;
    case Halt::Kind::change:
      return score < rule_.threshold;
    case Halt::Kind::divergence:
      return seen_ && score < rule_.threshold;
    case Halt::Kind::entropy:
      return seen_ && std::abs(score - previous) < rule_.threshold;
    case Halt::Kind::learned:
      return score > rule_.threshold;
  }
  return false;
}

/// The row at this slot of the current batch stops after update r.
void Halting::leave(int r, size_t slot, int m, Trajectory& out) {
  const auto cell = static_cast<size_t>(m * batch_ + original_[slot]);
  live_[cell] = 0;
  --live_count_[static_cast<size_t>(m)];
  out.steps[cell] = r;
}

bool Halting::decide(Tape& tape,
                     int r,
                     bool last,
                     std::span<const int> active,
                     const Readout& y,
                     const Tensor& change,
                     Inputs& in,
                     Trajectory& out,
                     State& h) {
  const Tensor logits = y.logits.value();
  const int64_t rows = logits.dim(1);
  const std::vector<double> score = scores(tape, y, change, rows, in);
  const bool may_stop = r / model_.schedule().period() >= rule_.min_depth;
  bool changed = false;
  // Original places of the rows that stop now; -1 elsewhere.
  const Tensor places = host_tensor(tape.ctx, {models_, rows}, DType::i32);
  std::fill_n(places.as<int32_t>(), places.numel(), -1);
  bool some = false;
  for (int m = 0; m < models_; ++m) {
    const bool runs = active.empty() || std::find(active.begin(), active.end(), m) != active.end();
    const bool ends = last || out.depth[static_cast<size_t>(m)] == r;
    for (int64_t row = 0; runs && row < rows; ++row) {
      const auto slot = static_cast<size_t>(m * rows + row);
      const int b = original_[slot];
      if (b < 0 || live_[static_cast<size_t>(m * batch_ + b)] == 0) {
        continue;
      }
      double& previous = previous_[static_cast<size_t>(m * batch_ + b)];
      if (ends || (may_stop && stops(score[slot], previous))) {
        leave(r, slot, m, out);
        places.as<int32_t>()[slot] = b;
        some = true;
      }
      previous = score[slot];
    }
    changed = changed || (runs && done(m));
  }
  const Context ctx = whole(tape.ctx);
  if (some) {
    const Tensor stopping = to_device(ctx, places);
    ops::scatter_rows(ctx, logits, stopping, out.exit_logits);
    for (size_t p = 0; p < model_.schedule().parts.size(); ++p) {
      const auto i = static_cast<int>(p);
      ops::scatter_rows(ctx, h[i].value(), stopping, final_[i].value());
    }
  }
  if (previous_logits_) {
    copy_tensor(ctx, previous_logits_, logits);
  }
  seen_ = true;
  const int most = *std::max_element(live_count_.begin(), live_count_.end());
  if (compact_ && most > 0 && most * 4 <= rows * 3) {
    compact(ctx, in, out, h);
  }
  return changed;
}

/// Keeps the rows that still run; models with fewer than the most fill up with a row of their own
/// whose result is not looked at.
void Halting::compact(const Context& ctx, Inputs& in, Trajectory& out, State& h) {
  const int64_t models = models_;
  const int64_t rows = in.batch();
  const int64_t count = *std::max_element(live_count_.begin(), live_count_.end());
  std::vector<int32_t> from;
  std::vector<int> original;
  for (int64_t m = 0; m < models; ++m) {
    const size_t begin = from.size();
    for (int64_t row = 0; row < rows; ++row) {
      const int b = original_[static_cast<size_t>(m * rows + row)];
      if (b >= 0 && live_[static_cast<size_t>(m * batch_ + b)] != 0) {
        from.push_back(static_cast<int32_t>(row));
        original.push_back(b);
      }
    }
    while (from.size() < begin + static_cast<size_t>(count)) {
      from.push_back(static_cast<int32_t>(rows - 1));
      original.push_back(-1);
    }
  }
  original_ = original;
  const Tensor list = host_tensor(ctx, {models, count}, DType::i32);
  std::copy(from.begin(), from.end(), list.as<int32_t>());
  const Tensor kept = to_device(ctx, list);
  compact_ids(in.ids, from, count);
  for (Tensor* x : {&in.tokens, &in.lengths, &in.prefix, &out.e->value, &previous_logits_}) {
    compact_rows(ctx, *x, kept);
  }
  for (size_t p = 0; p < model_.schedule().parts.size(); ++p) {
    compact_rows(ctx, h[static_cast<int>(p)]->value, kept);
  }
}

void Halting::finish(Trajectory& out) const {
  out.final = final_;
}

}  // namespace sv

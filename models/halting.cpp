#include "models/halting.h"

#include <algorithm>
#include <cmath>

#include "kernels/ops/readout_stats/readout_stats.h"

namespace sv {

namespace {

size_t row_bytes(const Tensor& x) {
  return x.bytes() / static_cast<size_t>(x.dim(0) * x.dim(1));
}

/// Moves rows `from[m][j]` to (m, j) and shortens the batch axis to `count`, in place: a row never
/// moves up.
void compact_rows(Tensor& x, const std::vector<int64_t>& from, int64_t count) {
  if (!x) {
    return;
  }
  const size_t size = row_bytes(x);
  auto* data = static_cast<std::byte*>(x.data);
  const int64_t batch = x.dim(1);
  for (int64_t m = 0; m < x.dim(0); ++m) {
    for (int64_t j = 0; j < count; ++j) {
      const int64_t source = from[static_cast<size_t>(m * count + j)];
      std::memmove(data + static_cast<size_t>(m * count + j) * size,
                   data + static_cast<size_t>(m * batch + source) * size,
                   size);
    }
  }
  x.shape = x.shape.with(1, count);
}

/// A copy with the model axis written out, so that rows of different models can go separate ways.
Tensor expanded_copy(Arena& arena, const Tensor& x, int64_t models) {
  if (!x) {
    return {};
  }
  Tensor y = make_tensor(arena, x.shape.with(0, models), x.dtype);
  for (int64_t m = 0; m < models; ++m) {
    const Tensor from = x.dim(0) == 1 ? x : x.slice(m, 1);
    std::memcpy(y.slice(m, 1).data, from.data, from.bytes());
  }
  return y;
}

double element(const Tensor& x, int64_t i) {
  return x.dtype == DType::f64 ? x.as<double>()[i] : static_cast<double>(x.as<float>()[i]);
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
  Arena& arena = tape.arena();
  in.tokens = expanded_copy(arena, in.tokens, models);
  in.lengths = expanded_copy(arena, in.lengths, models);
  in.prefix = expanded_copy(arena, in.prefix, models);
  out.e = tape.constant(copy_of(arena, out.e.value()));
  for (size_t p = 0; p < model.schedule().parts.size(); ++p) {
    final_[static_cast<int>(p)] = tape.constant(copy_of(arena, h[static_cast<int>(p)].value()));
  }
  pass.taps = nullptr;
  const Arena::Mark mark = arena.mark();
  const Shape logits = model.readout(pass, in, h, out.e).shape();
  arena.rewind(mark);
  out.exit_logits = make_tensor(arena, logits, model.params().dtype());
  out.exit_logits.zero();
  if (rule.kind == Halt::Kind::divergence) {
    previous_logits_ = make_tensor(arena, logits, model.params().dtype());
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

void Halting::freeze_rows(const State& before, State& after) const {
  if (compact_) {
    return;  // what stopped rows leave behind is already stored
  }
  for (size_t p = 0; p < model_.schedule().parts.size(); ++p) {
    const Tensor from = before[static_cast<int>(p)].value();
    const Tensor to = after[static_cast<int>(p)].value();
    const size_t size = row_bytes(to);
    for (size_t i = 0; to.data != from.data && i < live_.size(); ++i) {
      if (live_[i] == 0) {
        std::memcpy(static_cast<std::byte*>(to.data) + i * size,
                    static_cast<const std::byte*>(from.data) + i * size,
                    size);
      }
    }
  }
}

/// One number per (model, row): what the rule compares. Means run over the positions in use.
std::vector<double> Halting::scores(
    Tape& tape, const Readout& y, const Tensor& change, int64_t rows, const Inputs& in) const {
  const int64_t models = models_;
  std::vector<double> out(static_cast<size_t>(models * rows), 0);
  if (rule_.kind == Halt::Kind::change || rule_.kind == Halt::Kind::learned) {
    const Tensor& x = rule_.kind == Halt::Kind::change ? change : y.halt.value();
    for (size_t i = 0; i < out.size(); ++i) {
      out[i] = element(x, static_cast<int64_t>(i));
    }
    return out;
  }
  const Tensor logits = y.logits.value();
  const int64_t positions = logits.dim(2);
  const Tensor stat = make_tensor(tape.arena(), {models, rows, positions}, logits.dtype);
  Context ctx = tape.ctx;
  ctx.models = y.models;
  if (rule_.kind == Halt::Kind::entropy) {
    ops::entropy(ctx, logits, stat);
  } else if (seen_) {
    ops::kl(ctx, logits, previous_logits_, stat);
  }
  for (int64_t i = 0; i < models * rows; ++i) {
    const int64_t used = in.lengths ? in.lengths.as<int32_t>()[i] : positions;
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

/// Row `row` of the current batch stops after update r: its state and readout are stored at its
/// original place.
void Halting::leave(
    int r, int m, int64_t row, const Tensor& logits, const State& h, Trajectory& out) {
  const int64_t width = logits.dim(1);
  const int64_t b = original_[static_cast<size_t>(m * width + row)];
  const auto cell = static_cast<size_t>(m * batch_ + b);
  live_[cell] = 0;
  --live_count_[static_cast<size_t>(m)];
  out.steps[cell] = r;
  const auto store = [&](const Tensor& from, const Tensor& to) {
    const size_t size = row_bytes(from);
    std::memcpy(
        static_cast<std::byte*>(to.data) + cell * size,
        static_cast<const std::byte*>(from.data) + static_cast<size_t>(m * width + row) * size,
        size);
  };
  store(logits, out.exit_logits);
  for (size_t p = 0; p < model_.schedule().parts.size(); ++p) {
    store(h[static_cast<int>(p)].value(), final_[static_cast<int>(p)].value());
  }
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
        leave(r, m, row, logits, h, out);
      }
      previous = score[slot];
    }
    changed = changed || (runs && done(m));
  }
  if (previous_logits_) {
    std::memcpy(previous_logits_.data, logits.data, logits.bytes());
  }
  seen_ = true;
  const int most = *std::max_element(live_count_.begin(), live_count_.end());
  if (compact_ && most > 0 && most * 4 <= rows * 3) {
    compact(in, out, h);
  }
  return changed;
}

/// Keeps the rows that still run; models with fewer than the most fill up with a row of their own
/// whose result is not looked at.
void Halting::compact(Inputs& in, Trajectory& out, State& h) {
  const int64_t models = models_;
  const int64_t rows = in.batch();
  const int64_t count = *std::max_element(live_count_.begin(), live_count_.end());
  std::vector<int64_t> from;
  std::vector<int> original;
  for (int64_t m = 0; m < models; ++m) {
    const size_t begin = from.size();
    for (int64_t row = 0; row < rows; ++row) {
      const int b = original_[static_cast<size_t>(m * rows + row)];
      if (b >= 0 && live_[static_cast<size_t>(m * batch_ + b)] != 0) {
        from.push_back(row);
        original.push_back(b);
      }
    }
    while (from.size() < begin + static_cast<size_t>(count)) {
      from.push_back(rows - 1);  // the last row: nothing moves up
      original.push_back(-1);
    }
  }
  original_ = original;
  compact_rows(in.tokens, from, count);
  compact_rows(in.lengths, from, count);
  compact_rows(in.prefix, from, count);
  compact_rows(out.e->value, from, count);
  compact_rows(previous_logits_, from, count);
  for (size_t p = 0; p < model_.schedule().parts.size(); ++p) {
    compact_rows(h[static_cast<int>(p)]->value, from, count);
  }
}

void Halting::finish(Trajectory& out) const {
  out.final = final_;
}

}  // namespace sv

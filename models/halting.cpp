#include "models/halting.h"

#include <algorithm>
#include <numeric>

#include "kernels/memory/copy.h"
#include "kernels/ops/compact/compact.h"

namespace sv {

namespace {

/// Models that list anything.
std::vector<int> who_of(const moved::Lists& lists) {
  std::vector<int> out;
  for (size_t m = 0; m < lists.size(); ++m) {
    if (!lists[m].empty()) {
      out.push_back(static_cast<int>(m));
    }
  }
  return out;
}

}  // namespace

Halting::Halting(const Plan& plan, Reasoner& model, const Context& ctx, Inputs& in, Trajectory& out)
    : plan_(plan),
      model_(model),
      all_(in),
      lengths_(to_host(ctx, in.lengths)),
      models_(static_cast<int64_t>(out.depth.size())),
      rows_(plan.queue != nullptr ? plan.queue->places() : in.batch()),
      // Whoever looks at rows of the batch must find them at their places.
      compact_((plan.taps == nullptr || plan.taps->empty()) && !plan.on_update &&
               !plan.save.residual && plan.save.states.empty()),
      running_(static_cast<size_t>(models_)),
      depth_(out.depth),
      leaving_(static_cast<size_t>(models_)) {
  Lists places(static_cast<size_t>(models_));
  for (size_t m = 0; m < places.size(); ++m) {
    places[m].resize(depth_[m] > 0 ? static_cast<size_t>(rows_) : 0);
    std::iota(places[m].begin(), places[m].end(), 0);
  }
  const Lists rows = plan.queue != nullptr ? next_rows(places) : places;
  rows_ = static_cast<int64_t>(moved::longest(rows));
  if (rows_ == 0) {
    return;
  }
  slots_.resize(static_cast<size_t>(models_ * rows_));
  entered_.resize(slots_.size());
  seat(rows, places, 0);
  for (const Slot& s : slots_) {
    live_.push_back(s.row >= 0 ? 1 : 0);
  }
  in = rows_of(moved::whole(ctx), all_, moved::tensor_of(ctx, rows, 0));
  out.chosen = out.steps;
}

/// The rows that take these places: the next that wait, as many as there are.
Halting::Lists Halting::next_rows(const Lists& places) const {
  Lists out(places.size());
  for (size_t m = 0; m < places.size(); ++m) {
    const int model = plan_.members.first + static_cast<int>(m);
    const Rows got = plan_.queue->take(model, static_cast<int>(places[m].size()));
    out[m].resize(static_cast<size_t>(got.count));
    std::iota(out[m].begin(), out[m].end(), got.begin);
  }
  return out;
}

/// Row i of each list sits down at place i, after update r of the loop.
void Halting::seat(const Lists& rows, const Lists& places, int r) {
  const auto number = [&](const Tensor& x, size_t m, int row) {
    return x.as<int32_t>()[(x.dim(0) == 1 ? 0 : static_cast<int64_t>(m)) * x.dim(1) + row];
  };
  for (size_t m = 0; m < rows.size(); ++m) {
    for (size_t i = 0; i < rows[m].size(); ++i) {
      const int row = rows[m][i];
      const size_t slot = slot_of(static_cast<int64_t>(m), places[m][i]);
      const int64_t positions = lengths_ ? number(lengths_, m, row) : all_.tokens.dim(2);
      slots_[slot] = {.row = row,
                      .id = all_.ids ? number(all_.ids, m, row) : row,
                      .length = static_cast<int>(positions),
                      .entered = r};
      entered_[slot] = r;
      ++running_[m];
    }
  }
}

/// Of inputs that lie in a batch or outside; `rows` (M, count) in host memory.
Inputs Halting::rows_of(const Context& ctx, const Inputs& in, const Tensor& rows) const {
  const Tensor there = to_device(ctx, rows);
  Inputs out = in;
  for (Tensor* x : out.tensors()) {
    *x = moved::gathered(ctx, *x, there);
  }
  out.ids = moved::gathered(moved::on_host(ctx), in.ids, rows);
  return out;
}

void Halting::begin(Pass pass, const Inputs& in, Trajectory& out, const State& h) {
  Tape& tape = pass.tape;
  const Context& ctx = tape.ctx;
  const DType dtype = model_.params().dtype();
  out.e = tape.constant(copy_of(ctx, out.e.value()));
  pass.taps = nullptr;
  Shape logits, score;
  {
    const MemoryScope scope(ctx);
    logits = model_.readout(pass, in, h, out.e).shape();
    const Var q = model_.halt_logit(pass, h);
    score = q ? q.shape() : Shape{};
  }
  if (plan_.queue == nullptr) {
    out.exit_logits = make_tensor(*ctx.arena, logits, dtype);
    zero_tensor(ctx, out.exit_logits);
    for (int p = 0; p < parts(); ++p) {
      final_[p] = tape.constant(copy_of(ctx, h[p].value()));
    }
  }
  const auto first = model_.params().seeds().begin() + plan_.members.first;
  rule_ = std::make_unique<HaltRule>(plan_.halt,
                                     ctx,
                                     std::span(first, static_cast<size_t>(models_)),
                                     plan_.periods,
                                     logits,
                                     score,
                                     dtype);
}

int Halting::running() const {
  return std::accumulate(running_.begin(), running_.end(), 0);
}

bool Halting::ends(const Slot& s, int m, int r) const {
  return r - s.entered == depth_[static_cast<size_t>(m)];
}

bool Halting::due(const Slot& s, int r) const {
  return (r - s.entered) % (model_.schedule().period() * plan_.halt.every) == 0;
}

bool Halting::checks_at(int r) const {
  if (r % model_.schedule().period() != 0) {
    return false;
  }
  for (size_t i = 0; i < slots_.size(); ++i) {
    const Slot& s = slots_[i];
    const auto m = static_cast<int>(i / static_cast<size_t>(rows_));
    if (s.row >= 0 && (due(s, r) || ends(s, m, r))) {
      return true;
    }
  }
  return false;
}

void Halting::freeze_rows(const Context& ctx, const State& before, State& after) const {
  if (compact_ || std::find(live_.begin(), live_.end(), 0) == live_.end()) {
    return;  // what stopped rows leave behind is already stored, or none has stopped
  }
  Tensor rows = host_tensor(ctx, {models_, rows_}, DType::i32);
  for (size_t i = 0; i < live_.size(); ++i) {
    rows.as<int32_t>()[i] = live_[i] == 0 ? static_cast<int32_t>(i) % rows_ : -1;
  }
  rows = to_device(ctx, rows);
  for (int p = 0; p < parts(); ++p) {
    const Tensor from = before[p].value();
    const Tensor to = after[p].value();
    if (to.data != from.data) {
      ops::scatter_live(moved::whole(ctx), from, rows, to);
    }
  }
}

/// Lists the places of rows that stop after update r; true if there are any.
bool Halting::check_rows(int r) {
  bool some = false;
  for (int m = 0; m < models_; ++m) {
    auto& leaving = leaving_[static_cast<size_t>(m)];
    leaving.clear();
    for (int place = 0; place < rows_; ++place) {
      const size_t slot = slot_of(m, place);
      Slot& s = slots_[slot];
      const bool last = ends(s, m, r);
      if (s.row < 0 || !(due(s, r) || last)) {
        continue;
      }
      const int own = r - s.entered;
      const bool stop =
          rule_->stops(slot, static_cast<size_t>(m), s, own, own / model_.schedule().period());
      if (stop || last) {
        leaving.push_back(place);
        some = true;
      }
    }
  }
  return some;
}

/// Readout of the leaving rows alone: `last` are their states, `from` their places.
Tensor Halting::read_leaving(
    Pass pass, const Inputs& in, Var e, const State& last, const Tensor& from) {
  const Context ctx = moved::whole(pass.tape.ctx);
  const Inputs few = rows_of(ctx, in, from);
  const Var few_e = pass.tape.constant(moved::gathered(ctx, e.value(), to_device(ctx, from)));
  std::vector<int> entered(static_cast<size_t>(from.numel()));
  for (size_t i = 0; i < entered.size(); ++i) {
    const int64_t m = static_cast<int64_t>(i) / from.dim(1);
    entered[i] = entered_[slot_of(m, from.as<int32_t>()[i])];
  }
  const std::vector<int> who = who_of(leaving_);
  pass.entered = entered;
  pass.tape.ctx.models = who;
  const Tensor logits = model_.readout(pass, few, last, few_e).value();
  pass.tape.ctx.models = {};
  return logits;
}

/// Hands over what the leaving rows leave behind and empties their places.
void Halting::deliver(
    Pass pass, const Readout& y, const Inputs& in, Trajectory& out, const State& h) {
  const Context ctx = moved::whole(pass.tape.ctx);
  const Tensor from = moved::tensor_of(ctx, leaving_, 0), there = to_device(ctx, from);
  const bool chosen = plan_.halt.kind == Halt::Kind::confident;
  Tensor logits = moved::gathered(ctx, chosen ? rule_->kept_logits() : y.logits.value(), there);
  State last;
  for (int p = 0; p < parts() && (!logits || plan_.queue == nullptr); ++p) {
    last[p] = pass.tape.constant(moved::gathered(ctx, h[p].value(), there));
  }
  if (!logits) {
    logits = read_leaving(pass, in, out.e, last, from);
  }
  hand_over(pass.r, ctx, logits, last, out);
  for (size_t m = 0; m < leaving_.size(); ++m) {
    for (const int place : leaving_[m]) {
      const size_t slot = slot_of(static_cast<int64_t>(m), place);
      slots_[slot].row = -1;
      --running_[m];
      if (!compact_) {
        live_[slot] = 0;
      }
    }
  }
}

/// logits and states (M, leaving, ...), after update r: to the queue, or to their places in `out`.
void Halting::hand_over(
    int r, const Context& ctx, const Tensor& logits, const State& last, Trajectory& out) {
  Lists rows(leaving_.size());
  for (size_t m = 0; m < leaving_.size(); ++m) {
    std::vector<int> steps, chosen;
    for (const int place : leaving_[m]) {
      const Slot& s = slots_[slot_of(static_cast<int64_t>(m), place)];
      rows[m].push_back(s.row);
      steps.push_back(r - s.entered);
      chosen.push_back(s.chosen);
    }
    if (plan_.queue != nullptr && !rows[m].empty()) {
      Tensor mine = logits.slice(static_cast<int64_t>(m), 1);
      mine.shape = mine.shape.with(1, static_cast<int64_t>(rows[m].size()));
      const int model = plan_.members.first + static_cast<int>(m);
      plan_.queue->leave(ctx, {model, rows[m], steps, chosen, mine});
    }
    for (size_t i = 0; plan_.queue == nullptr && i < rows[m].size(); ++i) {
      const size_t cell = m * static_cast<size_t>(all_.batch()) + static_cast<size_t>(rows[m][i]);
      out.steps[cell] = steps[i];
      out.chosen[cell] = chosen[i];
    }
  }
  if (plan_.queue == nullptr) {
    const Tensor to = to_device(ctx, moved::tensor_of(ctx, rows, -1));
    moved::scatter(ctx, logits, to, out.exit_logits);
    for (int p = 0; p < parts(); ++p) {
      moved::scatter(ctx, last[p].value(), to, final_[p].value());
    }
  }
}

bool Halting::decide(Pass pass,
                     int r,
                     const Readout& y,
                     const Tensor& change,
                     Inputs& in,
                     Trajectory& out,
                     State& h) {
  const Context ctx = moved::whole(pass.tape.ctx);
  rule_->read(pass.tape, y, change);
  const bool some = check_rows(r);
  rule_->keep(ctx, y.logits.value());
  if (!some) {
    return false;
  }
  const auto before = std::ranges::count(running_, 0);
  deliver(pass, y, in, out, h);
  if (plan_.queue != nullptr && model_.schedule().stationary()) {
    refill(pass, r, in, out, h);
  }
  const int most = *std::max_element(running_.begin(), running_.end());
  if (compact_ && most > 0 && most * 4 <= rows_ * 3) {
    compact(ctx, in, out, h);
  }
  return std::ranges::count(running_, 0) != before;
}

/// Places of rows that run, or free ones.
Halting::Lists Halting::places_that(bool run) const {
  Lists out(static_cast<size_t>(models_));
  for (int64_t m = 0; m < models_; ++m) {
    for (int place = 0; place < rows_; ++place) {
      if ((slots_[slot_of(m, place)].row >= 0) == run) {
        out[static_cast<size_t>(m)].push_back(place);
      }
    }
  }
  return out;
}

/// Rows that wait take the places that are free after update r.
void Halting::refill(Pass pass, int r, Inputs& in, Trajectory& out, State& h) {
  Lists places = places_that(false);
  const Lists rows = next_rows(places);
  const std::vector<int> who = who_of(rows);
  if (who.empty()) {
    return;
  }
  seat(rows, places, r);
  for (size_t m = 0; m < rows.size(); ++m) {
    places[m].resize(rows[m].size());
    for (const int place : places[m]) {
      rule_->begin(slot_of(static_cast<int64_t>(m), place));
    }
  }
  const Context ctx = moved::whole(pass.tape.ctx);
  Inputs few = rows_of(ctx, all_, moved::tensor_of(ctx, rows, 0));
  pass.entered = {};
  pass.r = 0;
  pass.tape.ctx.models = who;
  pass.phase = Phase::encode;
  const Var e = model_.encode(pass, few);
  pass.phase = Phase::loop;
  const State first = model_.init(pass, few, e);
  pass.tape.ctx.models = {};
  const Tensor host_to = moved::tensor_of(ctx, places, -1), to = to_device(ctx, host_to);
  for (size_t i = 0; i < in.tensors().size(); ++i) {
    moved::scatter(ctx, *few.tensors()[i], to, *in.tensors()[i]);
  }
  moved::scatter(moved::on_host(ctx), few.ids, host_to, in.ids);
  moved::scatter(ctx, e.value(), to, out.e.value());
  for (int p = 0; p < parts(); ++p) {
    moved::scatter(ctx, first[p].value(), to, h[p].value());
  }
}

/// Keeps the rows that still run; models with fewer than the most fill up with a row of their own
/// whose result is not looked at.
void Halting::compact(const Context& ctx, Inputs& in, Trajectory& out, State& h) {
  const Lists kept = places_that(true);
  const int count = *std::max_element(running_.begin(), running_.end());
  std::vector<Slot> slots(static_cast<size_t>(models_ * count));
  std::vector<int> entered(slots.size());
  for (size_t m = 0; m < kept.size(); ++m) {
    for (size_t j = 0; j < kept[m].size(); ++j) {
      const size_t to = m * static_cast<size_t>(count) + j;
      const size_t from = slot_of(static_cast<int64_t>(m), kept[m][j]);
      slots[to] = slots_[from];
      entered[to] = entered_[from];
      rule_->move(from, to);
    }
  }
  const Tensor rows = moved::tensor_of(ctx, kept, static_cast<int>(rows_) - 1);
  slots_ = slots;
  entered_ = entered;
  rows_ = count;
  for (Tensor* x : in.tensors()) {
    moved::compact(ctx, *x, rows);
  }
  moved::compact(moved::on_host(ctx), in.ids, rows);
  moved::compact(ctx, out.e->value, rows);
  moved::compact(ctx, rule_->kept_logits(), rows);
  for (int p = 0; p < parts(); ++p) {
    moved::compact(ctx, h[p]->value, rows);
  }
}

void Halting::finish(Trajectory& out) const {
  out.final = final_;
}

}  // namespace sv

#include "models/halting.h"

#include <algorithm>

#include "kernels/memory/copy.h"
#include "kernels/ops/rows/rows.h"

namespace sv {

namespace {

/// All models of the run: which rows an op looks at is said by its list of rows.
Context whole(const Context& ctx) {
  Context out = ctx;
  out.models = {};
  return out;
}

/// The context of what stays in host memory: the ids.
Context on_host(const Context& ctx) {
  Context out = whole(ctx);
  out.arena = &ctx.host();
  out.device = nullptr;
  return out;
}

/// Shortens the batch axis to the listed rows (M, count), in place. Rows are listed in ascending
/// order, and fill the end with the last one, so on the CPU no copy lands on a row still to be
/// read.
void compact_rows(const Context& ctx, Tensor& x, const Tensor& rows) {
  if (!x) {
    return;
  }
  const Tensor before = x;
  const int64_t models = rows.dim(0), count = rows.dim(1), from = x.dim(1);
  x.shape = x.shape.with(1, count);
  if (ctx.device) {
    const MemoryScope scope(ctx);
    const Tensor kept = make_tensor(*ctx.arena, x.shape, x.dtype);
    ops::gather_rows(ctx, before, to_device(ctx, rows), kept);
    copy_tensor(ctx, x, kept);
    return;
  }
  const size_t bytes = x.bytes() / static_cast<size_t>(models * count);
  auto* data = static_cast<std::byte*>(x.data);
  for (int64_t i = 0; i < models * count; ++i) {
    const int64_t source = i / count * from + rows.as<int32_t>()[i];
    std::memmove(
        data + static_cast<size_t>(i) * bytes, data + static_cast<size_t>(source) * bytes, bytes);
  }
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

/// i32 (M, longest) in host memory; shorter lists end in `filler`.
Tensor tensor_of(const Context& ctx, const std::vector<std::vector<int>>& lists, int filler) {
  size_t longest = 0;
  for (const auto& list : lists) {
    longest = std::max(longest, list.size());
  }
  const auto models = static_cast<int64_t>(lists.size());
  const Tensor out = host_tensor(ctx, {models, static_cast<int64_t>(longest)}, DType::i32);
  std::fill_n(out.as<int32_t>(), out.numel(), filler);
  for (size_t m = 0; m < lists.size(); ++m) {
    std::copy(lists[m].begin(), lists[m].end(), out.as<int32_t>() + m * longest);
  }
  return out;
}

/// The listed rows (M, count) of a batch.
Tensor gathered(const Context& ctx, const Tensor& x, const Tensor& rows) {
  if (!x) {
    return {};
  }
  const Tensor y = make_tensor(*ctx.arena, x.shape.with(1, rows.dim(1)), x.dtype);
  ops::gather_rows(ctx, x, rows, y);
  return y;
}

}  // namespace

Halting::Halting(const Plan& plan, Reasoner& model, const Context& ctx, Inputs& in, Trajectory& out)
    : plan_(plan),
      model_(model),
      models_(static_cast<int64_t>(out.depth.size())),
      rows_(in.batch()),
      depth_(out.depth) {
  const auto slots = static_cast<size_t>(models_ * rows_);
  const Tensor lengths = to_host(ctx, in.lengths);
  const auto number = [&](const Tensor& x, int64_t m, int64_t b) {
    return x.as<int32_t>()[(x.dim(0) == 1 ? 0 : m) * rows_ + b];
  };
  running_.resize(static_cast<size_t>(models_));
  leaving_.resize(static_cast<size_t>(models_));
  live_.resize(slots);
  for (int64_t m = 0; m < models_; ++m) {
    const bool runs = depth_[static_cast<size_t>(m)] > 0;
    for (int64_t b = 0; b < rows_; ++b) {
      Slot s;
      s.row = runs ? static_cast<int>(b) : -1;
      s.id = in.ids ? number(in.ids, m, b) : b;
      s.length = static_cast<int>(lengths ? number(lengths, m, b) : in.tokens.dim(2));
      slots_.push_back(s);
      live_[slot_of(m, b)] = runs ? 1 : 0;
    }
    running_[static_cast<size_t>(m)] = runs ? static_cast<int>(rows_) : 0;
  }
  for (Tensor* x : in.tensors()) {
    *x = expanded_copy(ctx, *x, models_);
  }
  in.ids = expanded_copy(on_host(ctx), in.ids, models_);
  out.chosen = out.steps;
}

void Halting::begin(Pass pass, const Inputs& in, Trajectory& out, const State& h, bool compact) {
  compact_ = compact;
  Tape& tape = pass.tape;
  const Context& ctx = tape.ctx;
  const DType dtype = model_.params().dtype();
  out.e = tape.constant(copy_of(ctx, out.e.value()));
  for (int p = 0; p < parts(); ++p) {
    final_[p] = tape.constant(copy_of(ctx, h[p].value()));
  }
  pass.taps = nullptr;
  Shape logits, score;
  {
    const MemoryScope scope(ctx);
    logits = model_.readout(pass, in, h, out.e).shape();
    const Var q = model_.halt_logit(pass, h);
    score = q ? q.shape() : Shape{};
  }
  out.exit_logits = make_tensor(*ctx.arena, logits, dtype);
  zero_tensor(ctx, out.exit_logits);
  const auto first = model_.params().seeds().begin() + plan_.members.first;
  rule_ = std::make_unique<HaltRule>(plan_.halt,
                                     ctx,
                                     std::span(first, static_cast<size_t>(models_)),
                                     plan_.periods,
                                     logits,
                                     score,
                                     dtype);
}

bool Halting::all_done() const {
  return std::all_of(running_.begin(), running_.end(), [](int n) { return n == 0; });
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
  for (int64_t i = 0; i < models_ * rows_; ++i) {
    const Slot& s = slots_[static_cast<size_t>(i)];
    if (s.row >= 0 && (due(s, r) || ends(s, static_cast<int>(i / rows_), r))) {
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
      ops::scatter_rows(whole(ctx), from, rows, to);
    }
  }
}

/// Lists the rows that stop after update r; true if there are any.
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

/// Stores what the leaving rows leave behind and empties their slots. Unless all rows were read
/// out, they alone are.
void Halting::deliver(
    Pass pass, const Readout& y, const Inputs& in, Trajectory& out, const State& h) {
  const Context ctx = whole(pass.tape.ctx);
  const Tensor host_from = tensor_of(ctx, leaving_, 0), from = to_device(ctx, host_from);
  State last;
  for (int p = 0; p < parts(); ++p) {
    last[p] = pass.tape.constant(gathered(ctx, h[p].value(), from));
  }
  const bool chosen = plan_.halt.kind == Halt::Kind::confident;
  Tensor logits = gathered(ctx, chosen ? rule_->kept_logits() : y.logits.value(), from);
  if (!logits) {
    Inputs few = in;
    for (Tensor* x : few.tensors()) {
      *x = gathered(ctx, *x, from);
    }
    few.ids = gathered(on_host(ctx), few.ids, host_from);
    const Var e = pass.tape.constant(gathered(ctx, out.e.value(), from));
    std::vector<int> who;
    for (int m = 0; m < models_; ++m) {
      if (!leaving_[static_cast<size_t>(m)].empty()) {
        who.push_back(m);
      }
    }
    pass.tape.ctx.models = who;
    logits = model_.readout(pass, few, last, e).value();
    pass.tape.ctx.models = {};
  }
  Lists rows = leaving_;
  for (int64_t m = 0; m < models_; ++m) {
    for (int& place : rows[static_cast<size_t>(m)]) {
      const size_t slot = slot_of(m, place);
      Slot& s = slots_[slot];
      place = s.row;
      const auto cell = static_cast<size_t>(m) * out.steps.size() / static_cast<size_t>(models_) +
                        static_cast<size_t>(s.row);
      out.steps[cell] = pass.r - s.entered;
      out.chosen[cell] = s.chosen;
      s.row = -1;
      --running_[static_cast<size_t>(m)];
      if (!compact_) {
        live_[slot] = 0;
      }
    }
  }
  const Tensor to = to_device(ctx, tensor_of(ctx, rows, -1));
  ops::scatter_rows(ctx, logits, to, out.exit_logits);
  for (int p = 0; p < parts(); ++p) {
    ops::scatter_rows(ctx, last[p].value(), to, final_[p].value());
  }
}

bool Halting::decide(Pass pass,
                     int r,
                     const Readout& y,
                     const Tensor& change,
                     Inputs& in,
                     Trajectory& out,
                     State& h) {
  const std::vector<int> before = running_;
  const Context ctx = whole(pass.tape.ctx);
  rule_->read(pass.tape, y, change);
  const bool some = check_rows(r);
  rule_->keep(ctx, y.logits.value());
  if (some) {
    deliver(pass, y, in, out, h);
  }
  const int most = *std::max_element(running_.begin(), running_.end());
  if (compact_ && most > 0 && most * 4 <= rows_ * 3) {
    compact(ctx, in, out, h);
  }
  const auto done = [](int n) { return n == 0; };
  return std::count_if(before.begin(), before.end(), done) !=
         std::count_if(running_.begin(), running_.end(), done);
}

/// Keeps the rows that still run; models with fewer than the most fill up with a row of their own
/// whose result is not looked at.
void Halting::compact(const Context& ctx, Inputs& in, Trajectory& out, State& h) {
  Lists kept(static_cast<size_t>(models_));
  const int count = *std::max_element(running_.begin(), running_.end());
  for (int64_t m = 0; m < models_; ++m) {
    for (int place = 0; place < rows_; ++place) {
      if (slots_[slot_of(m, place)].row >= 0) {
        kept[static_cast<size_t>(m)].push_back(place);
      }
    }
  }
  const Tensor rows = tensor_of(ctx, kept, static_cast<int>(rows_) - 1);
  std::vector<Slot> slots(static_cast<size_t>(models_ * count));
  for (size_t m = 0; m < kept.size(); ++m) {
    for (size_t j = 0; j < kept[m].size(); ++j) {
      const size_t to = m * static_cast<size_t>(count) + j;
      const size_t from = slot_of(static_cast<int64_t>(m), kept[m][j]);
      slots[to] = slots_[from];
      rule_->move(from, to);
    }
  }
  slots_ = slots;
  rows_ = count;
  for (Tensor* x : in.tensors()) {
    compact_rows(ctx, *x, rows);
  }
  compact_rows(on_host(ctx), in.ids, rows);
  compact_rows(ctx, out.e->value, rows);
  compact_rows(ctx, rule_->kept_logits(), rows);
  for (int p = 0; p < parts(); ++p) {
    compact_rows(ctx, h[p]->value, rows);
  }
}

void Halting::finish(Trajectory& out) const {
  out.final = final_;
}

}  // namespace sv

// The loop. Two ways to make an update share everything but memory: recorded ones leave their Vars
// on the tape, plain ones copy the new state to the bottom of the arena and give the rest back, so
// memory is flat in R.
#include "models/unroll.h"

#include "kernels/autograd/checkpoint.h"
#include "kernels/autograd/implicit.h"
#include "kernels/memory/copy.h"
#include "kernels/memory/device.h"
#include "kernels/ops/elementwise/elementwise.h"
#include "kernels/ops/reduce/reduce.h"
#include "models/loop.h"

namespace sv {

void Trajectory::clear() {
  e = {};
  final = {};
  readouts.clear();
  depth.clear();
  steps.clear();
  chosen.clear();
  states.clear();
  residual = {};
  exit_logits = {};
  session.reset();
  blocks = {};
  updates_run = 0;
  row_updates = 0;
}

namespace {

/// Models that have finished keep their state bit for bit: their slots are copied from before.
void keep_finished(
    Context ctx, const State& before, State& after, int parts, std::span<const int> active) {
  if (active.empty()) {
    return;
  }
  const auto models = static_cast<int>(after[0].shape()[0]);
  int* list = ctx.host().alloc_n<int>(static_cast<size_t>(models));
  size_t count = 0;
  for (int m = 0; m < models; ++m) {
    if (!listed(active, m)) {
      list[count++] = m;
    }
  }
  ctx.models = {list, count};
  for (int p = 0; count > 0 && p < parts; ++p) {
    const Tensor to = after[p].value();
    const Tensor from = before[p].value();
    if (to.data != from.data) {
      ops::put(ctx, from, {to, GradientMode::overwrite});
    }
  }
}

/// Update r, with the taps around the part it writes; `map`: by the map whose fixed point is
/// sought.
State call_step(
    Reasoner& model, Pass pass, const Inputs& in, const State& h, Var e, bool map = false) {
  const TimeRange range(pass.tape.ctx.device, "iteration", pass.r);
  const Schedule& schedule = model.schedule();
  const auto tapped = [&](Point point, State state) {
    for (int p = 0; p < static_cast<int>(schedule.parts.size()); ++p) {
      if (schedule.writes_part(pass.r, p)) {
        state[p] = pass.tap(point, state[p], -1, p);
      }
    }
    return state;
  };
  const State before = tapped(Point::state_in, h);
  return tapped(Point::state_out,
                map ? model.map(pass, in, before, e) : model.step(pass, in, before, e));
}

}  // namespace

/// `logits` false: the halting scores alone.
Readout Loop::read_out(Tape& tape, int r, std::span<const int> models, bool logits) {
  const std::span<const int> outer = tape.ctx.models;
  tape.ctx.models = models;
  const TimeRange range(tape.ctx.device, "readout", r);
  Pass at = pass(tape, Phase::readout, r);
  Readout y;
  y.r = r;
  y.models = models;
  if (logits) {
    y.logits = model_.readout(at, in_, h_, out_.e);
    note(read_outs_, r, models);
  }
  at.phase = Phase::loop;
  y.halt = model_.halt_logit(at, h_);
  if (y.halt) {
    y.halt = at.tap(Point::halt, y.halt);
    note(halts_, r, models);
  }
  y.go_on = model_.continue_logit(at, h_);
  if (logits && tape.recording()) {
    y.penalty = model_.penalty(at, in_, h_, out_.e);
  }
  tape.ctx.models = outer;
  return y;
}

/// last_k: models for which update r carries no gradient go on from their state as a constant.
/// Their update is recorded only because a neighbour's is; alone it would be a plain one.
void Loop::detach_after(int r) {
  const int64_t reach = gradient_reach();
  const auto ends = [&](int m) { return depth_of(m) - reach >= r; };
  bool some = false;
  for (int m = 0; m < models(); ++m) {
    some = some || ends(m);
  }
  if (!some) {
    return;
  }
  bool any = false;
  const std::span<const int> keep = models_where([&](int m) { return !ends(m); }, any);
  for (int p = 0; p < parts(); ++p) {
    const Var x = h_[p];
    if (!any || !x.needs_grad()) {
      h_[p] = tape_.constant(x.value());
      continue;
    }
    tape_.ctx.models = keep;
    h_[p] = tape_.alias(x);
    tape_.record(h_[p], [=](Tape& t, const Tensor& dy) { ops::put(t.ctx, dy, t.grad_into(x)); });
    tape_.ctx.models = base_;
  }
}

/// Moves the state to memory of its own at the bottom of the arena, where plain updates rewrite it.
void Loop::keep_state() {
  for (int p = 0; p < parts(); ++p) {
    h_[p] = tape_.constant(copy_of(tape_.ctx, h_[p].value()));
  }
  kept_ = true;
}

/// Relative change of the part that update r wrote, per row; zero for finished models.
void Loop::measure_change(const Tape& tape, int r, const State& after) {
  if (change_MB_) {
    const int part = model_.schedule().part_of(r);
    change_MB_.shape = change_MB_.shape.with(1, in_.batch());  // the batch may have been compacted
    zero_tensor(tape.ctx, change_MB_);
    ops::change(tape.ctx, after[part].value(), h_[part].value(), change_MB_);
  }
}

void Loop::step_plain(int r) {
  if (!kept_) {
    keep_state();
  }
  const MemoryScope scope(tape_.ctx);
  Tape tape(tape_.ctx, false);
  tape.ctx.models = active_;
  State after = call_step(model_, pass(tape, Phase::loop, r), in_, h_, out_.e);
  keep_finished(tape.ctx, h_, after, parts(), active_);
  if (halting_) {
    halting_->freeze_rows(tape.ctx, h_, after);
  }
  measure_change(tape, r, after);
  for (int p = 0; p < parts(); ++p) {
    if (after[p].value().data != h_[p].value().data) {
      copy_tensor(tape.ctx, h_[p].value(), after[p].value());
    }
  }
}

void Loop::step_recorded(int r) {
  tape_.ctx.models = active_;
  const bool implicit = plan_.gradient.kind == Gradient::Kind::implicit;
  if (implicit && r == last_r_ - model_.schedule().period() + 1) {
    before_last_ = h_;
  }
  State after = call_step(model_, pass(tape_, Phase::loop, r), in_, h_, out_.e, implicit);
  keep_finished(tape_.ctx, h_, after, parts(), active_);
  measure_change(tape_, r, after);
  h_ = after;
  kept_ = false;
  tape_.ctx.models = base_;
  detach_after(r);
  if (implicit && r == last_r_) {
    end_at_fixed_point(r);
  }
}

/// The last period has been recorded: gradients that reach its end are those of the fixed point.
void Loop::end_at_fixed_point(int r) {
  for (int m = 0; m < models(); ++m) {
    SV_CHECK(depth_of(m) == 0 || depth_of(m) == r,
             "the implicit gradient needs one depth for all models of a run, got ",
             depth_of(m),
             " and ",
             r);
  }
  const size_t n = static_cast<size_t>(parts());
  const int first = r - model_.schedule().period() + 1;
  Reasoner* model = &model_;
  TapSession* taps = taps_;
  const Inputs inputs = in_;
  const Members members = plan_.members;
  const PackedWeights* packed = plan_.packed;
  const uint64_t step = plan_.step;
  const Tensor e = out_.e.value();
  implicit_gradient(
      tape_,
      {before_last_.part.data(), n},
      {h_.part.data(), n},
      plan_.gradient.k,
      [=](Tape& tape, const CheckpointVars& x, CheckpointVars& y) {
        State h;
        std::copy_n(x.begin(), n, h.part.begin());
        if (taps != nullptr) {
          taps->set_replay(true);
        }
        for (int at = first; at <= r; ++at) {
          Pass pass{tape, model->params(), taps, Phase::loop, at, members, packed, nullptr, step};
          h = call_step(*model, pass, inputs, h, tape.constant(e), true);
        }
        if (taps != nullptr) {
          taps->set_replay(false);
        }
        std::copy_n(h.part.begin(), n, y.begin());
      });
}

/// Updates r0 .. r1 as one recomputed segment.
void Loop::step_checkpointed(int r0, int r1) {
  tape_.ctx.models = active_;
  const size_t n = static_cast<size_t>(parts());
  CheckpointVars in{};
  CheckpointVars out{};
  std::copy_n(h_.part.begin(), n, in.begin());
  in[n] = out_.e;
  Reasoner* model = &model_;
  TapSession* taps = taps_;
  const Inputs inputs = in_;
  const Members members = plan_.members;
  const PackedWeights* packed = plan_.packed;
  const uint64_t step = plan_.step;
  checkpoint(
      tape_,
      {in.data(), n + 1},
      {in.data(), n},
      {out.data(), n},
      [=](Tape& tape, const CheckpointVars& x, CheckpointVars& y, bool replay) {
        State h;
        std::copy_n(x.begin(), n, h.part.begin());
        if (taps != nullptr) {
          taps->set_replay(replay);
        }
        for (int r = r0; r <= r1; ++r) {
          Pass at{tape, model->params(), taps, Phase::loop, r, members, packed, nullptr, step};
          h = call_step(*model, at, inputs, h, x[n]);
        }
        if (taps != nullptr) {
          taps->set_replay(false);
        }
        std::copy_n(h.part.begin(), n, y.begin());
      });
  State after;
  std::copy_n(out.begin(), n, after.part.begin());
  keep_finished(tape_.ctx, h_, after, parts(), active_);
  measure_change(tape_, r1, after);
  h_ = after;
  kept_ = false;
  tape_.ctx.models = base_;
}

/// Keeps the state after update r if the plan asks for it.
void Loop::save_state(int r) {
  if (!std::binary_search(plan_.save.states.begin(), plan_.save.states.end(), r)) {
    return;
  }
  State saved = h_;
  for (int p = 0; kept_ && p < parts(); ++p) {
    saved[p] = tape_.constant(copy_of(tape_.ctx, h_[p].value()));
  }
  out_.states.emplace_back(r, saved);
}

/// Everything that looks at the state after update r, the last of the `made` ones before it:
/// residual, readouts, observer, halting, saved states.
void Loop::finish_update(int r, int made) {
  out_.updates_run += made;
  const int64_t live_models = active_.empty() ? models() : static_cast<int64_t>(active_.size());
  const bool refilled = plan_.queue != nullptr && model_.schedule().stationary();
  out_.row_updates += made * (refilled ? halting_->running() : live_models * in_.batch());
  if (out_.residual) {
    const Tensor row = out_.residual.slice(r - first_r() - 1, 1);
    copy_tensor(tape_.ctx, row, change_MB_);
  }
  save_state(r);
  const bool check = halting_ && halting_->checks_at(r);
  const bool all = check && halting_->reads_all();
  const bool asked = !halting_ || plan_.on_update;
  bool any = false;
  const auto reads = [&](int m) {
    return listed(active_, m) && (all || (asked && read_out_at(r, m)));
  };
  for (int m = 0; m < models(); ++m) {
    any = any || (listed(base_, m) && reads(m));
  }
  if (!plan_.on_update && !halting_ && !plan_.save.drop_readouts) {
    if (!any) {
      return;
    }
    out_.readouts.push_back(read_out(tape_, r, models_where(reads, any)));
    // Its records refer to the state, so the next plain update must not write over it.
    kept_ = kept_ && !tape_.recording();
    return;
  }
  const MemoryScope scope(tape_.ctx);
  Tape tape(tape_.ctx, false);
  const bool scored = check && halting_->reads_scores();
  Readout y;
  if (any || scored) {
    y = read_out(tape, r, any ? models_where(reads, any) : active_, any);
  }
  if (plan_.on_update) {
    plan_.on_update({r, active_, h_, y.logits.value(), change_MB_});
  }
  if (check) {
    Pass at = pass(tape, Phase::readout, r);
    active_stale_ = halting_->decide(at, r, y, change_MB_, in_, out_, h_) || active_stale_;
  }
}

void Loop::run() {
  SV_CHECK(tape_.ctx.device == model_.params().device(),
           "the parameters of this model are on ",
           device_name(model_.params().device()),
           ", its run is on ",
           device_name(tape_.ctx.device));
  SV_CHECK(plan_.cache == nullptr ||
               (model_.decodes() && !tape_.recording() && plan_.halt.kind == Halt::Kind::none),
           "only causal models without gradient and halting run with a cache of earlier positions");
  plan_depths();
  if (plan_.halt.kind != Halt::Kind::none) {
    SV_CHECK(plan_.gradient.kind == Gradient::Kind::none,
             "rows halt in inference only; training draws its depth");
    halting_ = std::make_unique<Halting>(plan_, model_, tape_.ctx, in_, out_);
    if (halting_->all_done()) {
      return;  // nothing waits
    }
  }
  open_taps();
  Pass at = pass(tape_, Phase::encode, 0);
  out_.e = model_.encode(at, in_);
  h_ = first_state();
  if (halting_) {
    keep_state();
    halting_->begin(pass(tape_, Phase::readout, 1), in_, out_, h_);
    if (taps_ != nullptr) {
      taps_->set_live(halting_->live());
    }
  }
  if (plan_.save.residual || plan_.halt.kind == Halt::Kind::change) {
    change_MB_ = make_tensor(tape_.arena(), {models(), in_.batch()}, model_.params().dtype());
  }
  if (plan_.save.residual && !plan_.on_update) {
    out_.residual = make_tensor(
        tape_.arena(), {last_r_ - first_r(), models(), in_.batch()}, model_.params().dtype());
    zero_tensor(tape_.ctx, out_.residual);
  }
  save_state(first_r());
  for (int r = first_r(); r < last_r_ && !(halting_ && halting_->all_done());) {
    int end = r + 1;
    update_active(end);
    if (!gradient_at(end)) {
      step_plain(end);
    } else {
      if (plan_.gradient.kind == Gradient::Kind::checkpoint) {
        end = segment_end(r);
        step_checkpointed(r + 1, end);
      } else {
        step_recorded(end);
      }
    }
    finish_update(end, end - r);
    r = end;
    active_stale_ =
        active_stale_ || std::find(out_.depth.begin(), out_.depth.end(), r) != out_.depth.end();
  }
  out_.final = h_;
  if (halting_) {
    SV_CHECK(halting_->all_done(), "the run ended after ", last_r_, " updates, before its rows");
    halting_->finish(out_);
  }
  if (taps_ != nullptr) {
    taps_->finish_reads();
    taps_->check(out_.steps, read_outs_, halts_);
  }
}

void unroll(Reasoner& model, const Inputs& inputs, const Plan& plan, Tape& tape, Trajectory& out) {
  out.clear();
  Loop(model, inputs, plan, tape, out).run();
}

}  // namespace sv

// The loop. Two ways to make an update share everything but memory: recorded ones leave their Vars
// on the tape, plain ones copy the new state to the bottom of the arena and give the rest back, so
// memory is flat in R.
#include "models/unroll.h"

#include <algorithm>
#include <climits>

#include "kernels/autograd/checkpoint.h"
#include "kernels/ops/elementwise/elementwise.h"
#include "kernels/ops/reduce/reduce.h"
#include "models/halting.h"

namespace sv {

void Trajectory::clear() {
  e = {};
  final = {};
  readouts.clear();
  depth.clear();
  steps.clear();
  states.clear();
  residual = {};
  exit_logits = {};
  session.reset();
  updates_run = 0;
  row_updates = 0;
}

namespace {

bool listed(std::span<const int> models, int m) {
  return models.empty() || std::find(models.begin(), models.end(), m) != models.end();
}

/// Models that have finished keep their state bit for bit: their slots are copied from before.
void keep_finished(const State& before, State& after, int parts, std::span<const int> active) {
  for (int p = 0; !active.empty() && p < parts; ++p) {
    const Tensor to = after[p].value();
    const Tensor from = before[p].value();
    for (int m = 0; to.data != from.data && m < static_cast<int>(to.dim(0)); ++m) {
      if (!listed(active, m)) {
        std::memcpy(to.slice(m, 1).data, from.slice(m, 1).data, from.slice(m, 1).bytes());
      }
    }
  }
}

/// Update r, with the taps around the part it writes.
State call_step(
    Reasoner& model, TapSession* taps, const Inputs& in, Tape& tape, const State& h, Var e, int r) {
  Pass pass{tape, model.params(), taps, Phase::loop, r};
  const int part = model.schedule().part_of(r);
  State before = h;
  before[part] = pass.tap(Point::state_in, h[part], -1, part);
  State after = model.step(pass, in, before, e);
  after[part] = pass.tap(Point::state_out, after[part], -1, part);
  return after;
}

/// One run of the loop; its members are the run's state.
class Loop {
 public:
  Loop(Reasoner& model, const Inputs& inputs, const Plan& plan, Tape& tape, Trajectory& out)
      : model_(model), in_(inputs), plan_(plan), tape_(tape), out_(out), base_(tape.ctx.models) {}
  void run();

 private:
  void plan_depths();
  void open_taps();
  State first_state();
  template <class F>
  std::span<const int> models_where(F predicate, bool& any);
  void update_active(int r);
  bool read_out_at(int r, int m) const;
  int gradient_reach() const;
  bool gradient_at(int r) const;
  int segment_end(int r) const;
  void step_recorded(int r);
  void step_plain(int r);
  void step_checkpointed(int r0, int r1);
  void detach_after(int r);
  void keep_state();
  void measure_change(const Tape& tape, int r, const State& after);
  void finish_update(int r, int made);
  void save_state(int r);
  Readout read_out(Tape& tape, int r, std::span<const int> models);
  void note(std::vector<int>& where, int r, std::span<const int> models) const;
  int first_r() const { return plan_.start != nullptr ? plan_.start->r : 0; }
  int parts() const { return static_cast<int>(model_.schedule().parts.size()); }
  int depth_of(int m) const { return out_.depth[static_cast<size_t>(m)]; }

  Reasoner& model_;
  Inputs in_;  // compacted by Halting
  const Plan& plan_;
  Tape& tape_;
  Trajectory& out_;
  std::span<const int> base_;    // models of the run; empty = all
  std::span<const int> active_;  // models that make the current update
  bool active_stale_ = true;
  TapSession* taps_ = nullptr;
  std::unique_ptr<Halting> halting_;
  int last_r_ = 0;
  State h_;
  bool kept_ = false;           // h_ lives at the bottom of the arena
  Tensor change_MB_;            // of the current update, when somebody wants it
  std::vector<int> read_outs_;  // (R + 1, M), with taps only: readouts made
  std::vector<int> halts_;      // (R + 1, M), with taps only: halting scores made
};

/// Ascending list of the run's models for which the predicate holds; the empty list stands for all
/// M, so `any` says whether there is one at all.
template <class F>
std::span<const int> Loop::models_where(F predicate, bool& any) {
  int* list = tape_.arena().alloc_n<int>(static_cast<size_t>(model_.models()));
  size_t count = 0;
  for (int m = 0; m < model_.models(); ++m) {
    if (listed(base_, m) && predicate(m)) {
      list[count++] = m;
    }
  }
  any = count > 0;
  return count == static_cast<size_t>(model_.models()) ? std::span<const int>{}
                                                       : std::span<const int>{list, count};
}

void Loop::plan_depths() {
  const int period = model_.schedule().period();
  const int models = model_.models();
  out_.depth.resize(static_cast<size_t>(models));
  for (int m = 0; m < models; ++m) {
    const int cycles =
        plan_.depth.draw(model_.params().seeds()[static_cast<size_t>(m)], plan_.step);
    out_.depth[static_cast<size_t>(m)] = listed(base_, m) ? cycles * period : 0;
  }
  last_r_ = *std::max_element(out_.depth.begin(), out_.depth.end());
  const int limit = model_.schedule().max_updates;
  SV_CHECK(limit == 0 || last_r_ <= limit,
           "this model has ",
           limit,
           " untied updates and cannot make ",
           last_r_);
  SV_CHECK(first_r() < last_r_,
           "the run starts after update ",
           first_r(),
           " and its depth is ",
           last_r_);
  SV_CHECK(plan_.gradient.kind == Gradient::Kind::none || tape_.recording(),
           "a gradient needs a recording tape");
  const size_t batch = static_cast<size_t>(in_.batch());
  out_.steps.resize(static_cast<size_t>(models) * batch);
  for (size_t i = 0; i < out_.steps.size(); ++i) {
    out_.steps[i] = out_.depth[i / batch];
  }
}

void Loop::open_taps() {
  if (plan_.taps == nullptr || plan_.taps->empty()) {
    return;
  }
  const std::vector<Site> sites = model_.sites();
  out_.session = std::make_shared<TapSession>(*plan_.taps,
                                              sites,
                                              model_.schedule(),
                                              first_r(),
                                              last_r_,
                                              model_.models(),
                                              static_cast<int>(in_.batch()),
                                              base_);
  taps_ = out_.session.get();
  const size_t cells = (static_cast<size_t>(last_r_) + 1) * static_cast<size_t>(model_.models());
  read_outs_.assign(cells, 0);
  halts_.assign(cells, 0);
}

State Loop::first_state() {
  if (plan_.start == nullptr) {
    Pass pass{tape_, model_.params(), nullptr, Phase::loop, 0};
    return model_.init(pass, in_, out_.e);
  }
  State h;
  for (int p = 0; p < parts(); ++p) {
    const Tensor& x = plan_.start->parts[static_cast<size_t>(p)];
    SV_CHECK(x && x.dim(0) == model_.models() && x.dim(1) == in_.batch(),
             "start state ",
             x.shape,
             " for M = ",
             model_.models(),
             ", B = ",
             in_.batch());
    h[p] = tape_.constant(x);
  }
  return h;
}

void Loop::update_active(int r) {
  if (!active_stale_) {
    return;
  }
  bool any = false;
  active_ = models_where(
      [&](int m) { return depth_of(m) >= r && !(halting_ && halting_->done(m)); }, any);
  active_stale_ = false;
}

bool Loop::read_out_at(int r, int m) const {
  switch (plan_.save.readouts) {
    case SaveAt::Readouts::none:
      return false;
    case SaveAt::Readouts::last:
      return r == depth_of(m);
    case SaveAt::Readouts::every:
      return r <= depth_of(m);
    case SaveAt::Readouts::list: {
      const auto& list = plan_.save.readout_list;
      return r <= depth_of(m) && std::binary_search(list.begin(), list.end(), r);
    }
  }
  return false;
}

/// Updates before a model's last that carry gradient, counting the last; INT_MAX when all do.
int Loop::gradient_reach() const {
  switch (plan_.gradient.kind) {
    case Gradient::Kind::none:
      return 0;
    case Gradient::Kind::last_k:
      return plan_.gradient.k;
    case Gradient::Kind::one_step:
      return model_.schedule().one_step();
    case Gradient::Kind::full:
    case Gradient::Kind::checkpoint:
      break;
  }
  return INT_MAX;
}

/// True when update r of some model carries gradient.
bool Loop::gradient_at(int r) const {
  const int64_t reach = gradient_reach();
  return reach > 0 && std::any_of(out_.depth.begin(), out_.depth.end(), [&](int depth) {
           return depth >= r && r > depth - reach;
         });
}

/// A checkpointed segment ends after k updates, and wherever somebody looks at the state or a model
/// finishes.
int Loop::segment_end(int r) const {
  for (int end = r + 1; end < last_r_; ++end) {
    bool stop = end - r >= plan_.gradient.k || plan_.save.residual ||
                std::binary_search(plan_.save.states.begin(), plan_.save.states.end(), end) ||
                plan_.on_update;
    for (int m = 0; m < model_.models(); ++m) {
      stop = stop || depth_of(m) == end || read_out_at(end, m);
    }
    if (stop) {
      return end;
    }
  }
  return last_r_;
}

void Loop::note(std::vector<int>& where, int r, std::span<const int> models) const {
  for (int m = 0; taps_ != nullptr && m < model_.models(); ++m) {
    if (listed(models, m) && listed(base_, m)) {
      where[static_cast<size_t>(r) * static_cast<size_t>(model_.models()) +
            static_cast<size_t>(m)] = 1;
    }
  }
}

Readout Loop::read_out(Tape& tape, int r, std::span<const int> models) {
  const std::span<const int> outer = tape.ctx.models;
  tape.ctx.models = models;
  Pass pass{tape, model_.params(), taps_, Phase::readout, r};
  Readout y;
  y.r = r;
  y.models = models;
  y.logits = model_.readout(pass, in_, h_, out_.e);
  note(read_outs_, r, models);
  pass.phase = Phase::loop;
  y.halt = model_.halt_logit(pass, h_);
  if (y.halt) {
    y.halt = pass.tap(Point::halt, y.halt);
    note(halts_, r, models);
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
  for (int m = 0; m < model_.models(); ++m) {
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
    h_[p] = tape_.constant(copy_of(tape_.arena(), h_[p].value()));
  }
  kept_ = true;
}

/// Relative change of the part that update r wrote, per row; zero for finished models.
void Loop::measure_change(const Tape& tape, int r, const State& after) {
  if (change_MB_) {
    const int part = model_.schedule().part_of(r);
    change_MB_.shape = change_MB_.shape.with(1, in_.batch());  // the batch may have been compacted
    change_MB_.zero();
    ops::change(tape.ctx, after[part].value(), h_[part].value(), change_MB_);
  }
}

void Loop::step_plain(int r) {
  if (!kept_) {
    keep_state();
  }
  const ArenaScope scope(tape_.arena());
  Tape tape(tape_.ctx, false);
  tape.ctx.models = active_;
  State after = call_step(model_, taps_, in_, tape, h_, out_.e, r);
  keep_finished(h_, after, parts(), active_);
  if (halting_) {
    halting_->freeze_rows(h_, after);
  }
  measure_change(tape, r, after);
  for (int p = 0; p < parts(); ++p) {
    if (after[p].value().data != h_[p].value().data) {
      std::memcpy(h_[p]->value.data, after[p].value().data, after[p].value().bytes());
    }
  }
}

void Loop::step_recorded(int r) {
  tape_.ctx.models = active_;
  State after = call_step(model_, taps_, in_, tape_, h_, out_.e, r);
  keep_finished(h_, after, parts(), active_);
  measure_change(tape_, r, after);
  h_ = after;
  kept_ = false;
  tape_.ctx.models = base_;
  detach_after(r);
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
  checkpoint(tape_,
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
                 h = call_step(*model, taps, inputs, tape, h, x[n], r);
               }
               if (taps != nullptr) {
                 taps->set_replay(false);
               }
               std::copy_n(h.part.begin(), n, y.begin());
             });
  State after;
  std::copy_n(out.begin(), n, after.part.begin());
  keep_finished(h_, after, parts(), active_);
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
    saved[p] = tape_.constant(copy_of(tape_.arena(), h_[p].value()));
  }
  out_.states.emplace_back(r, saved);
}

/// Everything that looks at the state after update r, the last of the `made` ones before it:
/// residual, readouts, observer, halting, saved states.
void Loop::finish_update(int r, int made) {
  out_.updates_run += made;
  const int64_t live_models =
      active_.empty() ? model_.models() : static_cast<int64_t>(active_.size());
  out_.row_updates += made * live_models * in_.batch();
  if (out_.residual) {
    const Tensor row = out_.residual.slice(r - first_r() - 1, 1);
    std::memcpy(row.data, change_MB_.data, row.bytes());
  }
  save_state(r);
  const bool keep = !plan_.on_update && !halting_;
  const Arena::Mark mark = tape_.arena().mark();
  bool any = false;
  const bool score = halting_ && halting_->scores_at(r);
  const std::span<const int> readers =
      models_where([&](int m) { return listed(active_, m) && (score || read_out_at(r, m)); }, any);
  if (keep && any) {
    out_.readouts.push_back(read_out(tape_, r, readers));
    // Its records refer to the state, so the next plain update must not write over it.
    kept_ = kept_ && !tape_.recording();
    return;
  }
  Tape tape(tape_.ctx, false);
  const Readout y = any ? read_out(tape, r, readers) : Readout{};
  if (plan_.on_update) {
    plan_.on_update({r, active_, h_, y.logits.value(), change_MB_});
  }
  if (score) {
    active_stale_ =
        halting_->decide(tape, r, r == last_r_, active_, y, change_MB_, in_, out_, h_) ||
        active_stale_;
  }
  tape_.arena().rewind(mark);
}

void Loop::run() {
  plan_depths();
  open_taps();
  Pass pass{tape_, model_.params(), taps_, Phase::encode, 0};
  out_.e = model_.encode(pass, in_);
  h_ = first_state();
  const int64_t models = model_.models();
  if (plan_.halt.kind != Halt::Kind::none) {
    SV_CHECK(plan_.gradient.kind == Gradient::Kind::none,
             "rows halt in inference only; training draws its depth");
    // Whoever looks at rows of the batch must find them at their places.
    const bool compact =
        taps_ == nullptr && !plan_.on_update && !plan_.save.residual && plan_.save.states.empty();
    keep_state();
    halting_ = std::make_unique<Halting>(plan_.halt, model_, tape_, in_, out_, h_, compact);
    if (taps_ != nullptr) {
      taps_->set_live(halting_->live());
    }
  }
  if (plan_.save.residual || plan_.halt.kind == Halt::Kind::change) {
    change_MB_ = make_tensor(tape_.arena(), {models, in_.batch()}, model_.params().dtype());
  }
  if (plan_.save.residual && !plan_.on_update) {
    out_.residual = make_tensor(
        tape_.arena(), {last_r_ - first_r(), models, in_.batch()}, model_.params().dtype());
    out_.residual.zero();
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
    halting_->finish(out_);
  }
  if (taps_ != nullptr) {
    taps_->check(out_.steps, read_outs_, halts_);
  }
}

}  // namespace

void unroll(Reasoner& model, const Inputs& inputs, const Plan& plan, Tape& tape, Trajectory& out) {
  out.clear();
  Loop(model, inputs, plan, tape, out).run();
}

}  // namespace sv

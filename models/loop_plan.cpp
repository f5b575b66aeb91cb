// What the plan says about every update of a run: depths, taps, who is active, what is read out,
// what carries gradient.
#include <algorithm>
#include <climits>

#include "kernels/memory/copy.h"
#include "kernels/ops/compact/compact.h"
#include "models/loop.h"

namespace sv {

void Loop::plan_depths() {
  const int period = model_.schedule().period();
  const int count = models();
  out_.depth.resize(static_cast<size_t>(count));
  for (int m = 0; m < count; ++m) {
    const int cycles = plan_.depth.draw(
        model_.params().seeds()[static_cast<size_t>(plan_.members.first + m)], plan_.step);
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
  if (plan_.queue != nullptr) {
    check_queue();
    last_r_ = model_.schedule().stationary() ? INT_MAX : last_r_;
    return;  // what rows leave goes to the queue
  }
  const size_t batch = static_cast<size_t>(in_.batch());
  out_.steps.resize(static_cast<size_t>(count) * batch);
  for (size_t i = 0; i < out_.steps.size(); ++i) {
    out_.steps[i] = out_.depth[i / batch];
  }
}

void Loop::check_queue() const {
  SV_CHECK(plan_.halt.kind != Halt::Kind::none, "rows of a queue leave by a halting rule");
  SV_CHECK(plan_.start == nullptr && !plan_.on_update && !plan_.save.residual &&
               plan_.save.states.empty() && (plan_.taps == nullptr || plan_.taps->empty()),
           "rows of a queue have no places of their own: no start, taps, observer, saved states or "
           "residuals");
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
                                              models(),
                                              static_cast<int>(in_.batch()),
                                              base_);
  taps_ = out_.session.get();
  const size_t cells = (static_cast<size_t>(last_r_) + 1) * static_cast<size_t>(models());
  read_outs_.assign(cells, 0);
  halts_.assign(cells, 0);
}

State Loop::init_state() {
  Pass start = pass(tape_, Phase::loop, 0);
  start.taps = nullptr;
  return model_.init(start, in_, out_.e);
}

State Loop::first_state() {
  if (plan_.start == nullptr) {
    return init_state();
  }
  State h;
  for (int p = 0; p < parts(); ++p) {
    const Tensor& x = plan_.start->parts[static_cast<size_t>(p)];
    SV_CHECK(x && x.dim(0) == models() && x.dim(1) == in_.batch(),
             "start state ",
             x.shape,
             " for M = ",
             models(),
             ", B = ",
             in_.batch());
    h[p] = tape_.constant(x);
  }
  if (std::ranges::any_of(plan_.start->fresh, [](uint8_t f) { return f != 0; })) {
    keep_fresh(h);
  }
  return h;
}

/// Rows marked fresh take their state from init, the others keep that of `h`.
void Loop::keep_fresh(State& h) {
  const std::span<const uint8_t> fresh = plan_.start->fresh;
  SV_CHECK_EQ(static_cast<int64_t>(fresh.size()), models() * in_.batch());
  const Tensor rows = host_tensor(tape_.ctx, {models(), in_.batch()}, DType::i32);
  for (size_t i = 0; i < fresh.size(); ++i) {
    const int b = static_cast<int>(i % static_cast<size_t>(in_.batch()));
    rows.as<int32_t>()[i] = fresh[i] != 0 ? b : -1;
  }
  const Tensor places = to_device(tape_.ctx, rows);
  const State first = init_state();
  for (int p = 0; p < parts(); ++p) {
    const Tensor mixed = copy_of(tape_.ctx, h[p].value());
    ops::scatter_live(tape_.ctx, first[p].value(), places, mixed);
    h[p] = tape_.constant(mixed);
  }
}

void Loop::update_active(int r) {
  if (!active_stale_) {
    return;
  }
  bool any = false;
  active_ =
      models_where([&](int m) { return halting_ ? !halting_->done(m) : depth_of(m) >= r; }, any);
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
    case Gradient::Kind::implicit:
      return model_.schedule().period();
    case Gradient::Kind::one_step:
      return model_.schedule().one_step();
    case Gradient::Kind::round:
      return model_.schedule().round() + plan_.gradient.k;
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
    for (int m = 0; m < models(); ++m) {
      stop = stop || depth_of(m) == end || read_out_at(end, m);
    }
    if (stop) {
      return end;
    }
  }
  return last_r_;
}

void Loop::note(std::vector<int>& where, int r, std::span<const int> who) const {
  for (int m = 0; taps_ != nullptr && m < models(); ++m) {
    if (listed(who, m) && listed(base_, m)) {
      where[static_cast<size_t>(r) * static_cast<size_t>(models()) + static_cast<size_t>(m)] = 1;
    }
  }
}

}  // namespace sv

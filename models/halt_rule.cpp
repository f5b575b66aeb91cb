#include "models/halt_rule.h"

#include <algorithm>
#include <cmath>

#include "core/rng.h"
#include "kernels/math/point.h"
#include "kernels/memory/copy.h"
#include "kernels/ops/compact/compact.h"
#include "kernels/ops/readout_stats/readout_stats.h"

namespace sv {

HaltRule::HaltRule(const Halt& halt,
                   const Context& ctx,
                   std::span<const uint64_t> seeds,
                   const std::vector<int>* periods,
                   const Shape& logits,
                   const Shape& score,
                   DType dtype)
    : halt_(halt),
      seeds_(seeds),
      periods_(periods),
      positions_(static_cast<size_t>(logits[2])),
      scores_(halt.needs_score() && score.rank() == 3 ? positions_ : 1) {
  SV_CHECK(halt.every >= 1 && halt.min_depth >= 1,
           "halting is checked every ",
           halt.every,
           " periods from ",
           halt.min_depth,
           " on; both are at least 1");
  SV_CHECK(!halt.needs_score() || score.rank() > 0,
           "this model has no halting head; set model.halt_head");
  SV_CHECK(score.rank() != 3 || score[2] == logits[2],
           "halting scores ",
           score,
           " beside logits ",
           logits);
  SV_CHECK(halt.kind != Halt::Kind::oracle || periods != nullptr,
           "the oracle rule needs the periods of each row (Plan::periods)");
  const auto slots = static_cast<size_t>(logits[0] * logits[1]);
  seen_.resize(slots);
  value_.resize(slots * scores_);
  answer_.resize(halt.kind == Halt::Kind::patience ? slots * positions_ : 0);
  better_.resize(halt.kind == Halt::Kind::confident ? slots : 0);
  if (halt.kind == Halt::Kind::divergence || halt.kind == Halt::Kind::confident) {
    kept_ = make_tensor(*ctx.arena, logits, dtype);
    zero_tensor(ctx, kept_);
  }
  for (size_t slot = 0; slot < slots; ++slot) {
    begin(slot);
  }
}

void HaltRule::begin(size_t slot) {
  seen_[slot] = 0;
  // cdf: an empty product. Others: no flag, a count of nothing.
  const double start = halt_.kind == Halt::Kind::cdf ? 1 : 0;
  std::fill_n(&value_[slot * scores_], scores_, start);
}

void HaltRule::move(size_t from, size_t to) {
  seen_[to] = seen_[from];
  std::copy_n(&value_[from * scores_], scores_, &value_[to * scores_]);
  if (!answer_.empty()) {
    std::copy_n(&answer_[from * positions_], positions_, &answer_[to * positions_]);
  }
}

void HaltRule::read(Tape& tape, const Readout& y, const Tensor& change) {
  using Kind = Halt::Kind;
  Context ctx = tape.ctx;
  if (halt_.kind == Kind::change) {
    score_ = to_host(ctx, change);
    return;
  }
  if (halt_.needs_score()) {
    score_ = to_host_later(ctx, y.halt.value());
    go_on_ = halt_.kind == Kind::learned ? to_host_later(ctx, y.go_on.value()) : Tensor{};
    finish_copies(ctx);
    return;
  }
  if (!halt_.needs_readout()) {
    return;
  }
  const Tensor logits = y.logits.value();
  const Shape rows{logits.dim(0), logits.dim(1), logits.dim(2)};
  const bool classes = halt_.kind == Kind::patience;
  Tensor stat = make_tensor(tape.arena(), rows, classes ? DType::i32 : logits.dtype);
  ctx.models = y.models;
  if (halt_.kind == Kind::divergence) {
    ops::kl(ctx, logits, kept_, stat);
  } else if (halt_.kind == Kind::entropy) {
    ops::entropy(ctx, logits, stat);
  } else if (halt_.kind == Kind::confident) {
    ops::confidence(ctx, logits, stat);
  } else {
    ops::argmax(ctx, logits, stat);
  }
  score_ = to_host(ctx, stat);
}

/// Of the statistic of this check over the row's positions in use.
double HaltRule::mean(size_t slot, const Slot& s) const {
  return with_float(score_.dtype, [&]<class T>() {
    const T* x = score_.as<T>() + slot * positions_;
    double sum = 0;
    for (int t = 0; t < s.length; ++t) {
      sum += static_cast<double>(x[t]);
    }
    return sum / std::max(s.length, 1);
  });
}

/// confident: whether this readout replaces the one kept. From the first that may be chosen on it
/// must be more certain; before that, the latest stands in for a run that is too short to choose.
bool HaltRule::is_better(size_t slot, const Slot& s, bool may_stop) {
  const double now = mean(slot, s);
  const double best = value_[slot];
  const bool better = !may_stop || seen_[slot] == 0 || now > best || std::isnan(best);
  value_[slot] = better ? now : best;
  return better;
}

/// learned, sample, cdf: `value_` is the flag of a position that has stopped, or its product.
bool HaltRule::all_positions_stop(size_t slot, size_t m, const Slot& s, int r, bool may_stop) {
  const Rng rng(seeds_[m], stream_of("halt"), static_cast<uint64_t>(r));
  const size_t used = scores_ == 1 ? 1 : static_cast<size_t>(s.length);
  bool all = true;
  for (size_t t = 0; t < used; ++t) {
    double& value = value_[slot * scores_ + t];
    const auto at = static_cast<int64_t>(slot * scores_ + t);
    const double q = element(score_, at) - (go_on_ ? element(go_on_, at) : 0);
    if (halt_.kind == Halt::Kind::cdf) {
      value *= 1 - point::sigmoid(q);
      all = all && 1 - value >= halt_.threshold;
      continue;
    }
    const auto draw = [&] { return rng.uniform(static_cast<uint64_t>(s.id) * scores_ + t); };
    const bool fires =
        halt_.kind == Halt::Kind::learned ? q > halt_.threshold : draw() < point::sigmoid(q);
    value = may_stop && fires ? 1 : value;
    all = all && value == 1;
  }
  return may_stop && all;
}

/// patience: counts in `value_` the checks in a row whose answers are those of the check before.
bool HaltRule::same_answers(size_t slot, const Slot& s) {
  const int32_t* now = score_.as<int32_t>() + slot * positions_;
  int32_t* before = &answer_[slot * positions_];
  const bool same = seen_[slot] != 0 && std::equal(now, now + s.length, before);
  value_[slot] = same ? value_[slot] + 1 : 0;
  std::copy_n(now, positions_, before);
  return value_[slot] >= halt_.threshold;
}

bool HaltRule::stops(size_t slot, size_t m, Slot& s, int r, int periods) {
  const bool may_stop = periods >= halt_.min_depth;
  const bool seen = seen_[slot] != 0;
  const int chosen = std::exchange(s.chosen, r);
  bool stop = false;
  switch (halt_.kind) {
    case Halt::Kind::none:
      break;
    case Halt::Kind::change:
      stop = element(score_, static_cast<int64_t>(slot)) < halt_.threshold;
      break;
    case Halt::Kind::divergence:
      stop = seen && mean(slot, s) < halt_.threshold;
      break;
    case Halt::Kind::entropy: {
      const double now = mean(slot, s);
      stop = seen && std::abs(now - value_[slot]) < halt_.threshold;
      value_[slot] = now;
      break;
    }
    case Halt::Kind::learned:
    case Halt::Kind::sample:
    case Halt::Kind::cdf:
      stop = all_positions_stop(slot, m, s, r, may_stop);
      break;
    case Halt::Kind::patience:
      stop = same_answers(slot, s);
      break;
    case Halt::Kind::confident:
      better_[slot] = is_better(slot, s, may_stop) ? 1 : 0;
      s.chosen = better_[slot] != 0 ? r : chosen;
      break;
    case Halt::Kind::oracle:
      stop = periods >= wanted(s.id);
      break;
  }
  seen_[slot] = halt_.kind != Halt::Kind::confident || may_stop ? 1 : 0;
  return may_stop && stop;
}

/// oracle: periods of the row.
int HaltRule::wanted(int64_t id) const {
  SV_CHECK(id >= 0 && id < static_cast<int64_t>(periods_->size()),
           "the oracle rule has periods for rows 0..",
           static_cast<int64_t>(periods_->size()) - 1,
           " (Plan::periods), not for row ",
           id);
  return (*periods_)[static_cast<size_t>(id)];
}

void HaltRule::keep(const Context& ctx, const Tensor& logits) {
  if (halt_.kind == Halt::Kind::divergence) {
    copy_tensor(ctx, kept_, logits);
  }
  if (halt_.kind != Halt::Kind::confident) {
    return;
  }
  const int64_t models = logits.dim(0), rows = logits.dim(1);
  const Tensor list = host_tensor(ctx, {models, rows}, DType::i32);
  for (int64_t slot = 0; slot < models * rows; ++slot) {
    uint8_t& better = better_[static_cast<size_t>(slot)];
    list.as<int32_t>()[slot] = better != 0 ? static_cast<int32_t>(slot % rows) : -1;
    better = 0;
  }
  ops::scatter_live(ctx, logits, to_device(ctx, list), kept_);
}

}  // namespace sv

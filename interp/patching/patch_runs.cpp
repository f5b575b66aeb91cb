#include "interp/patching/patch_runs.h"

#include <algorithm>
#include <numeric>

#include "kernels/memory/copy.h"
#include "kernels/ops/readout_stats/readout_stats.h"

namespace sv {

namespace {

/// A copy in host memory, there after finish_copies().
Buffer owned(const Context& ctx, const Tensor& x) {
  Buffer copy(x.shape, x.dtype);
  copy_to_host_later(ctx, copy, x);
  return copy;
}

/// The base rows of the jobs, in their order.
Batch rows_of(const Batch& base, std::span<const PatchJob> jobs) {
  Batch out;
  out.size = static_cast<int>(jobs.size());
  out.positions = base.positions;
  for (const PatchJob& job : jobs) {
    const auto* tokens = base.tokens.data() + static_cast<ptrdiff_t>(job.pair) * base.positions;
    const auto pair = static_cast<size_t>(job.pair);
    out.tokens.insert(out.tokens.end(), tokens, tokens + base.positions);
    out.lengths.push_back(base.lengths[pair]);
    out.index.push_back(base.index[pair]);
  }
  return out;
}

/// Those rows of x (M, B, ...) as (M, J, ...), where the context computes.
Tensor gather(const Context& ctx, const Tensor& x, std::span<const PatchJob> jobs) {
  const Tensor y = host_tensor(ctx, x.shape.with(1, static_cast<int64_t>(jobs.size())), x.dtype);
  const size_t row = x.bytes() / static_cast<size_t>(x.dim(0) * x.dim(1));
  auto* to = static_cast<std::byte*>(y.data);
  for (int64_t m = 0; m < x.dim(0); ++m) {
    for (const PatchJob& job : jobs) {
      std::memcpy(to,
                  static_cast<const std::byte*>(x.data) +
                      static_cast<size_t>(m * x.dim(1) + job.pair) * row,
                  row);
      to += row;
    }
  }
  return to_device(ctx, y);
}

/// Most likely answers (M, B, T) of logits (M, B, T, V).
Tensor answers_of(const Context& ctx, const Tensor& logits) {
  const Tensor answer =
      make_tensor(*ctx.arena, {logits.dim(0), logits.dim(1), logits.dim(2)}, DType::i32);
  ops::argmax(ctx, logits, answer);
  return answer;
}

}  // namespace

PatchRuns::PatchRuns(Reasoner& model,
                     const PatchPairs& pairs,
                     const TaskSpec& spec,
                     const PatchOptions& options)
    : model_(model),
      options_(options),
      base_batch_(batch_of(pairs.base, spec)),
      memory_(model.params().device(), kRunBlock) {
  last_ = options.depth * model.schedule().period();
  SV_CHECK(options.site.starts_with("loop.*."),
           "patching acts in the loop: a site 'loop.*....', not '",
           options.site,
           "'");
  SV_CHECK(!options.updates.empty() &&
               std::is_sorted(options.updates.begin(), options.updates.end()) &&
               options.updates.front() >= 1 && options.updates.back() <= last_,
           "patches must start at updates 1..",
           last_);
  Device* const device = model.params().device();
  for (int i = 0; i < (device != nullptr ? 1 : std::max(options.run.threads, 1)); ++i) {
    workers_.push_back(std::make_unique<Workspace>(device, kRunBlock));
  }
  packed_ = pack_weights(model, options.run.threads);
  base_ = clean_run(base_batch_);
  donor_ = clean_run(batch_of(pairs.donor, spec));
}

CleanRun PatchRuns::clean_run(const Batch& batch) {
  CleanRun out;
  RecordPlan record;
  record.sites = {options_.site};
  record.updates.resize(static_cast<size_t>(last_));
  std::iota(record.updates.begin(), record.updates.end(), 1);
  record.run = options_.run;
  std::vector<SiteValues> sites = record_batch(model_, batch, record, packed_);
  SV_CHECK(sites.size() == 1, "patching writes one site; '", options_.site, "' is several");
  out.site = std::move(sites[0]);
  memory_.reset();
  Tape tape(memory_.context(options_.run.threads), false);
  Plan plan;
  plan.depth = Depth::fixed(options_.depth);
  for (const int r : options_.updates) {
    plan.save.states.push_back(r - 1);
  }
  plan.packed = &packed_;
  Trajectory trajectory;
  unroll(model_, load_inputs(tape.ctx, batch), plan, tape, trajectory);
  options_.run.note(trajectory);
  for (const auto& [r, state] : trajectory.states) {
    for (size_t p = 0; p < model_.schedule().parts.size(); ++p) {
      out.states.push_back(owned(tape.ctx, state[static_cast<int>(p)].value()));
    }
  }
  const Tensor logits = trajectory.readouts.back().logits.value();
  out.logits = owned(tape.ctx, logits);
  out.answer = owned(tape.ctx, answers_of(tape.ctx, logits));
  finish_copies(tape.ctx);
  return out;
}

void PatchRuns::run(size_t u,
                    std::span<const PatchJob> jobs,
                    const std::vector<PositionSet>& sets,
                    const PatchObserver& observe) {
  run_batches(u, jobs, sets, donor_.site, observe);
}

/// Batches of few runs, one thread each, so that their states stay in cache; on a device large
/// ones. The observer sees them in order, whatever the number of threads.
void PatchRuns::run_batches(size_t u,
                            std::span<const PatchJob> jobs,
                            const std::vector<PositionSet>& sets,
                            const SiteValues& source,
                            const PatchObserver& observe) {
  const bool groups = model_.params().device() == nullptr;
  const auto size = static_cast<size_t>(
      groups ? std::clamp(2 * kGroupTokens / base_batch_.positions, 1, options_.rows)
             : options_.rows);
  const size_t wave = size * workers_.size();
  for (size_t begin = 0; begin < jobs.size(); begin += wave) {
    const std::span<const PatchJob> now = jobs.subspan(begin, std::min(wave, jobs.size() - begin));
    const auto count = static_cast<int64_t>((now.size() + size - 1) / size);
    const auto batch = [&](int64_t i) {
      const size_t first = static_cast<size_t>(i) * size;
      return now.subspan(first, std::min(size, now.size() - first));
    };
    std::vector<Patched> out(static_cast<size_t>(count));
    run_tasks(count, static_cast<int>(workers_.size()), [&](int64_t i, int) {
      Workspace& memory = *workers_[static_cast<size_t>(i)];
      memory.reset();
      out[static_cast<size_t>(i)] = run_batch(memory.context(1), u, batch(i), sets, source);
    });
    for (int64_t i = 0; i < count; ++i) {
      observe(batch(i), out[static_cast<size_t>(i)].logits, out[static_cast<size_t>(i)].answer);
    }
  }
}

PatchRuns::Patched PatchRuns::run_batch(const Context& ctx,
                                        size_t u,
                                        std::span<const PatchJob> jobs,
                                        const std::vector<PositionSet>& sets,
                                        const SiteValues& source) const {
  Tape tape(ctx, false);
  const int r = options_.updates[u];
  Start start;
  start.r = r - 1;
  const size_t parts = model_.schedule().parts.size();
  for (size_t p = 0; p < parts; ++p) {
    start.parts[p] = gather(ctx, base_.states[u * parts + p], jobs);
  }
  RowSource rows;
  std::vector<std::vector<int>> positions;
  for (const PatchJob& job : jobs) {
    rows.push_back(job.donor);
    positions.push_back(sets[static_cast<size_t>(job.set)].positions);
    for (int& t : positions.back()) {
      t += model_.schedule().prefix;
    }
  }
  const Target target{options_.site, {options_.when, r, options_.window}, last_, {}};
  const Taps taps = {patch_rows(target, source, std::move(rows), std::move(positions))};
  Plan plan;
  plan.depth = Depth::fixed(options_.depth);
  plan.start = &start;
  plan.taps = &taps;
  plan.packed = &packed_;
  Trajectory trajectory;
  unroll(model_, load_inputs(ctx, rows_of(base_batch_, jobs)), plan, tape, trajectory);
  options_.run.note(trajectory);
  const Tensor logits = trajectory.readouts.back().logits.value();
  const Patched out = {to_host_later(ctx, logits), to_host_later(ctx, answers_of(ctx, logits))};
  finish_copies(ctx);
  return out;
}

void PatchRuns::check_identity(size_t u) {
  std::vector<PatchJob> jobs;
  for (int i = 0; i < base_batch_.size; ++i) {
    jobs.push_back({i, i, 0});
  }
  PositionSet all{"all", std::vector<int>(static_cast<size_t>(base_batch_.positions))};
  std::iota(all.positions.begin(), all.positions.end(), 0);
  run_batches(u, jobs, {all}, base_.site, [&](auto batch, const Tensor& logits, const Tensor&) {
    bool same = true;
    for (int64_t m = 0; m < logits.dim(0); ++m) {
      const Tensor now = logits.slice(m, 1);
      const Tensor want = base_.logits.tensor().slice(m, 1);
      const size_t row = want.bytes() / static_cast<size_t>(want.dim(1));
      const auto* from = static_cast<const std::byte*>(want.data);
      same =
          same &&
          std::memcmp(now.data, from + static_cast<size_t>(batch[0].pair) * row, now.bytes()) == 0;
    }
    if (!same) {
      throw Error("writing a run's own values back at " + options_.site + ", update " +
                      std::to_string(options_.updates[u]) +
                      ", changed its logits: the patch is not what it claims to be",
                  Exit::failed);
    }
  });
}

}  // namespace sv

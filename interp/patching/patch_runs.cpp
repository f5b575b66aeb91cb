#include "interp/patching/patch_runs.h"

#include <algorithm>
#include <numeric>

#include "kernels/ops/readout_stats/readout_stats.h"

namespace sv {

namespace {

Buffer owned(const Tensor& x) {
  Buffer copy(x.shape, x.dtype);
  std::memcpy(copy.tensor().data, x.data, x.bytes());
  return copy;
}

/// Rows rows[j] of x (1|M, B, ...) as a tensor (1|M, J, ...).
Tensor gather(Arena& arena, const Tensor& x, std::span<const PatchJob> jobs) {
  const Tensor y = make_tensor(arena, x.shape.with(1, static_cast<int64_t>(jobs.size())), x.dtype);
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
  return y;
}

}  // namespace

PatchRuns::PatchRuns(Reasoner& model,
                     const PatchPairs& pairs,
                     const TaskSpec& spec,
                     const PatchOptions& options)
    : model_(model), options_(options), base_batch_(batch_of(pairs.base, spec)) {
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
  for (int i = 0; i < std::max(options.run.threads, 1); ++i) {
    arenas_.push_back(std::make_unique<Arena>());
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
  const ArenaScope scope(arena_);
  Tape tape({&arena_, options_.run.threads, {}}, false);
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
      out.states.push_back(owned(state[static_cast<int>(p)].value()));
    }
  }
  const Tensor logits = trajectory.readouts.back().logits.value();
  out.logits = owned(logits);
  out.answer = Buffer({logits.dim(0), logits.dim(1), logits.dim(2)}, DType::i32);
  ops::argmax(tape.ctx, logits, out.answer);
  return out;
}

void PatchRuns::run(size_t u,
                    std::span<const PatchJob> jobs,
                    const std::vector<PositionSet>& sets,
                    const PatchObserver& observe) {
  run_batches(u, jobs, sets, donor_.site, observe);
}

/// Batches of few runs, one thread each, so that their states stay in cache; the observer sees them
/// in order, whatever the number of threads.
void PatchRuns::run_batches(size_t u,
                            std::span<const PatchJob> jobs,
                            const std::vector<PositionSet>& sets,
                            const SiteValues& source,
                            const PatchObserver& observe) {
  const auto size =
      static_cast<size_t>(std::clamp(2 * kGroupTokens / base_batch_.positions, 1, options_.rows));
  const size_t wave = size * arenas_.size();
  for (size_t begin = 0; begin < jobs.size(); begin += wave) {
    const std::span<const PatchJob> now = jobs.subspan(begin, std::min(wave, jobs.size() - begin));
    const auto count = static_cast<int64_t>((now.size() + size - 1) / size);
    const auto batch = [&](int64_t i) {
      const size_t first = static_cast<size_t>(i) * size;
      return now.subspan(first, std::min(size, now.size() - first));
    };
    std::vector<Patched> out(static_cast<size_t>(count));
    run_tasks(count, static_cast<int>(arenas_.size()), [&](int64_t i, int) {
      Arena& arena = *arenas_[static_cast<size_t>(i)];
      arena.reset();
      out[static_cast<size_t>(i)] = run_batch(arena, u, batch(i), sets, source);
    });
    for (int64_t i = 0; i < count; ++i) {
      observe(batch(i), out[static_cast<size_t>(i)].logits, out[static_cast<size_t>(i)].answer);
    }
  }
}

PatchRuns::Patched PatchRuns::run_batch(Arena& arena,
                                        size_t u,
                                        std::span<const PatchJob> jobs,
                                        const std::vector<PositionSet>& sets,
                                        const SiteValues& source) const {
  Tape tape({&arena, 1, {}}, false);
  const Inputs all = load_inputs(tape.ctx, base_batch_);
  Inputs in;
  in.tokens = gather(arena, all.tokens, jobs);
  in.lengths = all.lengths ? gather(arena, all.lengths, jobs) : Tensor{};
  in.ids = gather(arena, all.ids, jobs);
  const int r = options_.updates[u];
  Start start;
  start.r = r - 1;
  const size_t parts = model_.schedule().parts.size();
  for (size_t p = 0; p < parts; ++p) {
    start.parts[p] = gather(arena, base_.states[u * parts + p], jobs);
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
  unroll(model_, in, plan, tape, trajectory);
  options_.run.note(trajectory);
  const Tensor logits = trajectory.readouts.back().logits.value();
  const Tensor answer =
      make_tensor(arena, {logits.dim(0), logits.dim(1), logits.dim(2)}, DType::i32);
  ops::argmax(tape.ctx, logits, answer);
  return {logits, answer};
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

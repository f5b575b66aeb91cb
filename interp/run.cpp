#include "interp/run.h"

#include <algorithm>
#include <memory>

namespace sv {

Evidence evidence_of(const Reasoner& model, int64_t items, const Provenance& trained) {
  const auto& seeds = model.params().seeds();
  return {seeds, items, trained, seeds.size() < static_cast<size_t>(kSeedsForClaims)};
}

PackedWeights pack_weights(const Reasoner& model, int threads) {
  Workspace scratch(model.params().device(), kRunBlock);
  PackedWeights packed;
  packed.pack(scratch.context(std::max(threads, 1)), model.params());
  return packed;
}

Batch batch_of(const std::vector<Example>& examples, const TaskSpec& spec) {
  Batch out;
  out.size = static_cast<int>(examples.size());
  out.positions = spec.positions;
  out.target_steps = spec.target_steps;
  for (size_t i = 0; i < examples.size(); ++i) {
    const Example& e = examples[i];
    out.tokens.insert(out.tokens.end(), e.tokens.begin(), e.tokens.end());
    out.targets.insert(out.targets.end(), e.targets.begin(), e.targets.end());
    out.lengths.push_back(e.length);
    out.difficulty.push_back(e.difficulty);
    out.index.push_back(static_cast<int64_t>(i));
  }
  return out;
}

void for_each_batch(const Dataset& data,
                    int64_t begin,
                    int64_t end,
                    int size,
                    const std::function<void(const Batch&)>& f) {
  SV_CHECK(begin >= 0 && begin < end && end <= data.size(),
           "examples ",
           begin,
           "..",
           end,
           " of a set of ",
           data.size());
  SV_CHECK(size > 0, "batch ", size);
  for (int64_t at = begin; at < end; at += size) {
    f(data.range(at, static_cast<int>(std::min<int64_t>(size, end - at))));
  }
}

void GroupRun::unroll(Reasoner& model, Plan& plan, Trajectory& out) const {
  plan.members = members;
  plan.packed = &packed;
  Tape tape(ctx, false);
  sv::unroll(model, load_inputs(ctx, batch), plan, tape, out);
  options.note(out);
}

namespace {

/// Rows that one run works on at a time.
int group_rows(const Dataset& data, const RunOptions& options, bool whole_pack) {
  SV_CHECK(options.batch > 0, "batch ", options.batch);
  const int positions = data.task().spec().positions;
  return whole_pack ? options.batch : std::clamp(kGroupTokens / positions, 1, options.batch);
}

std::vector<std::unique_ptr<Workspace>> workspaces(Device* device, int count) {
  std::vector<std::unique_ptr<Workspace>> out;
  for (int i = 0; i < count; ++i) {
    out.push_back(std::make_unique<Workspace>(device, kRunBlock));
  }
  return out;
}

}  // namespace

void for_each_group(Reasoner& model,
                    const Dataset& data,
                    int64_t items,
                    const RunOptions& options,
                    bool whole_pack,
                    const std::function<void(const GroupRun&)>& f) {
  Device* const device = model.params().device();
  whole_pack = whole_pack || device != nullptr;
  SV_CHECK(items > 0 && items <= data.size(), items, " items of a set of ", data.size());
  const int models = whole_pack ? 1 : model.models();
  const int size = group_rows(data, options, whole_pack);
  const int64_t groups = (items + size - 1) / size;
  const int threads = std::max(options.threads, 1);
  const bool alone = models * groups == 1 || whole_pack;
  const auto memory = workspaces(device, threads);
  const PackedWeights packed = pack_weights(model, threads);
  run_tasks(models * groups, alone ? 1 : threads, [&](int64_t task, int worker) {
    Workspace& mine = *memory[static_cast<size_t>(worker)];
    mine.reset();
    const int64_t first = task % groups * size;
    const Batch batch = data.range(first, static_cast<int>(std::min<int64_t>(size, items - first)));
    const Members members = whole_pack ? Members{} : Members{static_cast<int>(task / groups), 1, 0};
    f({members, batch, first, mine.context(alone ? threads : 1), packed, options});
  });
}

int64_t run_to_halt(Reasoner& model,
                    const Dataset& data,
                    int64_t items,
                    const RunOptions& options,
                    const Plan& plan,
                    const Queue::OnExit& on_exit) {
  Device* const device = model.params().device();
  SV_CHECK(items > 0 && items <= data.size(), items, " items of a set of ", data.size());
  const int rows = static_cast<int>(items);
  const int models = device != nullptr ? 1 : model.models();
  const int places = group_rows(data, options, device != nullptr);
  const int threads = std::max(options.threads, 1);
  const bool alone = device != nullptr || (models == 1 && rows <= places);
  const auto memory = workspaces(device, alone ? 1 : threads);
  Workspace shared(device, kRunBlock);
  const Inputs all = load_inputs(shared.context(1), data.range(0, rows));
  const PackedWeights packed = pack_weights(model, threads);
  Queue queue(model.models(), rows, places, on_exit);
  std::atomic<int64_t> work = 0;
  const auto drain = [&](int m, Workspace& mine) {
    while (queue.waiting(m)) {
      mine.reset();
      Plan own = plan;
      own.members = device != nullptr ? Members{} : Members{m, 1, 0};
      own.packed = &packed;
      own.queue = &queue;
      Tape tape(mine.context(alone ? threads : 1), false);
      Trajectory out;
      unroll(model, device != nullptr ? all : slice(all, m, {0, rows}), own, tape, out);
      options.note(out);
      work += out.row_updates;
    }
  };
  // Threads begin with models of their own, and then help with what is left of the others.
  run_tasks(alone ? 1 : threads, threads, [&](int64_t task, int worker) {
    for (int i = 0; i < models; ++i) {
      drain(static_cast<int>(task * models / threads + i) % models,
            *memory[static_cast<size_t>(worker)]);
    }
  });
  return work;
}

std::vector<int> pooled_models(const std::vector<int>& listed, int models) {
  std::vector<int> out = listed;
  for (int m = 0; listed.empty() && m < models; ++m) {
    out.push_back(m);
  }
  for (const int m : out) {
    SV_CHECK(m >= 0 && m < models, "model ", m, " of a pack of ", models);
  }
  return out;
}

std::vector<double> column_means(const Grid& rows) {
  std::vector<double> out;
  std::vector<double> column(rows.size());
  for (size_t j = 0; !rows.empty() && j < rows[0].size(); ++j) {
    for (size_t i = 0; i < rows.size(); ++i) {
      column[i] = rows[i][j];
    }
    out.push_back(mean_of(column));
  }
  return out;
}

std::vector<Interval> column_intervals(const Grid& rows, const Bootstrap& options) {
  std::vector<Interval> out;
  std::vector<double> column(rows.size());
  for (size_t j = 0; !rows.empty() && j < rows[0].size(); ++j) {
    for (size_t i = 0; i < rows.size(); ++i) {
      column[i] = rows[i][j];
    }
    out.push_back(bootstrap_interval(column, options));
  }
  return out;
}

}  // namespace sv

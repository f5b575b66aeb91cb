// What every measurement shares: who was measured (Evidence), and loading examples for a pack.
#pragma once
#include <atomic>
#include <functional>
#include <limits>
#include <string>
#include <vector>

#include "data/dataset.h"
#include "interp/stats.h"
#include "models/groups.h"
#include "models/unroll.h"

namespace sv {

/// Memory that a run asks for at a time.
inline constexpr size_t kRunBlock = size_t{16} << 20;
inline constexpr double kNaN = std::numeric_limits<double>::quiet_NaN();
/// rows x columns; NaN where a number does not exist.
using Grid = std::vector<std::vector<double>>;
inline Grid make_grid(size_t rows, size_t columns, double value = 0) {
  return Grid(rows, std::vector<double>(columns, value));
}

/// Fewer seeds than this and a result is exploratory wherever it appears.
inline constexpr int kSeedsForClaims = 10;

/// What the caller knows about how the pack was trained.
struct Provenance {
  int64_t train_items = 0;  // size of the models' training set
  std::string train_depth;  // "2..4"
};

/// Stands beside every result.
struct Evidence {
  std::vector<uint64_t> seeds;
  int64_t items = 0;  // held-out items behind each value of a seed
  Provenance trained;
  bool exploratory = true;
};
Evidence evidence_of(const Reasoner& model, int64_t items, const Provenance& trained);

/// BlockPaths of the runs of a measurement, which add at the same time.
struct BlockCount {
  std::atomic<int64_t> fused{0}, plain{0}, patternless{0}, fused_mlp{0};
  void add(const BlockPaths& run) {
    fused += run.fused;
    plain += run.plain;
    patternless += run.patternless;
    fused_mlp += run.fused_mlp;
  }
};

/// How a measurement runs its pack; changes no bit of a result.
struct RunOptions {
  int batch = 64;
  int threads = 1;
  BlockCount* blocks = nullptr;  // told which path the runs took, for the record
  void note(const Trajectory& run) const {
    if (blocks != nullptr) {
      blocks->add(run.blocks);
    }
  }
};

/// The panels of a model's matrices as they are now, for many runs.
PackedWeights pack_weights(const Reasoner& model, int threads);

/// Examples as one batch for all models; `index` counts from 0.
Batch batch_of(const std::vector<Example>& examples, const TaskSpec& spec);
/// Calls f on consecutive batches of examples [begin, end).
void for_each_batch(const Dataset& data,
                    int64_t begin,
                    int64_t end,
                    int size,
                    const std::function<void(const Batch&)>& f);
/// A few sequences on their way through one run, on one thread (groups.h); on a device a whole
/// batch of the whole pack.
struct GroupRun {
  Members members;
  const Batch& batch;  // the group's rows; shared by all models
  int64_t first;       // index of the first row in the data set
  Context ctx;
  const PackedWeights& packed;
  const RunOptions& options;
  /// Models of the run.
  int models(const Reasoner& model) const {
    return members.count > 0 ? members.count : model.models();
  }
  /// Unrolls the group under the plan, to which it adds its members and the packed weights.
  void unroll(Reasoner& model, Plan& plan, Trajectory& out) const;
};
/// Cuts the first `items` examples into groups and calls f(const GroupRun&) for each of each model,
/// or of all models together (`whole_pack`, for taps that select models; always on a device). Calls
/// run at the same time: f writes what is its rows' and models' alone. Tensors of a run are where
/// the model is: f reads them through to_host.
void for_each_group(Reasoner& model,
                    const Dataset& data,
                    int64_t items,
                    const RunOptions& options,
                    bool whole_pack,
                    const std::function<void(const GroupRun&)>& f);

/// Runs the first `items` examples under plan.halt, each model each example until it stops. A
/// thread works on a few rows at a time, on a device on a whole batch, and a waiting row takes the
/// place of one that stops: models/queue.h. `on_exit` is called by threads at the same time; rows
/// count in the data set. Returns the row updates made (Trajectory::row_updates).
int64_t run_to_halt(Reasoner& model,
                    const Dataset& data,
                    int64_t items,
                    const RunOptions& options,
                    const Plan& plan,
                    const Queue::OnExit& on_exit);

/// The listed places in the pack, or all of them: which models a mean over seeds is made of. A pack
/// may hold controls beside the models a result speaks about.
std::vector<int> pooled_models(const std::vector<int>& listed, int models);
/// Mean of each column over the rows (seeds).
std::vector<double> column_means(const Grid& rows);
/// Bootstrap interval of each column over the rows (seeds).
std::vector<Interval> column_intervals(const Grid& rows, const Bootstrap& = {});

}  // namespace sv

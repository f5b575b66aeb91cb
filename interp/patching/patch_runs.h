// The runs behind a patch grid: the two unpatched runs of every pair, and batches of patched runs
// that resume from the base run's state just before the patch.
#pragma once
#include <memory>

#include "interp/patching/patch.h"

namespace sv {

/// One patched run: which pair, whose donor, which positions.
struct PatchJob {
  int pair = 0;
  int donor = 0;  // the pair whose donor run gives the values
  int set = 0;
};

/// An unpatched run of one side of the pairs.
struct CleanRun {
  SiteValues site;             // at all updates
  std::vector<Buffer> states;  // [update index in `updates` of the options][part] states before it
  Buffer logits;               // (M, P, T, V) after the last update
  Buffer answer;               // i32 (M, P, T)
};

/// Called after a batch of jobs: logits (M, J, T, V) and answers i32 (M, J, T) of jobs [first,
/// ...).
using PatchObserver =
    std::function<void(std::span<const PatchJob>, const Tensor& logits, const Tensor& answer)>;

class PatchRuns {
 public:
  PatchRuns(Reasoner& model, const PatchPairs& pairs, const TaskSpec&, const PatchOptions& options);
  const CleanRun& base() const { return base_; }
  const CleanRun& donor() const { return donor_; }
  int last_update() const { return last_; }
  /// Patched runs starting at update options.updates[u]; values come from the donor runs.
  void run(size_t u,
           std::span<const PatchJob> jobs,
           const std::vector<PositionSet>& sets,
           const PatchObserver& observe);
  /// Writes the base run's own values back at every position and compares all logits bit for bit.
  void check_identity(size_t u);

 private:
  CleanRun clean_run(const Batch& batch);
  /// What a batch of patched runs ends with, in host memory of its context.
  struct Patched {
    Tensor logits, answer;
  };
  void run_batches(size_t u,
                   std::span<const PatchJob> jobs,
                   const std::vector<PositionSet>& sets,
                   const SiteValues& source,
                   const PatchObserver& observe);
  Patched run_batch(const Context& ctx,
                    size_t u,
                    std::span<const PatchJob> jobs,
                    const std::vector<PositionSet>& sets,
                    const SiteValues& source) const;

  Reasoner& model_;
  const PatchOptions& options_;
  Batch base_batch_;
  int last_ = 0;
  CleanRun base_, donor_;
  Workspace memory_;
  std::vector<std::unique_ptr<Workspace>> workers_;  // one a thread
  PackedWeights packed_;
};

}  // namespace sv

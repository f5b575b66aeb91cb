// Recording: the tensors of chosen sites, read from the run itself (never from a second one), in
// host memory or in immutable HDF5 segments.
#pragma once
#include "interp/run.h"

namespace sv {

/// Which sites and updates. In an address `*` in the update's place stands for `updates`:
/// "loop.*.state_out", "loop.*.block.0.attn_out", "encode.encoded", "readout.*.readout_norm".
struct RecordPlan {
  std::vector<std::string> sites = {"loop.*.state_out"};
  std::vector<int> updates;  // ascending r
  RunOptions run;
};

/// One site for a stretch of examples. Attention patterns (M,B,H,T,S) become positions T and width
/// H * S; a site without positions has one position.
struct SiteValues {
  Site site;                 // r = 0
  std::string name;          // "loop.*.state_out:h"
  std::vector<int> updates;  // {0} in the encoder
  bool rounded = false;      // held in less than the run's precision: may not be written back
  Buffer data;               // (M, U, E, T, W), in the model's dtype

  int64_t models() const { return data.tensor().dim(0); }
  int64_t examples() const { return data.tensor().dim(2); }
  int64_t positions() const { return data.tensor().dim(3); }
  int64_t width() const { return data.tensor().dim(4); }
  /// Where (m, u, e) starts: T * W elements.
  int64_t offset(int64_t m, int64_t u, int64_t e) const {
    return ((m * static_cast<int64_t>(updates.size()) + u) * examples() + e) * positions() *
           width();
  }
  /// Index of update r; an update that was not recorded throws.
  int64_t update_index(int r) const;
};

/// An address with its update part replaced: at_updates("loop.*.state_out", "3..5").
std::string at_updates(const std::string& site, const std::string& updates);
/// "1,2,4"
std::string updates_text(std::span<const int> updates);

/// Runs one batch and returns its recorded sites. `plan.run.batch` is not used.
std::vector<SiteValues> record_batch(Reasoner& model,
                                     const Batch& batch,
                                     const RecordPlan& plan,
                                     const PackedWeights& packed);
/// Records examples [begin, end) batch by batch: nothing larger than a batch is held.
void stream_sites(Reasoner& model,
                  const Dataset& data,
                  int64_t begin,
                  int64_t end,
                  const RecordPlan& plan,
                  const std::function<void(const Batch&, std::span<const SiteValues>)>& each);

/// Bytes that recording `examples` examples takes in f32 (from a run of one example).
int64_t estimate_bytes(Reasoner& model,
                       const Dataset& data,
                       int64_t examples,
                       const RecordPlan& plan);

struct RecordOptions {
  int64_t limit_bytes = int64_t{2} << 30;
  bool bf16 =
      false;  // round values to bf16 (half the bytes a later reader needs; marked `rounded`)
};
/// Whole recording in memory; throws with the estimate when it would pass the limit.
std::vector<SiteValues> record(Reasoner& model,
                               const Dataset& data,
                               int64_t begin,
                               int64_t end,
                               const RecordPlan& plan,
                               const RecordOptions& options = {});

struct SegmentOptions {
  std::string prefix = "activations";
  std::string config_digest;                 // names the run the pack belongs to
  int64_t segment_bytes = int64_t{1} << 30;  // a segment holds at most this much
  bool bf16 = false;
};
struct SegmentReport {
  std::vector<std::string> files;  // names in the folder
  int64_t bytes = 0;
  int64_t examples_per_segment = 0;
};
/// Writes examples [begin, end) as immutable HDF5 segments PREFIX-000.h5, ... through the folder's
/// manifest. Arrays: one per site over (model, update, example, position, width), tokens, targets,
/// difficulty and every truth of the task. Size estimate and free space are checked before the
/// first run.
SegmentReport write_segments(Reasoner& model,
                             const Dataset& data,
                             int64_t begin,
                             int64_t end,
                             const RecordPlan& plan,
                             const std::string& folder,
                             const SegmentOptions& options = {});

}  // namespace sv

// Interventions: verbs that make taps. When a write acts is part of the question: in an
// input-injected loop a single write is often undone by the next update.
//
//   at r: once · window: updates r .. r + width - 1 · clamp: from r to the end
//
// All verbs act on sites of shape (M, B, T, W), on the rows and positions of `select`. What a verb
// is given (SiteValues, matrices) must outlive the run. On a device all but ablate_noise, which
// looks at what it replaces, are made there (models/edit.h).
#pragma once
#include "interp/record.h"

namespace sv {

struct When {
  enum class Kind : uint8_t { at, window, clamp };
  Kind kind = Kind::at;
  int r = 1;
  int width = 1;  // of a window

  static When at(int r) { return {Kind::at, r, 1}; }
  static When window(int r, int width) { return {Kind::window, r, width}; }
  static When clamp(int r) { return {Kind::clamp, r, 1}; }
  int last(int run_end) const;
  /// "3", "3..5"; the write never reaches behind the run's last update.
  std::string updates(int run_end) const;
};
std::string_view when_name(When::Kind kind);

/// Where and when: "loop.*.state_out", updates of `when` in a run of `run_end` updates.
struct Target {
  std::string site = "loop.*.state_out";
  When when;
  int run_end = 1;
  Select select = {};

  std::string address() const { return at_updates(site, when.updates(run_end)); }
};

/// Which example of a recording stands for row b of the batch; empty: row b itself.
using RowSource = std::vector<int>;

/// Replaces by a constant vector (W).
Tap patch_value(const Target& target, std::vector<double> value);
/// Replaces by the same model, update and position of a recording.
Tap patch_from(const Target& target, const SiteValues& source, RowSource rows = {});
/// Each row b replaces its own positions, by the example rows[b] of a recording; for batches whose
/// rows are different patches.
Tap patch_rows(const Target& target,
               const SiteValues& source,
               RowSource rows,
               std::vector<std::vector<int>> positions);

Tap ablate_zero(const Target& target);
/// By the mean over the recorded examples at the same model, update and position.
Tap ablate_mean(const Target& target, const SiteValues& source);
/// By another recorded example, drawn by (key, row): never the row's own.
Tap ablate_resample(const Target& target, const SiteValues& source, uint64_t key);
/// By the mean plus noise of the length that x - mean has: off the manifold by direction only.
Tap ablate_noise(const Target& target, const SiteValues& source, uint64_t key);

/// Adds strength * direction (W); strength 0 leaves every bit as it is.
Tap steer(const Target& target, std::vector<double> direction, double strength);

/// Rows are directions (k, W), made orthonormal on construction; dependent ones throw.
class Subspace {
 public:
  Subspace(std::vector<double> directions, int64_t width);
  int64_t width() const { return width_; }
  int64_t dims() const { return static_cast<int64_t>(basis_.size()) / width_; }
  const double* axis(int64_t k) const { return basis_.data() + k * width_; }
  std::span<const double> axes() const { return basis_; }  // (k, W)
  /// A subspace of the same size in a random direction: the control of every subspace verb.
  static Subspace random(int64_t width, int64_t dims, uint64_t key);

 private:
  std::vector<double> basis_;  // (k, W)
  int64_t width_;
};
/// x - Q^T Q x.
Tap project_out(const Target& target, const Subspace& space);
/// x + Q^T Q (source - x).
Tap swap_subspace(const Target& target,
                  const Subspace& space,
                  const SiteValues& source,
                  RowSource rows = {});

}  // namespace sv

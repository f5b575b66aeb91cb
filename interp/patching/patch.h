// Activation patching: the base run gets the donor run's vectors at chosen positions from update r
// on; does its answer turn? Three-way outcome per answer: clean (as unpatched), donor's, other.
//
// Only answers that differ between the two unpatched runs of the same model count, so without a
// patch the donor's share is 0 by construction.
#pragma once
#include "interp/intervene.h"
#include "interp/patching/pairs.h"

namespace sv {

/// Positions that are replaced together.
struct PositionSet {
  std::string name;
  std::vector<int> positions;
};

struct PatchOptions {
  std::string site = "loop.*.state_out";
  When::Kind when = When::Kind::at;
  int window = 1;                 // updates of a window
  std::vector<int> updates;       // r at which the patch starts, ascending
  int depth = 8;                  // periods after which the answer is read
  std::vector<PositionSet> sets;  // empty: every position by itself
  bool only_differing = true;     // skip sets where neither token nor answer differs
  int pairs = 32;
  Direction direction = Direction::noising;
  bool controls = true;           // identity, same-answer donor, random donor
  std::vector<int> pooled;        // places in the pack that make means and intervals; empty: all
  Reasoner* untrained = nullptr;  // a pack of the same architecture at its initialisation
  uint64_t key = 0;               // of pairs and random donors
  int rows = 256;                 // patched runs in one batch
  RunOptions run;                 // its batch is not used
  Bootstrap bootstrap;
  Provenance trained;
};

/// Outcome shares of one kind of answer per (model, start, set); NaN where nothing was eligible.
struct OutcomeGrids {
  std::vector<Grid> clean, donor, other;  // (M) of (U, sets)
};

struct PatchControl {
  std::string name;
  std::vector<Grid> by_seed;  // (M) of (U, sets)
  Grid effect;                // (U, sets) mean over seeds
};

struct PatchResult {
  Evidence evidence;  // items: pairs
  std::string site, when, direction;
  std::vector<int> updates;
  int last_update = 0;
  std::vector<std::string> sets;
  OutcomeGrids here;                   // answers at the patched positions
  OutcomeGrids elsewhere;              // answers at all other positions
  Grid effect_here, effect_elsewhere;  // (U, sets) donor's share, mean over seeds
  std::vector<std::vector<Interval>> interval_here, interval_elsewhere;  // over seeds
  /// (U, sets) share of the way from the base's to the donor's logit difference that the patch
  /// goes, at the patched positions: ratio of means over seeds and pairs.
  Grid recovery;
  /// Answers by what they share with the patched position (TaskSpec::coordinates): "the position",
  /// "same row", ..., "elsewhere"; single-position sets only.
  std::vector<std::string> relations;
  std::vector<Grid> by_relation_seed;  // (M) of (U, relations) donor's share
  Grid by_relation;                    // mean over seeds
  std::vector<PatchControl> controls;
  bool identity_checked = false;  // the run's own values written back changed no bit of the logits
  int64_t patches = 0;            // patched runs of each model
};

PatchResult patch(Reasoner& model, const Dataset& data, const PatchOptions& options);

}  // namespace sv

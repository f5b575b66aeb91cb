// unroll: the only loop. Runs a Reasoner under four independent strategies and a set of taps.
#pragma once
#include <functional>
#include <memory>
#include <vector>

#include "models/depth.h"
#include "models/queue.h"
#include "models/reasoner.h"
#include "models/strategies.h"

namespace sv {

/// Where a run begins when it does not begin at init: the state after update r.
struct Start {
  int r = 0;
  std::array<Tensor, kMaxParts> parts{};  // each (M,B,T,D); only those of the schedule are read
  /// (M,B) rows that begin at init all the same; empty: none. No gradient reaches their init.
  std::span<const uint8_t> fresh = {};
};

/// One update as an observer sees it. The tensors live until the call returns.
struct Update {
  int r;
  std::span<const int> models;  // live models
  const State& h;               // after update r
  Tensor logits;                // (M,B,T,V), empty unless this update is read out
  Tensor residual;              // (M,B), empty unless SaveAt::residual
};

struct Plan {
  Depth depth;
  Halt halt;
  Gradient gradient;
  SaveAt save;
  uint64_t step = kEvaluation;  // of training; keys the draws of Depth and of the model
  Members members;  // of the pack that run; inputs, start and taps count from the first of them
  const PackedWeights* packed = nullptr;  // the weights' panels, if they outlive run and backward
  const Taps* taps = nullptr;
  const Start* start = nullptr;
  KvCache* cache = nullptr;                   // keys and values of earlier positions: decode.h
  const std::vector<int>* periods = nullptr;  // by Inputs::ids, for Halt::Kind::oracle
  /// The rows of the inputs come in and leave by the queue; needs a halting rule, and nobody who
  /// looks at rows at their places (taps, an observer, saved states, residuals, a start).
  Queue* queue = nullptr;
  /// Called after every update; then readouts are not kept in the trajectory, so memory stays flat
  /// in R.
  std::function<void(const Update&)> on_update;
};

struct Readout {
  int r = 0;
  std::span<const int> models;  // the models this readout is of; the slots of others are undefined
  Var logits;                   // (M,B,T,V)
  Var halt;                     // (M,B) or (M,B,T), or absent
  Var go_on;                    // (M,B) or absent: Reasoner::continue_logit
  Var penalty;                  // (M,B) or absent
};

struct Trajectory {
  Var e;
  State final;                    // every row after its own last update
  std::vector<Readout> readouts;  // ascending in r
  std::vector<int> depth;         // (M) updates planned: last r of the model
  std::vector<int> steps;   // (M, B) last update each row made; smaller than depth if it halted
  std::vector<int> chosen;  // (M, B) update whose readout exit_logits holds, when Halt is on: the
                            // last, but for Halt::Kind::confident
  std::vector<std::pair<int, State>> states;
  Tensor residual;  // (R - start, M, B) when SaveAt::residual and no observer; zero behind a halt
  Tensor exit_logits;  // (M,B,T,V) readout of every row at its `chosen` update, when Halt is on
  std::shared_ptr<TapSession>
      session;              // replays writes in recomputed segments: must live until backward
  BlockPaths blocks;        // transformer blocks computed in one call, and op by op
  int updates_run = 0;      // updates the loop made
  int64_t row_updates = 0;  // rows x updates computed: the work; without halting M * B * R. Places
                            // that fall idle count, but not those behind the end of a queue, whose
                            // number depends on the threads

  void clear();
};

/// Runs the loop. Arena memory of `out` lives until the caller rewinds. Everything random is keyed,
/// so two runs with the same arguments give the same bits. With Gradient::none the arena does not
/// grow with R (given an observer, or no readouts but the last). Throws on a depth beyond the
/// model's, on halting together with gradient, and on taps that miss (taps.h).
///
/// With a queue the run begins with as many waiting rows as it has places, and what a row leaves
/// goes to the queue alone. If the schedule is stationary, a waiting row takes the place of one
/// that stops, at the end of a period, and the run ends when none waits and all have stopped. Else
/// rows go in step: the run ends when its first rows have stopped, and the caller runs again while
/// rows wait. Nothing waits: nothing is done.
void unroll(Reasoner& model, const Inputs& inputs, const Plan& plan, Tape& tape, Trajectory& out);

}  // namespace sv

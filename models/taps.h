// Taps: reads and writes at named places of a run. A value passed to unroll that lives for one
// call; nothing is stored on the model. Firings are counted, and a tap that does not fire as often
// as computed is an error.
//
// Address (text form, with globs):  encode.encoded · encode.block.{l}.{point} · loop.{r}.{point} ·
// loop.{r}.block.{l}.{point} · loop.{r}.state_out:{part} · readout.{r}.{point} ·
// readout.{r}.block.{l}.{point} {r} is an update 1..R: a number, a range 3..5, a list 1,4,9 or *;
// {l}, {point}, {part}: a name or *. Nested indices of the schedule also address updates:
// loop.round=1,inner=*.block.0.resid_out
#pragma once
#include <functional>
#include <optional>

#include "kernels/autograd/tape.h"
#include "models/edit.h"

namespace sv {

/// What a tap sees when it fires. `x` is the site's tensor in host memory; a write changes it in
/// place. On a device it is a copy: the run waits for that of a write and puts it back, that of a
/// read comes later, so that the action of a read is called before the next write with an action
/// and before unroll returns, in the order of the firings. A tap's code is the same everywhere.
struct TapEvent {
  const Site& site;
  Tensor x;
  const Select& select;
  std::span<const int> models;    // live models, ascending
  std::span<const uint8_t> live;  // (M, B): 1 = the row is still iterating
};

struct Tap {
  enum class Kind : uint8_t {
    read,     // sees the tensor after all earlier writes
    replace,  // writes; the gradient does not pass through what is replaced
    add,      // writes; the gradient passes
  };
  std::string pattern;
  Kind kind = Kind::read;
  Select select;
  std::function<void(const TapEvent&)> action;
  std::optional<Edit> edit;         // of a write that need not look, instead of an action
  bool tolerate_unreached = false;  // accept that a row halts before the write
};

using Taps = std::vector<Tap>;

/// The book-keeping of one run: resolved patterns, counts, replay. Made by unroll; models only call
/// Pass::tap.
class TapSession {
 public:
  /// Resolves patterns against the sites the run will visit: `sites` are the model's (r = 0 stands
  /// for every update of the phase). Throws, naming the nearest site, when a pattern matches none,
  /// or a selection is out of range.
  TapSession(const Taps& taps,
             std::span<const Site> sites,
             const Schedule& schedule,
             int first_r,
             int last_r,
             int models,
             int batch,
             std::span<const int> base = {});

  ~TapSession();
  TapSession(const TapSession&) = delete;
  TapSession& operator=(const TapSession&) = delete;

  Var fire(Tape& tape, const Site& site, Var x);
  /// Waits for the reads that are under way and calls their actions.
  void finish_reads();
  /// A tap is at a site inside this block at update r: neither its input nor its output.
  bool inside(Phase phase, int r, int block) const;
  /// A tap is at this site.
  bool at(const Site& site) const;
  void set_live(std::span<const uint8_t> live) { live_ = live; }
  /// Recomputation of a checkpoint: writes act again, reads do not, nothing is counted.
  void set_replay(bool replay) { replay_ = replay; }
  /// Compares fired with expected. `steps` (M, B): updates each row really made; `readouts`:
  /// updates that were read out.
  void check(std::span<const int> steps,
             std::span<const int> readouts,
             std::span<const int> halts) const;

 private:
  struct Resolved {
    std::vector<Site> sites;       // r = 0 where `updates` applies
    std::vector<uint8_t> updates;  // (R + 1): r is addressed
    int64_t fired = 0;             // (model, row) pairs
  };
  /// A read on a device: its bytes are under way, its action has not been called.
  struct Coming {
    const Tap* tap;
    Site site;
    Tensor x;
    std::span<const int> models;
    std::span<const uint8_t> live;
  };
  bool matches(size_t tap, const Site& site) const;
  void read(const Context& ctx, const Tap& tap, const Site& site, const Tensor& x);
  Var write(Tape& tape, const Tap& tap, const Site& site, Var x);
  /// Model m is part of the run and selected by the tap.
  bool runs(const Tap& tap, int m) const;

  const Taps& taps_;
  const Schedule& schedule_;
  std::vector<Resolved> resolved_;
  std::span<const uint8_t> live_;
  int models_;
  int batch_;
  std::span<const int> base_;  // models of the run; empty = all
  int first_r_;
  bool replay_ = false;
  std::vector<Coming> coming_;
  Arena coming_memory_;       // what it refers to
  size_t coming_bytes_ = 0;   // of the tensors
  Device* device_ = nullptr;  // where they come from
};

}  // namespace sv

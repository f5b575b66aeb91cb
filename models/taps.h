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
#include <algorithm>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "kernels/autograd/tape.h"
#include "models/schedule.h"

namespace sv {

enum class Point : uint8_t {
  encoded,
  state_in,
  injected,
  resid_in,
  q,
  k,
  v,
  attn_pattern,
  attn_out,
  mlp_hidden,
  mlp_out,
  resid_out,
  state_out,
  readout_norm,
  logits,
  halt,
};
std::string_view point_name(Point);

enum class Phase : uint8_t { encode, loop, readout };

/// One place of a run. `block` -1: outside the blocks. `r` 0 in the encoder. `part` -1 where no
/// part is named.
struct Site {
  Phase phase = Phase::loop;
  Point point = Point::state_out;
  int block = -1;
  int r = 0;
  int part = -1;
  bool operator==(const Site&) const = default;
};
/// Whether a run visits the site at update r: sites of a part where it is written, those of blocks
/// and injection where Schedule::block_part is.
bool visited(const Site&, const Schedule&, int r);
/// "loop.3.block.0.resid_out"
std::string site_name(const Site&, const Schedule&);

/// Which entries of the site's tensor: empty lists mean all. The tensor is (M, B, T, ...), for
/// attn_pattern (M, B, H, T, S), for halt (M, B) or (M, B, T).
struct Select {
  std::vector<int> models;     // m
  std::vector<int> items;      // b
  std::vector<int> positions;  // t (the query position of attn_pattern)
};

/// What a tap sees when it fires. `x` is the site's tensor in host memory; a write changes it in
/// place. On a device it is a copy that the run waits for, put back after a write: a tap's code is
/// the same everywhere.
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
  bool tolerate_unreached = false;  // accept that a row halts before the write
};

using Taps = std::vector<Tap>;

/// Calls f(offset, count) for every contiguous run of selected elements of a site tensor.
template <class F>
void for_each_selected(const Tensor& x, const Select& select, std::span<const int> models, F&& f);

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

  Var fire(Tape& tape, const Site& site, Var x);
  /// A tap is at a site inside this block at update r: neither its input nor its output.
  bool inside(Phase phase, int r, int block) const;
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
  bool matches(size_t tap, const Site& site) const;
  void read(Tape& tape, const Tap& tap, const Site& site, Var x);
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
};

template <class F>
void for_each_selected(const Tensor& x, const Select& select, std::span<const int> models, F&& f) {
  const int64_t batch = x.dim(1);
  const auto wanted = [](const std::vector<int>& list, int64_t i) {
    return list.empty() || std::find(list.begin(), list.end(), static_cast<int>(i)) != list.end();
  };
  const int rank = x.shape.rank();
  const int t_axis = rank == 5 ? 3 : rank >= 3 ? 2 : -1;
  const int64_t heads = rank == 5 ? x.dim(2) : 1;
  const int64_t positions = t_axis < 0 ? 1 : x.dim(t_axis);
  const int64_t width = x.numel() / (x.dim(0) * batch * heads * positions);
  for (int64_t m = 0; m < x.dim(0); ++m) {
    const bool live = models.empty() ||
                      std::find(models.begin(), models.end(), static_cast<int>(m)) != models.end();
    for (int64_t b = 0; live && wanted(select.models, m) && b < batch; ++b) {
      for (int64_t h = 0; wanted(select.items, b) && h < heads; ++h) {
        const int64_t start = ((m * batch + b) * heads + h) * positions;
        if (select.positions.empty() || t_axis < 0) {
          f(start * width, positions * width);
          continue;
        }
        for (const int t : select.positions) {
          f((start + t) * width, width);
        }
      }
    }
  }
}

}  // namespace sv

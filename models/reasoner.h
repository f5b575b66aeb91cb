// Reasoner: what is iterated. The loop itself, when to stop, what to save and how to differentiate
// are unroll's.
//
//   e   = encode(tokens)        e (M,B,T,D)
//   h_0 = init(e)               named parts, each (M,B,T,D) unless the model says otherwise
//   h_r = step(h_{r-1}, e, r)   ONE update of ONE named part; injecting e is the step's business
//   y_r = readout(h_r, e)       (M,B,T,V), legal after any r
//   q_r = halt_logit(h_r)       optional, (M,B) or (M,B,T)
#pragma once
#include <array>
#include <span>
#include <vector>

#include "models/params.h"
#include "models/taps.h"

namespace sv {

class KvCache;

/// The state: one Var per named part of the schedule.
struct State {
  std::array<Var, kMaxParts> part{};
  Var& operator[](int i) { return part[static_cast<size_t>(i)]; }
  const Var& operator[](int i) const { return part[static_cast<size_t>(i)]; }
};

/// What a model reads. Shapes i32: tokens (1|M,B,T); lengths (1|M,B), empty when all positions are
/// in use; prefix (1|M,B), only for prefix masks; ids (1|M,B), always in host memory: the number of
/// the row's example, which keys what is random about the row (parts::noise, sampled halting),
/// wherever in a batch it stands; empty: its place b.
struct Inputs {
  Tensor tokens;
  Tensor lengths;
  Tensor prefix;
  Tensor ids = {};
  int64_t batch() const { return tokens.dim(1); }
  /// Those that lie where the run computes.
  std::array<Tensor*, 3> tensors() { return {&tokens, &lengths, &prefix}; }
};

/// The training step of a run that trains nothing: later than all others.
inline constexpr uint64_t kEvaluation = 0xffffffff;

/// How many blocks of one model went through fused::block, and how many op by op: what a run record
/// says about the path it took.
struct BlockPaths {
  int64_t fused = 0;
  int64_t plain = 0;
  // Of the plain ones, on a device: attention that never wrote its pattern, MLPs in one call.
  int64_t patternless = 0, fused_mlp = 0;
};

/// What model code is given: the tape, the parameters, the place in the run, and the taps.
struct Pass {
  Tape& tape;
  Params& params;
  TapSession* taps = nullptr;
  Phase phase = Phase::loop;
  int r = 0;
  Members members = {};
  const PackedWeights* packed = nullptr;
  BlockPaths* paths = nullptr;
  uint64_t step = kEvaluation;  // of training; keys random draws
  /// (M,B) updates the loop had made when the row came in; empty: none.
  std::span<const int> entered = {};
  KvCache* cache = nullptr;     // of earlier positions; the run's are those that it has open

  /// The parameter as a Var; its gradient goes to Params.
  Var param(ParamId id) {
    const Param& p = params[id];
    return p.fixed || p.frozen || tape.fixed_parameters()
               ? tape.constant(members.of(p.value))
               : tape.parameter(members.of(p.value), members.of(p.lane(members.lane)));
  }
  /// The matrix's panels, if the run has packed its weights.
  ops::Panels panels(ParamId id) const {
    return packed == nullptr ? ops::Panels{} : packed->of(id, members);
  }
  /// A parameter's value as kernels take it; empty for -1.
  Tensor value(ParamId id) const { return id < 0 ? Tensor{} : members.of(params[id].value); }
  /// A block may be computed in one call: nothing asks for what happens inside it. On the CPU: a
  /// device has no such kernel.
  bool fusable(int block) const {
    return !tape.recording() && packed != nullptr && tape.ctx.device == nullptr &&
           cache == nullptr && (taps == nullptr || !taps->inside(phase, r, block));
  }
  /// On a device: nothing asks for what is at this point of the block, so that a kernel may keep it
  /// to itself. On the CPU it stays in cache either way, and fused::block is for runs without taps.
  bool skippable(Point point, int block) const {
    return tape.ctx.device != nullptr &&
           (taps == nullptr || !taps->at({phase, point, block, r, -1}));
  }
  /// Notes that a block of x's models took this path.
  void count(int64_t BlockPaths::*path, Var x) const {
    if (paths != nullptr) {
      paths->*path += tape.ctx.model_count(x.value());
    }
  }
  /// Place in the pack of the run's model m.
  size_t place(int64_t m) const { return static_cast<size_t>(members.first + m); }
  /// The own update of row b of model m in a batch of `batch`: what its draws are keyed by.
  int row_r(int64_t m, int64_t b, int64_t batch) const {
    return entered.empty() ? r : r - entered[static_cast<size_t>(m * batch + b)];
  }
  /// Exposes x at a site; returns what the taps leave. One pointer test when there are none.
  Var tap(Point point, Var x, int block = -1, int part = -1) {
    return taps == nullptr ? x : taps->fire(tape, {phase, point, block, r, part}, x);
  }
};

class Reasoner {
 public:
  virtual ~Reasoner() = default;
  virtual const Schedule& schedule() const = 0;
  /// Sites the model taps, with r = 0 standing for every update.
  virtual std::vector<Site> sites() const = 0;
  virtual Var encode(Pass&, const Inputs&) = 0;
  virtual State init(Pass&, const Inputs&, Var e) = 0;
  virtual State step(Pass&, const Inputs&, const State& h, Var e) = 0;  // update pass.r
  /// The map whose fixed point the updates look for, for the implicit gradient; the update itself
  /// unless a solver makes it.
  virtual State map(Pass& pass, const Inputs& in, const State& h, Var e) {
    return step(pass, in, h, e);
  }
  virtual Var readout(Pass&, const Inputs&, const State& h, Var e) = 0;
  /// (M,B) or (M,B,T); absent if the model has no halting head.
  virtual Var halt_logit(Pass&, const State&) { return {}; }
  /// The value of going on, for models that compare it with halt_logit (HRM); (M,B).
  virtual Var continue_logit(Pass&, const State&) { return {}; }
  /// A cost of the state that training adds to the loss, weighted by train.penalty: the ponder cost
  /// of adaptive computation time; (M,B).
  virtual Var penalty(Pass&, const Inputs&, const State&, Var /*e*/) { return {}; }
  /// The model computes a position from itself and earlier ones, mixes positions in attention alone
  /// and takes keys and values of earlier ones from Pass::cache: it can be decoded (decode.h).
  virtual bool decodes() const { return false; }

  Params& params() { return params_; }
  const Params& params() const { return params_; }
  int models() const { return params_.models(); }

 protected:
  Reasoner(std::vector<uint64_t> seeds, DType dtype, Device* device = nullptr, bool allocate = true)
      : params_(std::move(seeds), dtype, device, allocate) {}
  Params params_;
};

/// state_in and state_out of every part.
inline void add_state_sites(std::vector<Site>& sites, const Schedule& schedule) {
  for (int part = 0; part < static_cast<int>(schedule.parts.size()); ++part) {
    sites.push_back({Phase::loop, Point::state_in, -1, 0, part});
    sites.push_back({Phase::loop, Point::state_out, -1, 0, part});
  }
}

}  // namespace sv

// hrm: the Hierarchical Reasoning Model (Wang et al., arXiv 2506.21734). Two modules and two
// states:
//
//   z_L <- F_L(z_L + z_H + e)   model.inner times, then   z_H <- F_H(z_H + z_L)
//   y = W z_H,   (halt, go on) = Q z_H at position 0
//
// One round is inner + 1 updates; a published segment is two rounds of inner = 2, differentiated
// through the last update of each module (train.gradient=one_step), carried on with its states as
// constants (train.segments) and supervised by `rows`. Blocks are post-norm without gains, the
// states start from fixed vectors, one position stands before the tokens.
//
// What differs from the authors' code: arithmetic is f32, not bf16; only positions that a task asks
// for are scored (theirs also scores the clues of a Sudoku); symbols are the task's own unless
// model.symbols says otherwise; at evaluation a row may stop (halt.rule), theirs always makes all
// segments.
#include "models/depth.h"
#include "models/parts/recursive.h"
#include "models/zoo.h"

namespace sv {

namespace {

class Hrm : public Reasoner {
 public:
  explicit Hrm(const ModelArgs& a)
      : Reasoner(a.seeds, a.dtype, a.device, a.allocate),
        encoder_(params_, a.task, a.model),
        start_{{params_, "z_L", a.model.init, a.model.width},
               {params_, "z_H", a.model.init, a.model.width}},
        module_{parts::recursive_module(params_, "low", a.model, a.task),
                parts::recursive_module(params_, "high", a.model, a.task)},
        head_(params_, a.task, a.model, encoder_),
        sites_(parts::recursive_sites(a.model, 2)) {
    const Stages inner = Stages::parse(a.model.inner, "model.inner");
    SV_CHECK(inner.from.size() == 1, "model.inner=", a.model.inner, ": hrm has one count");
    const int n = inner.max();
    schedule_.parts = {"z_L", "z_H"};
    schedule_.writes.assign(static_cast<size_t>(n), kLow);
    schedule_.writes.push_back(kHigh);
    schedule_.index = {"round", "inner"};
    schedule_.inner = {n + 1};
    schedule_.prefix = a.model.prefix - (parts::names_puzzles(a.model, a.task) ? 1 : 0);
  }

  const Schedule& schedule() const override { return schedule_; }
  std::vector<Site> sites() const override { return sites_; }
  Var encode(Pass& pass, const Inputs& in) override { return encoder_(pass, in); }
  State init(Pass& pass, const Inputs& in, Var e) override {
    return {{start_[kLow](pass, in, e), start_[kHigh](pass, in, e)}};
  }
  State step(Pass& pass, const Inputs& in, const State& h, Var e) override {
    const int part = schedule_.part_of(pass.r);
    const Var u = part == kLow ? ad::add(pass.tape, h[kHigh], e) : h[kLow];
    Var x = pass.tap(Point::injected, ad::add(pass.tape, h[part], u));
    for (const parts::Block& block : module_[part]) {
      x = block(pass, in, x);
    }
    State after = h;
    after[part] = x;
    return after;
  }
  Var readout(Pass& pass, const Inputs&, const State& h, Var) override {
    return head_.logits(pass, h[kHigh]);
  }
  Var halt_logit(Pass& pass, const State& h) override { return head_.score(pass, h[kHigh], 0); }
  Var continue_logit(Pass& pass, const State& h) override { return head_.score(pass, h[kHigh], 1); }

 private:
  enum : int { kLow = 0, kHigh = 1 };
  Schedule schedule_;
  parts::RecursiveEncoder encoder_;
  parts::StateStart start_[2];
  std::vector<parts::Block> module_[2];
  parts::RecursiveHead head_;
  std::vector<Site> sites_;
};

}  // namespace

std::unique_ptr<Reasoner> make_hrm(const ModelArgs& args) {
  parts::check_recursive(args.model, args.task);
  return std::make_unique<Hrm>(args);
}

}  // namespace sv

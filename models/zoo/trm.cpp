// trm: the Tiny Recursive Model (Jolicoeur-Martineau, arXiv 2510.04871). One module, two states:
//
//   z_L <- F(z_L + z_H + e)   model.inner times, then   z_H <- F(z_H + z_L)
//   y = W z_H,   halt = Q z_H at position 0, stops when above 0
//
// One round is inner + 1 updates; a published segment is three rounds of inner = 6 (Sudoku) or 4,
// of which the last is differentiated (train.gradient=round), carried on with its states as
// constants (train.segments). model.mixer=tokens gives the form for small grids. Its descendants
// are options:
//
//   EqR (arXiv 2605.21488)  model.damping=0.95 model.noise=0.01 model.init=random model.prefix=0:
//   every
//                           update is z + damping (F - z) + noise eps, states start at random
//   URM (arXiv 2512.14693)  model.states=1 model.conv=2: h <- F(h + e), inner updates a round
//   RSM (arXiv 2603.15641)  model.halt_head=false model.tied_head=true model.token_norm=false
//                           train.segments=1, model.inner and depth.train growing with the step:
//                           2@0,4@500. Inner updates beyond the step's own leave the state alone.
//
// What differs from the authors' codes: arithmetic is f32, not bf16; only positions that a task
// asks for are scored; symbols are the task's own unless model.symbols says otherwise; at
// evaluation a row may stop (halt.rule), theirs always make all segments; noise is keyed by row and
// update. RSM's scaling of optimiser moments when a count grows is left out.
#include "models/depth.h"
#include "models/parts/recursive.h"
#include "models/zoo.h"

namespace sv {

namespace {

class Trm : public Reasoner {
 public:
  explicit Trm(const ModelArgs& a)
      : Reasoner(a.seeds, a.dtype, a.device, a.allocate),
        settings_(a.model),
        inner_(Stages::parse(a.model.inner, "model.inner")),
        encoder_(params_, a.task, a.model),
        module_(parts::recursive_module(params_, "core", a.model, a.task)),
        head_(params_, a.task, a.model, encoder_),
        sites_(parts::recursive_sites(a.model, a.model.states)) {
    const int n = inner_.max();
    if (a.model.states == 1) {
      SV_CHECK(inner_.from.size() == 1,
               "model.inner=",
               a.model.inner,
               " grows, which needs model.states=2");
      schedule_.index = {"outer", "inner"};
      schedule_.inner = {n};
    } else {
      schedule_.parts = {"z_L", "z_H"};
      schedule_.writes.assign(static_cast<size_t>(n), 0);
      schedule_.writes.push_back(1);
      schedule_.index = {"round", "inner"};
      schedule_.inner = {n + 1};
    }
    schedule_.prefix = a.model.prefix - (parts::names_puzzles(a.model, a.task) ? 1 : 0);
    for (const std::string& part : schedule_.parts) {
      start_.emplace_back(params_, part, a.model.init, a.model.width);
    }
  }

  const Schedule& schedule() const override { return schedule_; }
  std::vector<Site> sites() const override { return sites_; }
  Var encode(Pass& pass, const Inputs& in) override { return encoder_(pass, in); }
  State init(Pass& pass, const Inputs& in, Var e) override {
    State h;
    for (size_t p = 0; p < start_.size(); ++p) {
      h.part[p] = start_[p](pass, in, e);
    }
    return h;
  }
  State step(Pass& pass, const Inputs& in, const State& h, Var e) override {
    const int part = schedule_.part_of(pass.r);
    if (idle(pass)) {
      return h;
    }
    const bool inner = part != outer();
    const Var u = settings_.states == 1 ? e : inner ? ad::add(pass.tape, h[1], e) : h[0];
    Var x = pass.tap(Point::injected, ad::add(pass.tape, h[part], u));
    for (const parts::Block& block : module_) {
      x = block(pass, in, x);
    }
    State after = h;
    after[part] = parts::relax(pass, in, settings_, h[part], x);
    return after;
  }
  Var readout(Pass& pass, const Inputs&, const State& h, Var) override {
    return head_.logits(pass, h[outer()]);
  }
  Var halt_logit(Pass& pass, const State& h) override { return head_.score(pass, h[outer()], 0); }

 private:
  /// The part that is read out.
  int outer() const { return settings_.states - 1; }
  /// An inner update beyond those of this training step.
  bool idle(const Pass& pass) const {
    return inner_.from.size() > 1 && schedule_.part_of(pass.r) != outer() &&
           schedule_.index_of(pass.r, 1) >= inner_.at(pass.step);
  }

  ModelSettings settings_;
  Stages inner_;
  Schedule schedule_;
  parts::RecursiveEncoder encoder_;
  std::vector<parts::StateStart> start_;
  std::vector<parts::Block> module_;
  parts::RecursiveHead head_;
  std::vector<Site> sites_;
};

}  // namespace

std::unique_ptr<Reasoner> make_trm(const ModelArgs& args) {
  parts::check_recursive(args.model, args.task);
  return std::make_unique<Trm>(args);
}

}  // namespace sv

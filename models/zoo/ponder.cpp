// ponder: PonderNet (Banino et al., arXiv 2107.05407). At every update a state is moved, read out
// and asked whether to halt:
//
//   h_n = F(h_(n-1), x)   y_n = C(h_n)   lambda_n = sigmoid(w h_n + b)
//   p_n = lambda_n (1 - lambda_1) ... (1 - lambda_(n-1)), the last update takes what is left
//
// with F a GRU cell or transformer blocks (model.cell) and w read from the mean over positions.
// Training (train.supervision=expected) minimises sum_n p_n L(y_n) + beta KL(p || geometric); at
// inference the halt is sampled (halt.rule=sample), and the row leaves the batch there.
//
// What differs from the paper: the number of updates in training is fixed (depth.train) rather than
// found from the prior's tail; the prior is the geometric distribution cut at that number and made
// a distribution again; the halting bias starts at -3 (halt_bias); answers are a softmax.
#include "models/parts/cell.h"
#include "models/zoo.h"

namespace sv {

namespace {

class Ponder : public Reasoner {
 public:
  explicit Ponder(const ModelArgs& a)
      : Reasoner(a.seeds, a.dtype, a.device, a.allocate),
        cell_(parts::make_cell(params_, a.model, a.task)),
        halt_(params_, a.model.width, a.model.halt_bias) {
    schedule_.prefix = cell_->prefix();
  }

  const Schedule& schedule() const override { return schedule_; }
  std::vector<Site> sites() const override {
    std::vector<Site> out = {{Phase::encode, Point::encoded},
                             {Phase::loop, Point::state_in, -1, 0, 0},
                             {Phase::loop, Point::state_out, -1, 0, 0},
                             {Phase::loop, Point::halt},
                             {Phase::readout, Point::readout_norm},
                             {Phase::readout, Point::logits}};
    cell_->add_sites(out);
    return out;
  }
  Var encode(Pass& pass, const Inputs& in) override { return cell_->encode(pass, in); }
  State init(Pass& pass, const Inputs& in, Var e) override { return {{cell_->start(pass, in, e)}}; }
  State step(Pass& pass, const Inputs& in, const State& h, Var e) override {
    return {{cell_->update(pass, in, h[0], e)}};
  }
  Var readout(Pass& pass, const Inputs&, const State& h, Var) override {
    return cell_->readout(pass, h[0]);
  }
  Var halt_logit(Pass& pass, const State& h) override { return halt_(pass, h[0]); }

 private:
  Schedule schedule_;
  std::unique_ptr<parts::Cell> cell_;
  parts::HaltHead halt_;
};

}  // namespace

std::unique_ptr<Reasoner> make_ponder(const ModelArgs& args) {
  return std::make_unique<Ponder>(args);
}

}  // namespace sv

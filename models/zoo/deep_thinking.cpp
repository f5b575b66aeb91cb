// deep_thinking: the recurrent convolutional nets of Schwarzschild et al. (arXiv 2106.04537) with
// recall (Bansal et al., arXiv 2202.05826).
//
//   e = one-hot tokens,  h_0 = relu(conv e),  h_r = blocks(relu(conv [h_(r-1) ; e])),  y = head h_r
//
// A block is relu(x + conv relu(conv x)); kernels are 3 or 3x3 without bias, and there is no norm.
// model.injection=none leaves recall out: h_r = blocks(h_(r-1)). The head's widths are D, D/2, V.
// As nothing knows the number of positions, a model is evaluated on any (a square one in two
// dimensions). Trained by train.supervision=progressive (objectives/progressive.cpp). What differs
// from the authors' code: one input channel per symbol, not the bit (or pixel) as a number.
#include "kernels/memory/copy.h"
#include "models/parts/conv.h"
#include "models/zoo.h"

namespace sv {

namespace {

/// 1 or 2: what the setting says, or whether the task's positions are a square grid.
int dimensions_of(const ModelSettings& s, const TaskSpec& task) {
  if (s.dimensions != 0) {
    return s.dimensions;
  }
  int row = 0, column = 0;
  for (const Channel& c : task.coordinates) {
    row = c.name == "row" ? c.size : row;
    column = c.name == "column" ? c.size : column;
  }
  return row > 1 && row == column && row * column == task.positions ? 2 : 1;
}

class DeepThinking : public Reasoner {
 public:
  explicit DeepThinking(const ModelArgs& a)
      : Reasoner(a.seeds, a.dtype, a.device, a.allocate),
        recalls_(a.model.injection == "concat"),
        symbols_(a.task.vocab) {
    SV_CHECK(recalls_ || a.model.injection == "none",
             "model.injection=",
             a.model.injection,
             ": deep_thinking recalls its input (concat) or does not (none)");
    const int n = dimensions_of(a.model, a.task);
    const int64_t d = a.model.width;
    SV_CHECK(d % 2 == 0, "model.width=", d, ": the head halves it");
    projection_ = parts::Conv(params_, "projection", n, symbols_, d);
    if (recalls_) {
      recall_ = parts::Conv(params_, "recall", n, d + symbols_, d);
    }
    for (int l = 0; l < a.model.layers; ++l) {
      const std::string name = "block." + std::to_string(l);
      blocks_.push_back({parts::Conv(params_, name + ".conv1", n, d, d),
                         parts::Conv(params_, name + ".conv2", n, d, d)});
    }
    head_ = {parts::Conv(params_, "head.0", n, d, d),
             parts::Conv(params_, "head.1", n, d, d / 2),
             parts::Conv(params_, "head.2", n, d / 2, a.task.answers)};
    sites_ = {{Phase::encode, Point::encoded},
              {Phase::loop, Point::state_in, -1, 0, 0},
              {Phase::loop, Point::state_out, -1, 0, 0},
              {Phase::readout, Point::logits}};
    if (recalls_) {
      sites_.push_back({Phase::loop, Point::injected});
    }
    for (int l = 0; l < a.model.layers; ++l) {
      sites_.push_back({Phase::loop, Point::resid_in, l});
      sites_.push_back({Phase::loop, Point::resid_out, l});
    }
  }

  const Schedule& schedule() const override { return schedule_; }
  std::vector<Site> sites() const override { return sites_; }
  Var encode(Pass& pass, const Inputs& in) override {
    return pass.tap(Point::encoded, ad::embed(pass.tape, in.tokens, one_hot(pass), in.batch()));
  }
  State init(Pass& pass, const Inputs&, Var e) override {
    return {{relu(pass, projection_(pass, e))}};
  }
  State step(Pass& pass, const Inputs&, const State& h, Var e) override {
    Var x = h[0];
    if (recalls_) {
      x = relu(pass, recall_(pass, ad::concat(pass.tape, x, e)));
      x = pass.tap(Point::injected, x);
    }
    for (size_t l = 0; l < blocks_.size(); ++l) {
      const auto block = static_cast<int>(l);
      x = pass.tap(Point::resid_in, x, block);
      const Var inner = relu(pass, blocks_[l][0](pass, x));
      x = relu(pass, ad::add(pass.tape, x, blocks_[l][1](pass, inner)));
      x = pass.tap(Point::resid_out, x, block);
    }
    return {{x}};
  }
  Var readout(Pass& pass, const Inputs&, const State& h, Var) override {
    const Var x = relu(pass, head_[0](pass, h[0]));
    return pass.tap(Point::logits, head_[2](pass, relu(pass, head_[1](pass, x))));
  }

 private:
  static Var relu(Pass& pass, Var x) { return ad::activate(pass.tape, ops::Activation::relu, x); }
  /// The table whose row v is one at v: (M,V,V).
  Var one_hot(Pass& pass) const {
    const Context& ctx = pass.tape.ctx;
    const int64_t models = pass.members.count > 0 ? pass.members.count : params_.models();
    const Tensor table = host_tensor(ctx, {models, symbols_, symbols_}, params_.dtype());
    with_float(table.dtype, [&]<class T>() {
      T* x = table.as<T>();
      std::fill_n(x, table.numel(), T{0});
      for (int64_t i = 0; i < models * symbols_; ++i) {
        x[i * symbols_ + i % symbols_] = T{1};
      }
    });
    return pass.tape.constant(to_device(ctx, table));
  }

  Schedule schedule_;
  bool recalls_;
  int64_t symbols_;
  parts::Conv projection_, recall_;
  std::vector<std::array<parts::Conv, 2>> blocks_;
  std::array<parts::Conv, 3> head_;
  std::vector<Site> sites_;
};

}  // namespace

std::unique_ptr<Reasoner> make_deep_thinking(const ModelArgs& args) {
  return std::make_unique<DeepThinking>(args);
}

}  // namespace sv

#include "models/parts/cell.h"

#include <algorithm>

#include "kernels/memory/copy.h"
#include "models/parts/gru.h"

namespace sv::parts {

namespace {

class BlockCell : public Cell {
 public:
  BlockCell(Params& params, const ModelSettings& s, const TaskSpec& task)
      : prefix_(s.memory_tokens),
        tokens_(task.positions),
        start_(params, "s", s.init, s.width),
        embed_(params, task, s),
        injects_(s.injection != "none"),
        inject_(params, "inject", s.injection, s.width, s.without_injection),
        head_(params, s.norm, s.width, task.answers) {
    SV_CHECK(injects_ || s.init == "input",
             "model.injection=none needs model.init=input: otherwise the input never enters");
    if (prefix_ > 0) {
      memory_ = params.add("memory", {prefix_, s.width}, Init::normal(kMemoryStd));
    }
    BlockShape shape = block_shape(s, task);
    shape.prefix = prefix_;
    shape.positions = prefix_ + task.positions;
    for (int l = 0; l < s.layers; ++l) {
      blocks_.emplace_back(params, "core." + std::to_string(l), shape, l);
    }
    if (s.state_norm) {
      state_norm_.emplace(params, "state_norm", s.norm, s.width);
    }
  }
  Var encode(Pass& pass, const Inputs& in) const override {
    Var e = embed_(pass, in);
    if (prefix_ > 0) {
      const Var memory = pass.param(memory_);
      const Shape row = {memory.shape()[0], 1, memory.shape()[1], memory.shape()[2]};
      e = ad::concat_positions(pass.tape, ad::reshape(pass.tape, memory, row), e);
    }
    return pass.tap(Point::encoded, e);
  }
  Var start(Pass& pass, const Inputs& in, Var e) const override { return start_(pass, in, e); }
  Var update(Pass& pass, const Inputs& in, Var h, Var e) const override {
    Var x = inject_(pass, h, e);
    for (const Block& block : blocks_) {
      x = block(pass, in, x);
    }
    return state_norm_ ? (*state_norm_)(pass, x) : x;
  }
  Var readout(Pass& pass, Var h) const override {
    return head_(pass, prefix_ > 0 ? ad::slice_positions(pass.tape, h, prefix_, tokens_) : h);
  }
  int64_t positions() const override { return prefix_ + tokens_; }
  int prefix() const override { return prefix_; }
  void add_sites(std::vector<Site>& sites) const override {
    if (injects_) {
      sites.push_back({Phase::loop, Point::injected});
    }
    for (size_t l = 0; l < blocks_.size(); ++l) {
      Block::add_sites(sites, Phase::loop, static_cast<int>(l));
    }
  }

 private:
  static constexpr double kMemoryStd = 0.7;  // as the embedding of tokens
  int prefix_;
  int64_t tokens_;
  StateStart start_;
  Embed embed_;
  bool injects_;
  Inject inject_;
  ParamId memory_ = -1;
  std::vector<Block> blocks_;
  std::optional<Norm> state_norm_;
  Head head_;
};

class GruCell : public Cell {
 public:
  GruCell(Params& params, const ModelSettings& s, const TaskSpec& task)
      : width_(s.width),
        tokens_(task.positions),
        symbols_(task.vocab),
        answers_(task.answers),
        gru_(params, "gru", tokens_ * symbols_, s.width),
        head_(params, s.norm, s.width, tokens_ * answers_) {
    SV_CHECK(tokens_ * symbols_ <= kMostInputs,
             "model.cell=gru reads a row as one vector; ",
             tokens_,
             " positions of ",
             symbols_,
             " symbols make ",
             tokens_ * symbols_,
             " numbers, more than ",
             kMostInputs,
             ": use model.cell=block");
    SV_CHECK(s.memory_tokens == 0, "model.memory_tokens needs model.cell=block");
    SV_CHECK(s.init == "zero", "model.init=", s.init, ": model.cell=gru starts from zero");
    if (params.allocates()) {
      Buffer unit({params.models(), symbols_, symbols_}, params.dtype());
      with_float(params.dtype(), [&]<class T>() {
        T* to = unit.tensor().as<T>();
        for (int64_t i = 0; i < unit.tensor().numel(); ++i) {
          to[i] = i / symbols_ % symbols_ == i % symbols_ ? T{1} : T{0};
        }
      });
      unit_ = placed(std::move(unit), params.device());
    }
  }
  Var encode(Pass& pass, const Inputs& in) const override {
    const Var unit = pass.tape.constant(pass.members.of(unit_));
    const Var x = ad::embed(pass.tape, in.tokens, unit, in.batch());  // (M,B,T,V) one-hot
    const Shape row = {x.shape()[0], in.batch(), 1, tokens_ * symbols_};
    return pass.tap(Point::encoded, gru_.gates(pass, ad::reshape(pass.tape, x, row)));
  }
  Var start(Pass& pass, const Inputs&, Var e) const override {
    return zeros(pass, e.shape().with(-1, width_), e.value().dtype);
  }
  Var update(Pass& pass, const Inputs&, Var h, Var e) const override { return gru_(pass, h, e); }
  Var readout(Pass& pass, Var h) const override {
    return head_(pass, h, {h.shape()[0], h.shape()[1], tokens_, answers_});
  }
  int64_t positions() const override { return 1; }

 private:
  static constexpr int64_t kMostInputs = 65536;
  int64_t width_, tokens_, symbols_, answers_;
  Gru gru_;
  Head head_;
  Buffer unit_;  // (M,V,V) identity: the embedding that spells a symbol as a one among zeros
};

}  // namespace

std::unique_ptr<Cell> make_cell(Params& params, const ModelSettings& s, const TaskSpec& task) {
  if (s.cell == "gru") {
    return std::make_unique<GruCell>(params, s, task);
  }
  return std::make_unique<BlockCell>(params, s, task);
}

Var positions_in_use(Pass& pass, const Inputs& in, int prefix, DType dtype) {
  if (!in.lengths) {
    return {};
  }
  const Context& ctx = pass.tape.ctx;
  const int64_t models = pass.members.count > 0 ? pass.members.count : pass.params.models();
  const int64_t batch = in.batch(), positions = prefix + in.tokens.dim(2);
  const Tensor lengths = to_host(ctx, in.lengths);
  const Tensor use = host_tensor(ctx, {models, batch, positions}, dtype);
  with_float(dtype, [&]<class T>() {
    for (int64_t i = 0; i < models * batch; ++i) {
      const int32_t length = lengths.as<int32_t>()[lengths.dim(0) == 1 ? i % batch : i];
      T* to = use.as<T>() + i * positions;
      for (int64_t t = 0; t < positions; ++t) {
        to[t] = t < prefix + length ? T{1} : T{0};
      }
    }
  });
  return pass.tape.constant(to_device(ctx, use));
}

}  // namespace sv::parts

#include "interp/planted.h"

#include "core/rng.h"
#include "data/task_of.h"
#include "kernels/autograd/ops.h"
#include "models/zoo.h"

namespace sv::interp_test {

namespace {

constexpr int kPositions = 4;
constexpr int kSymbols = 4;
constexpr int kWidth = 6;

using Symbols = std::vector<int>;

class Planted final : public TaskOf<Symbols> {
 public:
  Planted() {
    spec_.name = "planted";
    spec_.positions = kPositions;
    spec_.vocab = spec_.answers = kSymbols;
    spec_.coordinates = {counting_channel("place", kPositions)};
    spec_.truths = {{"symbol", "the symbol itself", kSymbols, 1, ""},
                    {"low", "its low bit", 2, 1, "bits"},
                    {"high", "its high bit", 2, 1, "bits"},
                    {"coin", "unrelated to the input", 2, 1, ""}};
    spec_.difficulty = "symbols 3";
    spec_.max_difficulty = kPositions;
  }
  std::string token_text(int id) const override { return std::to_string(id); }
  std::optional<Example> counterfactual(const Example& e,
                                        uint64_t seed,
                                        uint64_t index) const override {
    Symbols x(e.tokens.begin(), e.tokens.end());
    const size_t at = Rng(seed, stream_of("planted.neighbour"), index).below(0, kPositions);
    x[at] = (x[at] + 1) % kSymbols;
    return work_out(x);
  }

 protected:
  std::optional<Symbols> draw(RngCursor& rng, bool) const override {
    Symbols x(kPositions + 1);  // the last number makes instances distinct and keys the coin
    for (int& v : x) {
      v = static_cast<int>(rng.below(kSymbols));
    }
    x.back() = static_cast<int>(rng.below(1U << 30));
    return x;
  }
  std::string canonical(const Symbols& x) const override { return spelled(x); }
  Split split_for(const Symbols&, const std::string&) const override { return Split::test; }
  Example work_out(const Symbols& x) const override {
    Example e = blank_example(spec_);
    for (int t = 0; t < kPositions; ++t) {
      const auto i = static_cast<size_t>(t);
      e.tokens[i] = e.targets[i] = x[i];
      e.position_difficulty[i] = t;
      e.difficulty += x[i] == 3 ? 1 : 0;
      truth_at(&e, spec_, 0, 0, t) = x[i];
      truth_at(&e, spec_, 1, 0, t) = x[i] % 2;
      truth_at(&e, spec_, 2, 0, t) = x[i] / 2;
      const Rng coin(static_cast<uint64_t>(x.back()), stream_of("planted.coin"));
      truth_at(&e, spec_, 3, 0, t) = static_cast<int>(coin.below(static_cast<uint64_t>(t), 2));
    }
    return e;
  }
};

class PlantedModel final : public Reasoner {
 public:
  PlantedModel(const std::vector<uint64_t>& seeds, const PlantedSettings& settings)
      : Reasoner(seeds, DType::f32), settings_(settings) {
    schedule_.step_signal = settings.silent_from > 0;
    table_ = params_.add("embed", {kSymbols, kWidth}, Init::zeros());
    head_ = params_.add("head", {kSymbols, kWidth}, Init::zeros());
    for (int m = 0; m < params_.models(); ++m) {
      for (const ParamId id : {table_, head_}) {
        float* x = params_[id].value.tensor().as<float>() + m * kSymbols * kWidth;
        for (int v = 0; v < kSymbols; ++v) {
          x[v * kWidth + v] = 1.0F + 0.25F * static_cast<float>(m);
        }
      }
    }
  }
  const Schedule& schedule() const override { return schedule_; }
  std::vector<Site> sites() const override {
    return {{Phase::encode, Point::encoded},
            {Phase::loop, Point::state_in, -1, 0, 0},
            {Phase::loop, Point::state_out, -1, 0, 0},
            {Phase::readout, Point::logits}};
  }
  Var encode(Pass& pass, const Inputs& in) override {
    return pass.tap(Point::encoded,
                    ad::embed(pass.tape, in.tokens, pass.param(table_), in.batch()));
  }
  State init(Pass& pass, const Inputs&, Var e) override {
    return {{ad::scale(pass.tape, e, settings_.start)}};
  }
  State step(Pass& pass, const Inputs&, const State& h, Var e) override {
    if (settings_.silent_from > 0 && pass.r >= settings_.silent_from) {
      return {{ad::scale(pass.tape, h[0], 0)}};
    }
    return {{ad::mix(pass.tape, h[0], settings_.carry, e, settings_.inject)}};
  }
  Var readout(Pass& pass, const Inputs&, const State& h, Var) override {
    return pass.tap(Point::logits, ad::matmul(pass.tape, h[0], pass.param(head_)));
  }

 private:
  PlantedSettings settings_;
  Schedule schedule_;
  ParamId table_, head_;
};

}  // namespace

std::shared_ptr<const Task> planted_task() {
  return std::make_shared<Planted>();
}

Dataset planted_data(int64_t count, Split split) {
  return {planted_task(), split, 1, count};
}

std::unique_ptr<Reasoner> planted_model(const std::vector<uint64_t>& seeds,
                                        const PlantedSettings& settings) {
  return std::make_unique<PlantedModel>(seeds, settings);
}

std::unique_ptr<Reasoner> random_looped(const Task& task, const std::vector<uint64_t>& seeds) {
  ModelArgs args;
  args.model.width = 16;
  args.model.heads = 2;
  args.model.hidden = 12;
  args.task = task.spec();
  args.seeds = seeds;
  return make_reasoner(args);
}

}  // namespace sv::interp_test

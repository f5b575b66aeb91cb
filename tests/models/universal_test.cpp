// universal: what halting at every position promises, on recorded runs.
#include "models/model_fixture.h"

namespace sv::models_test {
namespace {

const std::vector<uint64_t> kSeeds = {3, 7};
constexpr int kBatch = 4, kLoops = 12, kPositions = 5;
constexpr double kBound = 1 - 0.01;

/// A run whose positions halt at different loops, with everything of every loop.
class HaltingPositions : public testing::Test {
 protected:
  HaltingPositions() : model_(make_model(settings(), kSeeds, DType::f64)) {
    // With a gradient: only training asks for the ponder cost.
    Plan plan = plan_of(std::to_string(kLoops), SaveAt::Readouts::list, {Gradient::Kind::full, 1});
    for (int n = 1; n <= kLoops; ++n) {
      plan.save.readout_list.push_back(3 * n);
      plan.save.states.push_back(3 * n);
    }
    out_ = &run_.forward(data_.inputs(), plan);
  }
  static ModelSettings settings() {
    ModelSettings s = setting("universal");
    s.memory_tokens = 2;
    s.halt_bias = -1;
    return s;
  }
  /// Column of the halting part of a token after loop n: 0 sum, 1 updates, 2 remainder, 3 weight.
  double halting(int n, int64_t row, int t, int column) const {
    const Tensor x = out_->states[static_cast<size_t>(n - 1)].second[1].value();
    return x.as<double>()[(row * (kPositions + 2) + 2 + t) * 4 + column];
  }
  bool halted(int n, int64_t row, int t) const { return halting(n, row, t, 0) > kBound; }
  static int length(int64_t row) { return kPositions - static_cast<int>(row % kBatch) % 3; }
  /// Loop after which the position has halted, or kLoops + 1.
  int halts_at(int64_t row, int t) const {
    int n = 1;
    while (n <= kLoops && !halted(n, row, t)) {
      ++n;
    }
    return n;
  }
  static constexpr int64_t kRows = 2 * kBatch;

  std::unique_ptr<Reasoner> model_;
  Data data_{kSeeds, kBatch, true};
  ModelRun run_{*model_};
  const Trajectory* out_;
};

TEST_F(HaltingPositions, HaltAtDifferentLoopsAndStayHalted) {
  int first = kLoops, last = 0;
  for (int64_t row = 0; row < kRows; ++row) {
    for (int t = 0; t < length(row); ++t) {
      const int at = halts_at(row, t);
      ASSERT_LE(at, kLoops);
      first = std::min(first, at);
      last = std::max(last, at);
      for (int n = at; n <= kLoops; ++n) {
        EXPECT_NEAR(halting(n, row, t, 0), 1, 1e-15);
        EXPECT_EQ(halting(n, row, t, 1), at) << "updates";
        EXPECT_EQ(halting(n, row, t, 2), halting(at, row, t, 3)) << "remainder = last weight";
        EXPECT_EQ(halting(n, row, t, 3), n == at ? halting(n, row, t, 2) : 0) << "weight";
      }
    }
    for (int t = length(row); t < kPositions; ++t) {
      EXPECT_EQ(halting(kLoops, row, t, 1), 0) << "padding makes no updates";
    }
  }
  EXPECT_LT(first, last);
}

/// Also while the other positions of the row go on.
TEST_F(HaltingPositions, KeepTheirStateTheirMeanAndTheirReadoutBitForBit) {
  const Tensor end = out_->readouts.back().logits.value();
  for (int64_t row = 0; row < kRows; ++row) {
    for (int t = 0; t < length(row); ++t) {
      for (int n = halts_at(row, t); n <= kLoops; ++n) {
        const auto loop = static_cast<size_t>(n - 1);
        for (const int part : {0, 2}) {
          const Tensor now = out_->states[loop].second[part].value();
          const Tensor then = out_->states.back().second[part].value();
          const int64_t at = (row * (kPositions + 2) + 2 + t) * now.shape[-1];
          EXPECT_EQ(std::memcmp(now.as<double>() + at,
                                then.as<double>() + at,
                                static_cast<size_t>(now.shape[-1]) * sizeof(double)),
                    0);
        }
        const Tensor logits = out_->readouts[loop].logits.value();
        const int64_t at = (row * kPositions + t) * 3;
        EXPECT_EQ(std::memcmp(logits.as<double>() + at, end.as<double>() + at, 3 * sizeof(double)),
                  0);
      }
    }
  }
}

TEST_F(HaltingPositions, CostWhatTheyUsed) {
  for (int n = 1; n <= kLoops; ++n) {
    const Tensor cost = out_->readouts[static_cast<size_t>(n - 1)].penalty.value();
    for (int64_t row = 0; row < kRows; ++row) {
      double sum = 0;
      for (int t = 0; t < length(row); ++t) {
        // Where a run ends before a position does, the rest of its probability is the remainder.
        const double rest = 1 - halting(n, row, t, 0) + halting(n, row, t, 3);
        sum += halting(n, row, t, 1) + (halts_at(row, t) < n ? halting(n, row, t, 2) : rest);
      }
      EXPECT_NEAR(cost.as<double>()[row], sum / kPositions, 1e-14);
    }
  }
}

TEST_F(HaltingPositions, ARowStopsWhenAllItsPositionsHave) {
  Plan plan = plan_of(std::to_string(kLoops));
  plan.halt = {Halt::Kind::learned, 0, 1};
  std::vector<int> expected;
  for (int64_t row = 0; row < kRows; ++row) {
    int last = 0;
    for (int t = 0; t < length(row); ++t) {
      last = std::max(last, halts_at(row, t));
    }
    expected.push_back(3 * last);
  }
  ModelRun other(*model_);
  EXPECT_EQ(other.forward(data_.inputs(), plan).steps, expected);
}

TEST(Universal, RefusesWhatMakesNoSense) {
  const auto refused = [](auto change) {
    ModelSettings s = setting("universal");
    change(s);
    EXPECT_THROW(make_model(s, kSeeds, DType::f32), Error);
  };
  refused([](ModelSettings& s) { s.init = "zero"; });  // without injection the input never enters
  refused([](ModelSettings& s) { s.cell = "gru"; });   // signals of positions that it has not
  refused([](ModelSettings& s) { s.cell = "gru", s.signals = "none"; });  // starts from zero
  refused([](ModelSettings& s) {
    s.cell = "gru", s.signals = "none", s.init = "zero", s.memory_tokens = 2;
  });
}

}  // namespace
}  // namespace sv::models_test

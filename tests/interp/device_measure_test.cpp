// Measurements of a pack on a device (the executor) against the same pack on the CPU. Counts are
// equal, for no answer of these models is a tie; means of states and probabilities agree within
// rounding.
#include <cmath>

#include "data/io/h5.h"
#include "data/temp_folder.h"
#include "interp/dynamics/convergence.h"
#include "interp/lens/readout_lens.h"
#include "interp/patching/patch.h"
#include "interp/probe/linear_probe.h"
#include "models/device_fixture.h"
#include "models/train_fixture.h"

namespace sv {
namespace {

using models_test::TrainedPair;

/// Relative to 1 + |x|: kForward of the runs, through a softmax, a cosine or a quotient.
constexpr double kMeasured = 1e-4;

class DeviceMeasure : public models_test::DeviceTest {
 protected:
  static models_test::TrainCase small_case() {
    models_test::TrainCase c = models_test::tiny_case();
    c.ood_size = 6;  // one position is padding
    return c;
  }
  const TrainedPair pair_{small_case(), {3, 7}, &device_};
  Reasoner& here_ = *pair_.here.model;
  Reasoner& there_ = *pair_.there.model;
  const Dataset data_{pair_.here.task, Split::test, 1, 6};
  RunOptions run_{4, 2};  // of six examples: two batches
};

void expect_close(const Grid& got, const Grid& want) {
  ASSERT_EQ(got.size(), want.size());
  for (size_t i = 0; i < want.size(); ++i) {
    ASSERT_EQ(got[i].size(), want[i].size());
    for (size_t j = 0; j < want[i].size(); ++j) {
      EXPECT_EQ(std::isnan(got[i][j]), std::isnan(want[i][j]));
      if (!std::isnan(want[i][j])) {
        EXPECT_NEAR(got[i][j], want[i][j], kMeasured * (1 + std::abs(want[i][j]))) << i << " " << j;
      }
    }
  }
}

/// Equal, also where there is no number.
void expect_same(const Grid& got, const Grid& want) {
  ASSERT_EQ(got.size(), want.size());
  for (size_t i = 0; i < want.size(); ++i) {
    ASSERT_EQ(got[i].size(), want[i].size());
    for (size_t j = 0; j < want[i].size(); ++j) {
      EXPECT_TRUE(got[i][j] == want[i][j] || (std::isnan(got[i][j]) && std::isnan(want[i][j])))
          << got[i][j] << " for " << want[i][j];
    }
  }
}

TEST_F(DeviceMeasure, TheLensShowsWhatItShowsOnTheCpu) {
  LensOptions o;
  o.depths = {1, 2, 3};
  o.examples = {4};
  o.run = run_;
  const LensResult want = readout_lens(here_, data_, o);
  const int64_t waits = device_.waits();
  const LensResult got = readout_lens(there_, data_, o);
  EXPECT_EQ(device_.waits() - waits, 3) << "two batches and an example";
  expect_same(got.means.accuracy, want.means.accuracy);
  expect_close(got.means.target_prob, want.means.target_prob);
  expect_close(got.means.kl_to_final, want.means.kl_to_final);
  expect_same(got.position_accuracy, want.position_accuracy);
  ASSERT_EQ(got.examples.size(), want.examples.size());
  for (size_t i = 0; i < want.examples.size(); ++i) {
    EXPECT_EQ(got.examples[i].readout, want.examples[i].readout);
    expect_close(got.examples[i].prob, want.examples[i].prob);
  }
}

TEST_F(DeviceMeasure, TheStateMovesAsOnTheCpu) {
  DynamicsOptions o;
  o.depth = 4;
  o.run = run_;
  const ConvergenceResult want = convergence(here_, data_, o);
  const ConvergenceResult got = convergence(there_, data_, o);
  expect_close(got.trained.residual, want.trained.residual);
  expect_close(got.trained.turn, want.trained.turn);
  expect_close(got.trained.radial, want.trained.radial);
  for (const int position : {-1, 2}) {
    const auto paths = trajectories(there_, data_, {0, 3, 5}, 4, position, 1);
    const auto known = trajectories(here_, data_, {0, 3, 5}, 4, position, 1);
    ASSERT_EQ(paths.size(), known.size());
    for (size_t i = 0; i < known.size(); ++i) {
      EXPECT_EQ(paths[i].solved, known[i].solved);
      EXPECT_EQ(paths[i].updates, known[i].updates);
      for (size_t r = 0; r < known[i].point.size(); ++r) {
        EXPECT_NEAR(paths[i].point[r][0], known[i].point[r][0], 1e-3);
        EXPECT_NEAR(paths[i].point[r][1], known[i].point[r][1], 1e-3);
      }
    }
  }
}

/// The identity patch is checked inside, bit for bit, on the device as well.
TEST_F(DeviceMeasure, PatchesTurnTheAnswersThatTheyTurnOnTheCpu) {
  PatchOptions o;
  o.updates = {1, 3};
  o.depth = 3;
  o.pairs = 4;
  o.rows = 9;
  o.run = run_;
  for (const When::Kind when : {When::Kind::at, When::Kind::clamp}) {
    o.when = when;
    const PatchResult want = patch(here_, data_, o);
    const PatchResult got = patch(there_, data_, o);
    EXPECT_EQ(got.identity_checked, o.controls);
    EXPECT_EQ(got.patches, want.patches);
    for (size_t m = 0; m < want.here.donor.size(); ++m) {
      expect_same(got.here.donor[m], want.here.donor[m]);
      expect_same(got.here.other[m], want.here.other[m]);
      expect_same(got.elsewhere.donor[m], want.elsewhere.donor[m]);
    }
    expect_close(got.recovery, want.recovery);
    ASSERT_EQ(got.controls.size(), want.controls.size());
    for (size_t i = 0; i < want.controls.size(); ++i) {
      expect_same(got.controls[i].effect, want.controls[i].effect);
    }
    o.site = "loop.*.block.0.mlp_out";
    o.controls = false;
  }
}

TEST_F(DeviceMeasure, ProbesReadWhatTheyReadOnTheCpu) {
  ProbeOptions o;
  o.updates = {1, 2};
  o.steps = {0, 1};
  o.train_items = 4;
  o.test_items = 2;
  o.run = run_;
  const auto want = linear_probe(here_, data_, o);
  const auto got = linear_probe(there_, data_, o);
  ASSERT_EQ(got.size(), want.size());
  for (size_t i = 0; i < want.size(); ++i) {
    expect_same(got[i].accuracy, want[i].accuracy);
    expect_same(got[i].shuffled, want[i].shuffled);
    EXPECT_EQ(got[i].input_only, want[i].input_only);
  }
}

TEST_F(DeviceMeasure, SegmentsHoldWhatTheyHoldOnTheCpu) {
  const TempFolder folder;
  RecordPlan plan;
  plan.sites = {"loop.*.state_out", "loop.*.block.0.attn_pattern", "encode.encoded"};
  plan.updates = {1, 2, 3};
  plan.run = run_;
  for (Reasoner* model : {&here_, &there_}) {
    SegmentOptions o;
    o.prefix = model == &here_ ? "here" : "there";
    const SegmentReport report = write_segments(*model, data_, 0, 6, plan, folder.path(), o);
    ASSERT_EQ(report.files.size(), 1U);
  }
  const H5Reader here(folder / "here-000.h5"), there(folder / "there-000.h5");
  for (const char* name : {"loop_state_out_h", "loop_block_0_attn_pattern", "encode_encoded"}) {
    EXPECT_LT(models_test::distance(there.read<float>(name), here.read<float>(name)),
              models_test::kForward)
        << name;
  }
}

}  // namespace
}  // namespace sv

// Recording and interventions: what is read is what the run held, and each verb does what it says.
#include "interp/record.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstring>
#include <filesystem>

#include "data/io/h5.h"
#include "interp/intervene.h"
#include "interp/planted.h"

namespace sv {
namespace {

using interp_test::planted_data;
using interp_test::random_looped;

class Folder {
 public:
  Folder() {
    path_ = (std::filesystem::temp_directory_path() / "subvocal_record_XXXXXX").string();
    SV_CHECK(mkdtemp(path_.data()) != nullptr, "no temporary folder");
  }
  ~Folder() { std::filesystem::remove_all(path_); }
  const std::string& path() const { return path_; }

 private:
  std::string path_;
};

RecordPlan plan_of(std::vector<int> updates, std::vector<std::string> sites) {
  RecordPlan plan;
  plan.updates = std::move(updates);
  plan.sites = std::move(sites);
  plan.run = {3, 2};
  return plan;
}

/// Logits of all models after the last update, under taps.
std::vector<float> logits_of(Reasoner& model, const Dataset& data, int depth, const Taps& taps) {
  Arena arena;
  Tape tape({&arena, 1, {}}, false);
  Plan plan;
  plan.depth = Depth::fixed(depth);
  plan.taps = &taps;
  Trajectory run;
  unroll(
      model, load_inputs(tape.ctx, data.range(0, static_cast<int>(data.size()))), plan, tape, run);
  const Tensor y = run.readouts.back().logits.value();
  return {y.as<float>(), y.as<float>() + y.numel()};
}

TEST(Record, HoldsTheStatesOfTheRunBitForBit) {
  const Dataset data = planted_data(7);
  const auto model = random_looped(data.task(), {1, 4, 6});
  const std::vector<SiteValues> got =
      record(*model, data, 0, 7, plan_of({1, 3, 4}, {"loop.*.state_out", "encode.encoded"}));
  ASSERT_EQ(got.size(), 2U);
  const bool first = got[0].site.phase == Phase::loop;
  const SiteValues& h = got[first ? 0 : 1];
  const SiteValues& e = got[first ? 1 : 0];
  EXPECT_EQ(h.name, "loop.*.state_out:h");
  EXPECT_EQ(e.updates, std::vector<int>{0});
  Arena arena;
  Tape tape({&arena, 1, {}}, false);
  Plan plan;
  plan.depth = Depth::fixed(4);
  plan.save.states = {1, 3, 4};
  Trajectory run;
  unroll(*model, load_inputs(tape.ctx, data.range(0, 7)), plan, tape, run);
  for (int64_t m = 0; m < 3; ++m) {
    for (size_t u = 0; u < 3; ++u) {
      const Tensor state = run.states[u].second[0].value().slice(m, 1);
      EXPECT_EQ(0,
                std::memcmp(state.data,
                            h.data.tensor().as<float>() + h.offset(m, static_cast<int64_t>(u), 0),
                            state.bytes()));
    }
    const Tensor input = run.e.value().slice(m, 1);
    EXPECT_EQ(
        0, std::memcmp(input.data, e.data.tensor().as<float>() + e.offset(m, 0, 0), input.bytes()));
  }
}

TEST(Record, PutsTheHeadsOfAnAttentionPatternBehindThePosition) {
  const Dataset data = planted_data(3);
  const auto model = random_looped(data.task(), {1, 4});
  const SiteValues p =
      std::move(record(*model, data, 0, 3, plan_of({2}, {"loop.*.block.0.attn_pattern"}))[0]);
  EXPECT_EQ(p.positions(), 4);
  EXPECT_EQ(p.width(), 2 * 4);
  const float* row = p.data.tensor().as<float>() + p.offset(1, 0, 2);
  for (int64_t t = 0; t < 4; ++t) {
    for (int64_t h = 0; h < 2; ++h) {
      float sum = 0;
      for (int64_t s = 0; s < 4; ++s) {
        sum += row[t * 8 + h * 4 + s];
      }
      EXPECT_NEAR(sum, 1, 1e-5);
    }
  }
}

TEST(Record, RefusesWhatDoesNotFitAndSaysHowMuchItIs) {
  const Dataset data = planted_data(7);
  const auto model = random_looped(data.task(), {1, 4});
  const RecordPlan plan = plan_of({1, 2}, {"loop.*.state_out"});
  const int64_t bytes = 2 * 2 * 7 * 4 * 16 * 4;
  EXPECT_EQ(estimate_bytes(*model, data, 7, plan), bytes);
  EXPECT_THROW(record(*model, data, 0, 7, plan, {bytes - 1, false}), Error);
  EXPECT_NO_THROW(record(*model, data, 0, 7, plan, {bytes, false}));
}

TEST(Record, SegmentsHoldValuesCoordinatesAndLabels) {
  const Folder folder;
  const Dataset data = planted_data(7);
  const auto model = random_looped(data.task(), {11, 4});
  const RecordPlan plan = plan_of({1, 3}, {"loop.*.state_out", "loop.*.block.0.mlp_hidden"});
  const int64_t one = estimate_bytes(*model, data, 1, plan);
  SegmentOptions options;
  options.segment_bytes = 3 * one;
  const SegmentReport report = write_segments(*model, data, 0, 7, plan, folder.path(), options);
  ASSERT_EQ(report.files.size(), 3U);  // 3 + 3 + 1 examples
  const std::vector<SiteValues> whole = record(*model, data, 0, 7, plan);
  const H5Reader second(folder.path() + "/" + report.files[1]);
  EXPECT_EQ(second.read<int64_t>("example"), (std::vector<int64_t>{3, 4, 5}));
  EXPECT_EQ(second.read<int64_t>("model"), (std::vector<int64_t>{11, 4}));
  EXPECT_EQ(second.read<int64_t>("update"), (std::vector<int64_t>{1, 3}));
  const std::vector<float> values = second.read<float>("loop_state_out_h");
  EXPECT_EQ(second.sizes("loop_state_out_h"), (std::vector<int64_t>{2, 2, 3, 4, 16}));
  const SiteValues& h = whole[0].site.point == Point::state_out ? whole[0] : whole[1];
  const float* expected = h.data.tensor().as<float>() + h.offset(1, 1, 3);
  EXPECT_EQ(values[(1 * 2 + 1) * 3 * 4 * 16], expected[0]);
  EXPECT_EQ(second.read<int32_t>("tokens")[0], data[3].tokens[0]);
  EXPECT_EQ(second.read<int32_t>("truth_symbol")[0], data[3].truths[0][0]);
  EXPECT_EQ(second.read<int32_t>("difficulty")[2], data[5].difficulty);
}

TEST(Intervene, PatchingARunWithItselfChangesNothing) {
  const Dataset data = planted_data(5);
  const auto model = random_looped(data.task(), {1, 4});
  const SiteValues h =
      std::move(record(*model, data, 0, 5, plan_of({1, 2, 3}, {"loop.*.state_out"}))[0]);
  const std::vector<float> plain = logits_of(*model, data, 3, {});
  for (const When when : {When::at(2), When::window(1, 2), When::clamp(1)}) {
    EXPECT_EQ(plain, logits_of(*model, data, 3, {patch_from({"loop.*.state_out", when, 3}, h)}));
  }
}

TEST(Intervene, WindowsObeyTheirAlgebra) {
  const Dataset data = planted_data(5);
  const auto model = random_looped(data.task(), {1, 4});
  const auto run = [&](const std::vector<When>& whens) {
    Taps taps;
    for (const When& w : whens) {
      taps.push_back(ablate_zero({"loop.*.state_out", w, 5, {{}, {}, {1}}}));
    }
    return logits_of(*model, data, 5, taps);
  };
  EXPECT_EQ(run({When::at(2)}), run({When::window(2, 1)}));
  EXPECT_EQ(run({When::clamp(3)}), run({When::window(3, 3)}));
  EXPECT_EQ(run({When::clamp(3)}), run({When::window(3, 9)}));
  EXPECT_EQ(run({When::window(1, 2), When::window(3, 2)}), run({When::window(1, 4)}));
  EXPECT_NE(run({When::at(2)}), run({When::at(3)}));
  EXPECT_THROW(When::at(6).updates(5), Error);
}

TEST(Intervene, SteeringByNothingIsNothingAndBySomethingIsLinear) {
  const Dataset data = planted_data(5);
  const auto model = random_looped(data.task(), {1, 4});
  std::vector<double> direction(16, 0);
  direction[3] = 1;
  const Target target{"loop.*.state_out", When::at(2), 2};
  EXPECT_EQ(logits_of(*model, data, 2, {}),
            logits_of(*model, data, 2, {steer(target, direction, 0)}));
  const RecordPlan plan = plan_of({2}, {"loop.*.state_out"});
  const SiteValues before = std::move(record(*model, data, 0, 5, plan)[0]);
  Taps taps = {steer(target, direction, 0.5)};
  std::vector<float> after;
  Tap read;
  read.pattern = "loop.2.state_out";
  read.action = [&](const TapEvent& e) {
    after.assign(e.x.as<float>(), e.x.as<float>() + e.x.numel());
  };
  taps.push_back(read);
  logits_of(*model, data, 2, taps);
  for (size_t i = 0; i < after.size(); ++i) {
    EXPECT_EQ(after[i], before.data.tensor().as<float>()[i] + (i % 16 == 3 ? 0.5F : 0.0F));
  }
}

TEST(Intervene, AWriteStaysWithinItsModelItsRowsAndItsPositions) {
  const Dataset data = planted_data(4);
  const auto model = random_looped(data.task(), {1, 4, 9});
  const std::vector<float> plain = logits_of(*model, data, 2, {});
  // Written after the last update, so that no other position can see it.
  const std::vector<float> edited = logits_of(
      *model, data, 2, {ablate_zero({"loop.*.state_out", When::at(2), 2, {{1}, {2}, {3}}})});
  const size_t answers = 4;
  for (size_t i = 0; i < plain.size(); ++i) {
    const size_t t = i / answers % 4;
    const size_t b = i / answers / 4 % 4;
    const size_t m = i / answers / 16;
    if (m != 1 || b != 2 || t != 3) {
      EXPECT_EQ(plain[i], edited[i]);
    } else {
      EXPECT_EQ(edited[i], 0);  // the readout of a zero state
    }
  }
}

/// The state after update 1 under a tap there.
std::vector<float> state_under(Reasoner& model, const Dataset& data, const Tap& tap) {
  std::vector<float> out;
  Tap read;
  read.pattern = "loop.1.state_out";
  read.action = [&](const TapEvent& e) {
    out.assign(e.x.as<float>(), e.x.as<float>() + e.x.numel());
  };
  logits_of(model, data, 1, {tap, read});
  return out;
}

TEST(Intervene, SubspaceVerbsActInTheSubspaceOnly) {
  const Dataset data = planted_data(4);
  const auto model = random_looped(data.task(), {1, 4});
  const SiteValues h = std::move(record(*model, data, 0, 4, plan_of({1}, {"loop.*.state_out"}))[0]);
  const Target target{"loop.*.state_out", When::at(1), 1};
  const Subspace space = Subspace::random(16, 3, 5);
  const auto dot = [&](const float* x, int64_t k) {
    double sum = 0;
    for (int64_t d = 0; d < 16; ++d) {
      sum += static_cast<double>(x[d]) * space.axis(k)[d];
    }
    return sum;
  };
  const std::vector<float> gone = state_under(*model, data, project_out(target, space));
  const RowSource reversed = {3, 2, 1, 0};
  const std::vector<float> swapped =
      state_under(*model, data, swap_subspace(target, space, h, reversed));
  for (int64_t m = 0; m < 2; ++m) {
    for (int64_t b = 0; b < 4; ++b) {
      for (int64_t t = 0; t < 4; ++t) {
        const int64_t at = ((m * 4 + b) * 4 + t) * 16;
        const float* source = h.data.tensor().as<float>() + h.offset(m, 0, 3 - b) + t * 16;
        const float* own = h.data.tensor().as<float>() + h.offset(m, 0, b) + t * 16;
        std::array<float, 16> rest{};
        for (int64_t k = 0; k < 3; ++k) {
          EXPECT_NEAR(dot(gone.data() + at, k), 0, 1e-5);
          EXPECT_NEAR(dot(swapped.data() + at, k), dot(source, k), 1e-5);
        }
        for (int64_t d = 0; d < 16; ++d) {
          double inside = 0;
          for (int64_t k = 0; k < 3; ++k) {
            inside += (dot(source, k) - dot(own, k)) * space.axis(k)[d];
          }
          rest[static_cast<size_t>(d)] = static_cast<float>(static_cast<double>(own[d]) + inside);
          EXPECT_NEAR(swapped[static_cast<size_t>(at + d)], rest[static_cast<size_t>(d)], 1e-5);
        }
      }
    }
  }
  EXPECT_THROW(Subspace({1, 0, 2, 0}, 2), Error);
}

TEST(Intervene, AblationsReplaceByWhatTheySay) {
  const Dataset data = planted_data(6);
  const auto model = random_looped(data.task(), {1, 4});
  const SiteValues h = std::move(record(*model, data, 0, 6, plan_of({1}, {"loop.*.state_out"}))[0]);
  const Target target{"loop.*.state_out", When::at(1), 1};
  const std::vector<float> mean = state_under(*model, data, ablate_mean(target, h));
  const std::vector<float> noise = state_under(*model, data, ablate_noise(target, h, 3));
  const std::vector<float> other = state_under(*model, data, ablate_resample(target, h, 3));
  const std::vector<float> value =
      state_under(*model, data, patch_value(target, std::vector<double>(16, 0.25)));
  const float* x = h.data.tensor().as<float>();
  for (int64_t m = 0; m < 2; ++m) {
    for (int64_t b = 0; b < 6; ++b) {
      for (int64_t t = 0; t < 4; ++t) {
        double away = 0;
        double noisy = 0;
        bool own = true;
        int matches = 0;
        const int64_t at = ((m * 6 + b) * 4 + t) * 16;
        for (int64_t d = 0; d < 16; ++d) {
          double expected = 0;
          for (int64_t e = 0; e < 6; ++e) {
            expected += static_cast<double>(x[h.offset(m, 0, e) + t * 16 + d]) / 6;
          }
          const auto i = static_cast<size_t>(at + d);
          EXPECT_NEAR(mean[i], expected, 1e-6);
          EXPECT_EQ(value[i], 0.25F);
          away += std::pow(static_cast<double>(x[at + d]) - expected, 2);
          noisy += std::pow(static_cast<double>(noise[i]) - expected, 2);
          own = own && other[i] == x[at + d];
        }
        for (int64_t e = 0; e < 6; ++e) {
          matches += std::memcmp(
                         other.data() + at, x + h.offset(m, 0, e) + t * 16, 16 * sizeof(float)) == 0
                         ? 1
                         : 0;
        }
        EXPECT_NEAR(noisy, away, 1e-5 * std::max(1.0, away));
        EXPECT_GE(matches, 1);
        EXPECT_FALSE(own);  // another example's, never the row's own
      }
    }
  }
}

TEST(Intervene, ARoundedRecordingIsNotWrittenBack) {
  const Dataset data = planted_data(4);
  const auto model = random_looped(data.task(), {1, 4});
  const SiteValues h = std::move(
      record(*model, data, 0, 4, plan_of({1}, {"loop.*.state_out"}), {int64_t{1} << 30, true})[0]);
  EXPECT_TRUE(h.rounded);
  const Tap tap = patch_from({"loop.*.state_out", When::at(1), 1}, h);
  EXPECT_THROW(logits_of(*model, data, 1, {tap}), Error);
}

}  // namespace
}  // namespace sv

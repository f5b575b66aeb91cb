// Checkpoints: a resumed run equals the uninterrupted one, nothing may be missing, added or
// damaged, and a crash at any point of saving leaves a checkpoint that loads.
#include "models/train/checkpoint.h"

#include <gtest/gtest.h>

#include <cerrno>
#include <fstream>
#include <set>

#include "core/rng.h"
#include "data/io/files_testing.h"
#include "data/io/safetensors.h"
#include "data/temp_folder.h"
#include "models/model_fixture.h"
#include "models/train_fixture.h"

namespace sv::models_test {
namespace {

const std::vector<uint64_t> kSeeds = {3, 7};
const std::string kDigest = "digest-of-the-settings";

TrainCase small_case() {
  TrainCase c = tiny_case();
  c.model.width = c.model.hidden = 2;
  c.model.heads = 1;
  c.train.ema = 0.9;
  return c;
}

/// All numbers a run goes on from.
std::vector<double> state_of(Training& run) {
  std::vector<double> out;
  for (int m = 0; m < run.model->models(); ++m) {
    const std::vector<double> values = values_of(run.model->params(), m);
    out.insert(out.end(), values.begin(), values.end());
  }
  for (const Optimiser::Moments& x : run.trainer->optimiser().moments()) {
    for (const Buffer* b : {&x.first, &x.second, &x.average}) {
      const Tensor& t = *b;
      out.insert(out.end(), t.as<float>(), t.as<float>() + t.numel());
    }
  }
  return out;
}

void save(const std::string& folder, Training& run, int64_t step, Files& files = real_files()) {
  save_checkpoint(folder, *run.trainer, {step, kDigest, run.trainer->frozen()}, files);
}

CheckpointInfo load(const std::string& path, Training& run) {
  return load_checkpoint(path, *run.trainer, kDigest);
}

TEST(Resume, EqualsTheUninterruptedRunBitForBit) {
  TrainCase c = small_case();
  c.train.plant_nan = "7:2:loop.1.state_out";  // a frozen model is part of the state
  Training whole(c, kSeeds);
  whole.steps(0, 8);
  const TempFolder folder;
  Training first(c, kSeeds);
  first.steps(0, 5);
  save(folder.path(), first, 5);
  Training second(c, kSeeds);
  second.steps(0, 1);  // whatever was there before is replaced
  const CheckpointInfo info = load(*newest_checkpoint(folder.path()), second);
  EXPECT_EQ(info.step, 5);
  ASSERT_EQ(second.trainer->frozen().size(), 1u);
  EXPECT_EQ(second.trainer->frozen()[0].what, whole.trainer->frozen()[0].what);
  EXPECT_EQ(second.trainer->frozen()[0].step, 2);
  second.steps(5, 8);
  EXPECT_EQ(state_of(second), state_of(whole));
  EXPECT_EQ(second.trainer->stats().loss[0], whole.trainer->stats().loss[0]);
}

TEST(Resume, EqualsTheUninterruptedRunWithEveryOptimiser) {
  for (const std::string& name : optimiser_names()) {
    TrainCase c = small_case();
    c.train.optimiser = name;
    Training whole(c, kSeeds);
    whole.steps(0, 6);
    const TempFolder folder;
    Training first(c, kSeeds), second(c, kSeeds);
    first.steps(0, 3);
    save(folder.path(), first, 3);
    load(*newest_checkpoint(folder.path()), second);
    second.steps(3, 6);
    EXPECT_EQ(state_of(second), state_of(whole)) << name;
  }
}

/// States, examples and counts of rows that are at different segments; also on other threads.
TEST(Resume, EqualsTheUninterruptedRunWithCarriedSegments) {
  TrainCase c = small_case();
  c.model = setting("hrm");
  c.depth = "1";
  c.train.supervision = "rows";
  c.train.segments = 3;
  c.train.explore = 0.5;
  Training whole(c, kSeeds), first(c, kSeeds, 2), second(c, kSeeds, 4);
  for (Training* run : {&whole, &first, &second}) {
    disturb(run->model->params());  // rows halt at different segments
  }
  whole.steps(0, 9);
  const TempFolder folder;
  first.steps(0, 4);
  save(folder.path(), first, 4);
  load(*newest_checkpoint(folder.path()), second);
  second.steps(4, 9);
  EXPECT_EQ(state_of(second), state_of(whole));
  std::vector<int32_t> rows;
  for (const auto& [name, x] : second.trainer->carried()) {
    if (name == "carry.rows") {
      rows.assign(x.as<int32_t>(), x.as<int32_t>() + x.numel());
    }
  }
  ASSERT_EQ(rows.size(), 3 * kSeeds.size() * static_cast<size_t>(c.train.batch));
  std::set<int32_t> segments;
  for (size_t i = 0; i < rows.size(); i += 3) {
    segments.insert(rows[i + 1]);
    EXPECT_TRUE(rows[i + 1] >= 1 && rows[i + 1] <= 3) << rows[i + 1];
  }
  EXPECT_GT(segments.size(), 1u) << "all rows are at the same segment";
}

TEST(Resume, LoadingTwiceFreezesOnce) {
  TrainCase c = small_case();
  c.train.plant_nan = "7:2:loop.1.state_out";
  const TempFolder folder;
  Training run(c, kSeeds);
  run.steps(0, 4);
  save(folder.path(), run, 4);
  load(*newest_checkpoint(folder.path()), run);
  load(*newest_checkpoint(folder.path()), run);
  EXPECT_EQ(run.trainer->frozen().size(), 1u);
  EXPECT_FALSE(run.trainer->all_frozen());
}

TEST(SavedCheckpoint, ReplacesItsPredecessor) {
  const TempFolder folder;
  Training run(small_case(), kSeeds);
  EXPECT_FALSE(newest_checkpoint(folder.path()).has_value());
  save(folder.path(), run, 5);
  save(folder.path(), run, 10);
  EXPECT_EQ(*newest_checkpoint(folder.path()), folder / "checkpoint-00000010.safetensors");
  EXPECT_FALSE(std::filesystem::exists(folder / "checkpoint-00000005.safetensors"));
}

/// What a kill between publishing and removing leaves behind.
TEST(StaleCheckpoints, AreRemovedAndThePublishedOneStays) {
  const TempFolder folder;
  Training run(small_case(), kSeeds);
  save(folder.path(), run, 5);
  const std::string old = folder / "checkpoint-00000005.safetensors";
  std::filesystem::copy_file(old, folder / "kept");
  save(folder.path(), run, 10);
  std::filesystem::rename(folder / "kept", old);
  std::ofstream(folder / "checkpoints-of-another-kind") << "not ours";
  remove_stale_checkpoints(folder.path());
  EXPECT_FALSE(std::filesystem::exists(old));
  EXPECT_TRUE(std::filesystem::exists(folder / "checkpoints-of-another-kind"));
  EXPECT_EQ(load(*newest_checkpoint(folder.path()), run).step, 10);
}

/// A saved checkpoint that can be published again with changes.
class ChangedCheckpoint : public testing::Test {
 protected:
  ChangedCheckpoint() : run_(frozen_case(), kSeeds), other_(frozen_case(), kSeeds) {
    run_.steps(0, 4);
    save(folder_.path(), run_, 4);
    file_.emplace(Safetensors::read(*newest_checkpoint(folder_.path())));
  }
  static TrainCase frozen_case() {
    TrainCase c = small_case();
    c.train.plant_nan = "7:2:loop.1.state_out";
    return c;
  }
  /// Why the changed file is refused; empty if it is not. A refused file changes nothing.
  std::string refusal(const std::vector<TensorView>& tensors, const Metadata& metadata) {
    const TempFolder folder;
    publish(folder.path(),
            {safetensors_file("checkpoint-00000004.safetensors", tensors, metadata)});
    const std::vector<double> before = state_of(other_);
    try {
      load(folder / "checkpoint-00000004.safetensors", other_);
      return "";
    } catch (const Error& e) {
      EXPECT_EQ(state_of(other_), before);
      EXPECT_TRUE(other_.trainer->frozen().empty());
      return e.what();
    }
  }
  static void expect_named(const std::string& text, const std::string& name) {
    EXPECT_NE(text.find(name), std::string::npos) << name << " is not in: " << text;
  }

  TempFolder folder_;
  Training run_, other_;
  std::optional<Safetensors> file_;
};

TEST_F(ChangedCheckpoint, EveryMissingTensorIsNamed) {
  for (size_t i = 0; i < file_->tensors().size(); ++i) {
    std::vector<TensorView> rest = file_->tensors();
    const std::string name = rest[i].name;
    rest.erase(rest.begin() + static_cast<std::ptrdiff_t>(i));
    expect_named(refusal(rest, file_->metadata()), name);
  }
}

TEST_F(ChangedCheckpoint, EveryMissingEntryIsNamed) {
  ASSERT_EQ(file_->metadata().size(), 8u);  // five, and three of the frozen model
  for (const auto& [key, value] : file_->metadata()) {
    Metadata rest = file_->metadata();
    rest.erase(key);
    expect_named(refusal(file_->tensors(), rest), key);
  }
}

TEST_F(ChangedCheckpoint, EveryWrongEntryIsRefused) {
  const std::pair<std::string, std::string> wrong[] = {{"format", "subvocal-checkpoint-9"},
                                                       {"step", "4x"},
                                                       {"step", ""},
                                                       {"step", "-1"},
                                                       {"spec_digest", "another"},
                                                       {"seeds", "7,3"},
                                                       {"seeds", "3,7,8"},
                                                       {"frozen", "two"},
                                                       {"frozen", "-1"},
                                                       {"frozen", "3"},
                                                       {"frozen.0.model", "2"},
                                                       {"frozen.0.model", "-1"},
                                                       {"frozen.0.step", "?"}};
  for (const auto& [key, value] : wrong) {
    Metadata changed = file_->metadata();
    changed[key] = value;
    EXPECT_NE(refusal(file_->tensors(), changed), "") << key << " = " << value;
  }
}

TEST_F(ChangedCheckpoint, AnExtraTensorIsNamed) {
  const std::vector<float> values(4);
  std::vector<TensorView> more = file_->tensors();
  more.push_back(tensor_view("param.stray", std::span<const float>(values), {2, 2}));
  expect_named(refusal(more, file_->metadata()), "param.stray");
}

TEST_F(ChangedCheckpoint, AnotherShapeOrTypeIsNamed) {
  for (size_t i = 0; i < file_->tensors().size(); ++i) {
    std::vector<TensorView> changed = file_->tensors();
    changed[i].shape.push_back(1);
    expect_named(refusal(changed, file_->metadata()), changed[i].name);
    changed = file_->tensors();
    changed[i].type = Element::i32;
    expect_named(refusal(changed, file_->metadata()), changed[i].name);
  }
}

TEST_F(ChangedCheckpoint, UnchangedItLoads) {
  EXPECT_EQ(refusal(file_->tensors(), file_->metadata()), "");
  EXPECT_EQ(state_of(other_), state_of(run_));
}

void overwrite(const std::string& path, std::span<const std::byte> bytes) {
  std::ofstream out(path, std::ios::binary | std::ios::trunc);
  out.write(reinterpret_cast<const char*>(bytes.data()),
            static_cast<std::streamsize>(bytes.size()));
}

bool refused(const std::string& path, Training& run) {
  try {
    load(path, run);
    return false;
  } catch (const Error& e) {
    EXPECT_EQ(e.exit, Exit::input);
    EXPECT_NE(std::string(e.what()).find("checkpoint-00000004"), std::string::npos) << e.what();
    return true;
  }
}

TEST_F(ChangedCheckpoint, EveryTruncationIsDetected) {
  const std::string path = *newest_checkpoint(folder_.path());
  const std::vector<std::byte> bytes = read_file(path, 1 << 20);
  for (size_t size = 0; size < bytes.size(); ++size) {
    overwrite(path, std::span(bytes).first(size));
    ASSERT_TRUE(refused(path, other_)) << size << " of " << bytes.size() << " bytes";
  }
}

TEST_F(ChangedCheckpoint, TenThousandFlippedBitsAreDetected) {
  const std::string path = *newest_checkpoint(folder_.path());
  std::vector<std::byte> bytes = read_file(path, 1 << 20);
  const Rng rng(11, stream_of("flips"));
  for (uint32_t i = 0; i < 10'000; ++i) {
    const uint32_t bit = rng.below(i, static_cast<uint32_t>(8 * bytes.size()));
    bytes[bit / 8] ^= static_cast<std::byte>(1u << bit % 8);
    overwrite(path, bytes);
    ASSERT_TRUE(refused(path, other_)) << "bit " << bit;
    bytes[bit / 8] ^= static_cast<std::byte>(1u << bit % 8);
  }
}

/// Saves step 5, then step 10 with a fault at the n-th call; what loads afterwards must be one of
/// the two, whole. Returns whether the n-th call was reached.
bool survives(int n, const Fault& fault) {
  const TempFolder folder;
  Training run(small_case(), kSeeds);
  run.steps(0, 1);
  save(folder.path(), run, 5);
  const std::vector<double> old = state_of(run);
  run.steps(1, 2);
  FailingFiles files(n, fault);
  bool saved = false;
  try {
    save(folder.path(), run, 10, files);
    saved = true;
  } catch (const Error& e) {
    EXPECT_NE(std::string(e.what()).find(folder.path()), std::string::npos) << e.what();
  } catch (const ProcessStopped&) {
  }
  Training resumed(small_case(), kSeeds);
  const CheckpointInfo info = load(*newest_checkpoint(folder.path()), resumed);
  EXPECT_TRUE(info.step == 10 || (info.step == 5 && !saved)) << "call " << n;
  EXPECT_EQ(state_of(resumed), info.step == 10 ? state_of(run) : old) << "call " << n;
  // The next save needs no repair by hand.
  save(folder.path(), run, 15);
  EXPECT_EQ(load(*newest_checkpoint(folder.path()), resumed).step, 15);
  return files.reached();
}

TEST(CrashWhileSaving, EveryPointLeavesACheckpointThatLoads) {
  for (const Fault fault : {Fault{Fault::Kind::stop}, Fault{Fault::Kind::stop_torn}}) {
    int n = 1;
    while (survives(n, fault)) {
      ++n;
    }
    EXPECT_GT(n, 10);
  }
}

TEST(FailureWhileSaving, EveryFailingCallLeavesACheckpointThatLoads) {
  for (const Fault fault : {Fault{Fault::Kind::error, EIO},
                            Fault{Fault::Kind::error, ENOSPC, true},
                            Fault{Fault::Kind::error, EINTR},
                            Fault{Fault::Kind::short_count}}) {
    int n = 1;
    while (survives(n, fault)) {
      ++n;
    }
    EXPECT_GT(n, 10);
  }
}

TEST(Weights, AreWrittenAndReadBack) {
  const TempFolder folder;
  Training run(small_case(), kSeeds);
  run.steps(0, 3);
  save_weights(folder / "model.safetensors", run.model->params(), kDigest);
  Training other(small_case(), kSeeds);
  load_weights(folder / "model.safetensors", other.model->params());
  for (int m = 0; m < 2; ++m) {
    EXPECT_EQ(values_of(other.model->params(), m), values_of(run.model->params(), m));
  }
  Training seeds(small_case(), {3, 8});
  EXPECT_THROW(load_weights(folder / "model.safetensors", seeds.model->params()), Error);
  save(folder.path(), run, 3);
  EXPECT_THROW(load_weights(*newest_checkpoint(folder.path()), run.model->params()), Error);
}

}  // namespace
}  // namespace sv::models_test

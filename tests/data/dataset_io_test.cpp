// Data sets as files: what is written comes back, equal sets give equal bytes, other readers open
// them.
#include "data/dataset_io.h"

#include <gtest/gtest.h>

#include <cstdlib>

#include "core/check.h"
#include "data/task_variants.h"

namespace sv {
namespace {

Dataset small_set(const std::string& task, bool with_truths = true) {
  return Dataset(make_task(task), Split::test, 3, 20, with_truths);
}

void expect_comes_back(const testing::Variant& variant) {
  const TempFolder folder;
  const auto task = make_task(variant.task, variant.options);
  const int64_t count = task->count(Split::train);
  const Dataset data(task, Split::train, 3, count < 0 ? 20 : std::min<int64_t>(count, 20));
  write_dataset(folder / "set.h5", data, {"size=0", Split::train, UINT64_MAX});
  const StoredDataset back = read_dataset(folder / "set.h5");
  const TaskSpec& spec = data.task().spec();
  EXPECT_EQ(back.task, spec.name);
  EXPECT_EQ(back.origin.options, "size=0");
  EXPECT_EQ(back.origin.split, Split::train);
  EXPECT_EQ(back.origin.seed, UINT64_MAX);
  EXPECT_EQ(back.digest, data.digest());
  EXPECT_EQ(back.positions, spec.positions);
  EXPECT_EQ(back.target_steps, spec.target_steps);
  ASSERT_EQ(back.truths.size(), spec.truths.size());
  for (size_t k = 0; k < spec.truths.size(); ++k) {
    EXPECT_EQ(back.truths[k].name, spec.truths[k].name);
    EXPECT_EQ(back.truths[k].classes, spec.truths[k].classes);
    EXPECT_EQ(back.truths[k].steps, spec.truths[k].steps);
    EXPECT_EQ(back.truths[k].group, spec.truths[k].group);
  }
  ASSERT_EQ(static_cast<int64_t>(back.examples.size()), data.size());
  for (int64_t i = 0; i < data.size(); ++i) {
    const Example& e = back.examples[static_cast<size_t>(i)];
    EXPECT_EQ(e.tokens, data[i].tokens);
    EXPECT_EQ(e.targets, data[i].targets);
    EXPECT_EQ(e.length, data[i].length);
    EXPECT_EQ(e.difficulty, data[i].difficulty);
    EXPECT_EQ(e.position_difficulty, data[i].position_difficulty);
    EXPECT_EQ(e.roles, data[i].roles);
    EXPECT_EQ(e.truths, data[i].truths);
  }
}

TEST(DatasetFile, EveryTaskComesBack) {
  for (const testing::Variant& variant : testing::variants()) {
    SCOPED_TRACE(variant.label);
    expect_comes_back(variant);
  }
}

TEST(DatasetFile, SetWithoutTruthsComesBack) {
  const TempFolder folder;
  write_dataset(folder / "set.h5", small_set("affine_chain", false), {});
  EXPECT_TRUE(read_dataset(folder / "set.h5").truths.empty());
}

TEST(DatasetFile, EqualSetsGiveEqualBytes) {
  const TempFolder folder;
  const auto a = write_dataset(folder / "a.h5", small_set("prefix_parity"), {"", Split::test, 3});
  const auto b = write_dataset(folder / "b.h5", small_set("prefix_parity"), {"", Split::test, 3});
  EXPECT_EQ(a.sha256, b.sha256);
}

TEST(DatasetFile, AnotherSchemaIsRefused) {
  const TempFolder folder;
  H5Writer w({"subvocal.results", 1, ""});
  const std::vector<float> v = {1};
  w.dataset<float>("x", {"model"}, v, {1}, {});
  w.publish(folder / "results.h5");
  EXPECT_THROW(read_dataset(folder / "results.h5"), Error);
}

TEST(DatasetFile, OpensInTheExampleScript) {
  if (std::system("/usr/bin/python3 -c 'import h5py, xarray, h5netcdf' 2> /dev/null") != 0) {
    GTEST_SKIP() << "python3 with h5py, xarray and h5netcdf is not installed";
  }
  const TempFolder folder;
  write_dataset(folder / "set.h5", small_set("affine_chain"), {});
  const std::string command = "/usr/bin/python3 '" + std::string(SV_SOURCE_DIR) +
                              "/data/examples/open_results.py' '" + (folder / "set.h5") +
                              "' > /dev/null";
  EXPECT_EQ(std::system(command.c_str()), 0);
}

}  // namespace
}  // namespace sv

// Data sets: distinct examples in index order, batches as pure functions of (seed, step).
#include "data/dataset.h"

#include <gtest/gtest.h>
#include <omp.h>

#include <set>

#include "core/check.h"
#include "core/rng.h"
#include "data/task_variants.h"

namespace sv {
namespace {

std::string message_of(auto&& call) {
  try {
    call();
  } catch (const Error& e) {
    return e.what();
  }
  return "no error";
}

TEST(Dataset, HoldsDistinctExamples) {
  const Dataset data(
      make_task("affine_chain", testing::with_form("iterate")), Split::train, 1, 1000);
  std::set<std::string> forms;
  for (int64_t i = 0; i < data.size(); ++i) {
    forms.insert(data[i].canonical);
  }
  EXPECT_EQ(forms.size(), 1000u);  // of 1,700 or so: repeats were left out
}

TEST(Dataset, IsTheSameForAnyNumberOfThreads) {
  std::set<std::string> digests;
  for (const int threads : {1, 2, 4}) {
    omp_set_num_threads(threads);
    digests.insert(Dataset(make_task("linked_list"), Split::train, 3, 700).digest());
  }
  EXPECT_EQ(digests.size(), 1u);
}

TEST(Dataset, BeginsLikeASmallerOne) {
  const Dataset large(make_task("linked_list"), Split::test, 3, 900),
      small(make_task("linked_list"), Split::test, 3, 50);
  for (int64_t i = 0; i < small.size(); ++i) {
    ASSERT_EQ(small[i].canonical, large[i].canonical);
  }
}

TEST(Dataset, HasADigestOfTokensAndTargets) {
  const auto digest = [](uint64_t seed, bool truths) {
    return Dataset(make_task("addition"), Split::train, seed, 40, truths).digest();
  };
  EXPECT_EQ(digest(1, true).size(), 64u);
  EXPECT_EQ(digest(1, true), digest(1, false));
  EXPECT_NE(digest(1, true), digest(2, true));
}

TEST(Dataset, DropsTruthsOnRequest) {
  EXPECT_TRUE(Dataset(make_task("addition"), Split::train, 1, 5, false)[0].truths.empty());
  EXPECT_FALSE(Dataset(make_task("addition"), Split::train, 1, 5)[0].truths.empty());
}

TEST(Dataset, RefusesMoreThanThereIs) {
  const auto iterate = make_task("affine_chain", testing::with_form("iterate"));
  EXPECT_NE(message_of([&] { Dataset(iterate, Split::test, 1, 5000); }).find("different examples"),
            std::string::npos);
  EXPECT_NE(message_of([&] { Dataset(iterate, Split::ood, 1, 5); }).find("has no ood split"),
            std::string::npos);
  EXPECT_NE(message_of([&] { Dataset(iterate, Split::train, 1, 0); }).find("needs a number"),
            std::string::npos);
}

TEST(DatasetBatch, DependsOnlyOnSeedAndStep) {
  const Dataset data(make_task("linked_list"), Split::train, 3, 300);
  const std::vector<uint64_t> pack{5, 9, 7}, alone{9};
  Batch together, single;
  data.draw(pack, 17, 8, together);
  data.draw(alone, 17, 8, single);
  EXPECT_EQ(together.models, 3);
  const int64_t n = 8 * 16;
  EXPECT_TRUE(std::equal(single.tokens.begin(), single.tokens.end(), together.tokens.begin() + n));
  EXPECT_TRUE(
      std::equal(single.targets.begin(), single.targets.end(), together.targets.begin() + n));
  Batch later;
  data.draw(alone, 18, 8, later);
  EXPECT_NE(single.index, later.index);
}

TEST(DatasetBatch, HoldsTheExamplesItNames) {
  const Dataset data(make_task("prefix_parity"), Split::ood, 3, 100);
  const std::vector<uint64_t> seeds{1, 2};
  Batch batch;
  data.draw(seeds, 0, 4, batch);
  for (size_t row = 0; row < 8; ++row) {
    const Example& e = data[batch.index[row]];
    const size_t T = e.tokens.size();
    EXPECT_TRUE(std::equal(
        e.tokens.begin(), e.tokens.end(), batch.tokens.begin() + static_cast<int64_t>(row * T)));
    EXPECT_EQ(batch.lengths[row], e.length);
    EXPECT_EQ(batch.difficulty[row], e.difficulty);
  }
}

TEST(DatasetBatch, IsFilledRowByRowAsItIsDrawn) {
  for (const char* form : {"columns", "steps"}) {
    const Dataset data(make_task("addition", testing::with_form(form)), Split::train, 3, 50);
    const std::vector<uint64_t> seeds{1, 2};
    Batch drawn, filled;
    data.draw(seeds, 4, 3, drawn);
    data.resize(2, 3, filled);
    for (int row = 5; row >= 0; --row) {
      data.put(drawn.index[static_cast<size_t>(row)], row / 3, row % 3, filled);
    }
    EXPECT_EQ(filled.tokens, drawn.tokens);
    EXPECT_EQ(filled.targets, drawn.targets);
    EXPECT_EQ(filled.roles, drawn.roles);
    EXPECT_EQ(filled.roles.empty(), std::string(form) == "columns");
    EXPECT_EQ(filled.lengths, drawn.lengths);
    EXPECT_EQ(filled.difficulty, drawn.difficulty);
    EXPECT_EQ(filled.index, drawn.index);
  }
}

TEST(DatasetBatch, GivesTheTargetThatHoldsAfterEachLoop) {
  const Dataset data(make_task("permutation_power"), Split::train, 3, 10);
  const Batch batch = data.range(0, 10);
  for (int b = 0; b < 10; ++b) {
    EXPECT_EQ(batch.target(0, b, 1)[3], data[b].targets[3]);
    EXPECT_EQ(batch.target(0, b, 5)[3], data[b].targets[4 * 16 + 3]);
    EXPECT_EQ(batch.target(0, b, 99)[3], data[b].targets[31 * 16 + 3]);
  }
}

TEST(DatasetBatch, KeepsItsMemory) {
  const Dataset data(make_task("linked_list"), Split::train, 3, 100);
  const std::vector<uint64_t> seeds{1, 2};
  Batch batch;
  data.draw(seeds, 0, 16, batch);
  const int32_t* tokens = batch.tokens.data();
  data.draw(seeds, 1, 16, batch);
  EXPECT_EQ(batch.tokens.data(), tokens);
}

TEST(DatasetBatch, IsClippedAtTheEnd) {
  const Dataset data(make_task("linked_list"), Split::test, 3, 10);
  EXPECT_EQ(data.range(8, 64).size, 2);
  EXPECT_THROW(data.range(10, 4), Error);
}

}  // namespace
}  // namespace sv

// Laws of every task of the table: pure functions of (split, seed, index), within their own spec,
// splits apart.
#include <gtest/gtest.h>

#include <algorithm>
#include <filesystem>
#include <map>
#include <set>

#include "core/check.h"
#include "data/split.h"
#include "data/task_of.h"
#include "data/task_variants.h"
#include "data/written.h"

namespace sv {
namespace {

constexpr std::array<Split, 3> kSplits{Split::train, Split::test, Split::ood};

class EveryTask : public ::testing::TestWithParam<testing::Variant> {
 protected:
  std::shared_ptr<const Task> task() const {
    return make_task(GetParam().task, GetParam().options);
  }
  /// Instances per split: fewer where they are slow to make.
  int sample() const {
    const std::string& label = GetParam().label;
    return label == "sudoku_9x9"                              ? 60
           : label.starts_with("prosqa") || label == "sudoku" ? 150
                                                              : 400;
  }
};

/// `wanted`, or as many as a finite split has.
int available(const Task& task, Split split, int wanted) {
  const int64_t count = task.count(split);
  return count < 0 ? wanted : static_cast<int>(std::min<int64_t>(count, wanted));
}

bool same(const Example& a, const Example& b) {
  return a.tokens == b.tokens && a.targets == b.targets && a.length == b.length &&
         a.difficulty == b.difficulty && a.position_difficulty == b.position_difficulty &&
         a.roles == b.roles && a.truths == b.truths && a.canonical == b.canonical;
}

TEST_P(EveryTask, GivesTheSameExampleForTheSameSplitSeedAndIndex) {
  const auto first = task(), second = task();
  for (const Split split : kSplits) {
    for (int i = available(*first, split, 20); i-- > 0;) {
      const auto index = static_cast<uint64_t>(i);
      const Example a = first->example(split, 7, index), b = second->example(split, 7, index);
      ASSERT_TRUE(same(a, b)) << split_name(split) << " " << i;
    }
  }
}

TEST_P(EveryTask, DependsOnTheSeedAndTheIndex) {
  const auto t = task();
  std::set<std::string> forms;
  for (uint64_t i = 0; i < 10; ++i) {
    forms.insert(t->example(Split::train, 1, i).canonical);
    forms.insert(t->example(Split::train, 2, i).canonical);
  }
  EXPECT_GE(forms.size(), t->count(Split::train) < 0 ? 18u : 10u);  // a finite list is the same
}

void expect_in(
    const std::vector<int32_t>& values, int low, int high, size_t count, const std::string& what) {
  ASSERT_EQ(values.size(), count) << what;
  for (const int32_t v : values) {
    ASSERT_TRUE(v >= low && v < high)
        << what << " has " << v << ", outside " << low << " to " << high - 1;
  }
}

void expect_within(const TaskSpec& spec, const Example& e) {
  const size_t T = static_cast<size_t>(spec.positions);
  expect_in(e.tokens, 0, spec.vocab, T, "tokens");
  expect_in(e.targets, -1, spec.answers, T * static_cast<size_t>(spec.target_steps), "targets");
  expect_in(e.position_difficulty,
            -1,
            std::max(spec.max_difficulty, spec.positions) + 1,
            T,
            "position difficulty");
  ASSERT_TRUE(e.length >= 1 && e.length <= spec.positions);
  ASSERT_TRUE(e.difficulty >= 0 && e.difficulty <= spec.max_difficulty) << e.difficulty;
  ASSERT_EQ(e.truths.size(), spec.truths.size());
  for (size_t k = 0; k < spec.truths.size(); ++k) {
    expect_in(e.truths[k],
              -1,
              spec.truths[k].classes,
              T * static_cast<size_t>(spec.truths[k].steps),
              spec.truths[k].name);
  }
  ASSERT_TRUE(std::any_of(e.targets.begin(), e.targets.end(), [](int32_t v) { return v >= 0; }));
  for (size_t t = static_cast<size_t>(e.length); t < T; ++t) {  // nothing behind the end
    ASSERT_EQ(e.tokens[t], 0);
    for (int s = 0; s < spec.target_steps; ++s) {
      ASSERT_EQ(e.targets[static_cast<size_t>(s) * T + t], -1);
    }
    for (const std::vector<int32_t>& truth : e.truths) {
      for (size_t at = t; at < truth.size(); at += T) {
        ASSERT_EQ(truth[at], -1);
      }
    }
  }
}

TEST_P(EveryTask, StaysWithinTheRangesOfItsSpec) {
  const auto t = task();
  const std::set<std::string> without{"arc", "gsm8k", "text"};  // nothing is known about steps
  EXPECT_EQ(t->spec().truths.empty(), without.contains(t->spec().name));
  EXPECT_FALSE(t->spec().difficulty.empty());
  for (const Channel& channel : t->spec().coordinates) {
    expect_in(channel.ids, 0, channel.size, static_cast<size_t>(t->spec().positions), channel.name);
  }
  for (const Split split : kSplits) {
    for (int i = 0; i < available(*t, split, sample() / 2); ++i) {
      expect_within(t->spec(), t->example(split, 3, static_cast<uint64_t>(i)));
      if (HasFatalFailure()) {
        FAIL() << split_name(split) << " example " << i;
      }
    }
  }
}

/// Question, steps in order, answer; from || on each position asks for the next symbol.
void expect_written(const TaskSpec& spec, const Example& e) {
  const size_t T = static_cast<size_t>(spec.positions), length = static_cast<size_t>(e.length);
  ASSERT_EQ(e.roles.size(), T);
  const auto think = static_cast<size_t>(place_of(e, kThinkMark));
  const auto answer = static_cast<size_t>(place_of(e, kAnswerMark));
  ASSERT_TRUE(think < answer && answer + 2 < length);
  ASSERT_EQ(e.tokens[length - 1], kEndMark);
  for (size_t t = 0; t < T; ++t) {
    ASSERT_EQ(e.targets[t], t >= think && t + 1 < length ? e.tokens[t + 1] : -1) << t;
    if (t <= think) {
      ASSERT_EQ(e.roles[t], 0);
    } else if (t < answer) {  // step 1 begins behind ||, and none is left out
      const int one_on = e.roles[t - 1] + 1;
      ASSERT_TRUE(e.roles[t] == one_on || (t > think + 1 && e.roles[t] == one_on - 1)) << t;
      ASSERT_LE(e.roles[t], spec.written_steps);
    } else {
      ASSERT_EQ(e.roles[t], t < length ? spec.answer_role() : -1);
    }
  }
}

TEST_P(EveryTask, GivesEachPositionOfAWrittenSolutionItsRole) {
  const auto t = task();
  for (const Split split : kSplits) {
    for (int i = 0; i < available(*t, split, 50); ++i) {
      const Example e = t->example(split, 3, static_cast<uint64_t>(i));
      if (t->spec().written_steps < 0) {
        ASSERT_TRUE(e.roles.empty());
        continue;
      }
      expect_written(t->spec(), e);
      if (HasFatalFailure()) {
        FAIL() << split_name(split) << " example " << i;
      }
      const auto from = e.tokens.begin() + place_of(e, kAnswerMark) + 1;
      std::vector<int32_t> answer(from, e.tokens.begin() + e.length - 1);
      EXPECT_TRUE(t->accepts(e, answer));
      answer.push_back(answer[0]);
      EXPECT_FALSE(t->accepts(e, answer));
    }
  }
}

TEST_P(EveryTask, NamesEverySymbolDifferently) {
  const auto t = task();
  std::set<std::string> tokens, answers;
  for (int id = 0; id < t->spec().vocab; ++id) {
    tokens.insert(t->token_text(id));
  }
  for (int id = 0; id < t->spec().answers; ++id) {
    answers.insert(t->answer_text(id));
  }
  EXPECT_EQ(tokens.size(), static_cast<size_t>(t->spec().vocab));
  EXPECT_EQ(answers.size(), static_cast<size_t>(t->spec().answers));
}

TEST_P(EveryTask, SharesNoCanonicalFormBetweenSplitsWhateverTheSeed) {
  const auto t = task();
  std::map<std::string, Split> owner;
  for (const Split split : kSplits) {
    for (int i = 0; i < available(*t, split, 4 * sample()); ++i) {
      const auto seed = static_cast<uint64_t>(i % 5);
      const std::string form = t->example(split, seed, static_cast<uint64_t>(i)).canonical;
      const auto [at, fresh] = owner.emplace(form, split);
      ASSERT_TRUE(at->second == split)
          << form << " is in " << split_name(at->second) << " and " << split_name(split);
    }
  }
}

TEST_P(EveryTask, HasOutOfDistributionInstancesThatAreLargerOrHarder) {
  const auto t = task();
  if (t->count(Split::ood) == 0) {
    EXPECT_THROW(t->example(Split::ood, 5, 0), Error);
    return;
  }
  const std::string& label = GetParam().label;
  if (label == "pointer_chase_hop_token" || label == "pointer_chase_steps" ||
      label == "sudoku_4x4_few_clues" || label == "two_hop") {
    return;  // told apart by path length, by clues and by facts: graph_oracle_test and sudoku_test
             // look at those
  }
  int longest = 0, hardest = 0;
  for (const Split split : {Split::train, Split::test}) {
    for (int i = 0; i < available(*t, split, sample()); ++i) {
      const Example e = t->example(split, 5, static_cast<uint64_t>(i));
      longest = std::max(longest, e.length);
      hardest = std::max(hardest, e.difficulty);
    }
  }
  for (int i = 0; i < available(*t, Split::ood, sample()); ++i) {
    const Example e = t->example(Split::ood, 5, static_cast<uint64_t>(i));
    ASSERT_TRUE(e.difficulty > hardest || e.length > longest) << e.canonical;
  }
}

INSTANTIATE_TEST_SUITE_P(Tasks,
                         EveryTask,
                         ::testing::ValuesIn(testing::variants()),
                         [](const auto& p) {
                           std::string name;
                           for (const char ch : p.param.label) {
                             name += ch == '_' ? std::string() : std::string(1, ch);
                           }
                           return name;
                         });

std::string message_of(const std::string& name, const TaskOptions& options) {
  try {
    make_task(name, options);
  } catch (const Error& e) {
    return e.what();
  }
  return "no error";
}

TEST(TaskTable, IsSortedAndHasOneFilePerTask) {
  std::set<std::string> files, names;
  for (const auto& entry : std::filesystem::directory_iterator(SV_SOURCE_DIR "/data/tasks")) {
    files.insert(entry.path().stem().string());
  }
  std::vector<std::string> order;
  for (const TaskEntry& entry : task_table()) {
    order.emplace_back(entry.name);
    EXPECT_FALSE(entry.summary.empty());
  }
  EXPECT_TRUE(std::is_sorted(order.begin(), order.end()));
  EXPECT_EQ(files, std::set<std::string>(order.begin(), order.end()));
}

TEST(TaskTable, NamesTheNearestTaskForAnUnknownName) {
  EXPECT_NE(message_of("sudoko", {}).find("did you mean 'sudoku'"), std::string::npos);
}

TEST(TaskTable, RefusesAnOptionThatTheTaskDoesNotRead) {
  TaskOptions o;
  o.hops = 3;
  EXPECT_EQ(message_of("sudoku", o),
            "task sudoku does not read 'hops' (set to 3); it reads: size min_clues max_clues file "
            "ood_file");
}

TEST(TaskTable, ReadsEveryOptionItSays) {
  // Every option of the struct is read by some task, and every name in `reads` is an option.
  TaskOptions o;
  std::set<std::string> options, read;
  for (const Field& field : fields_of(o)) {
    options.insert(field.key);
  }
  for (const TaskEntry& entry : task_table()) {
    std::istringstream in{std::string(entry.reads)};
    for (std::string name; in >> name;) {
      read.insert(name);
    }
  }
  EXPECT_EQ(options, read);
}

TEST(TaskTable, RefusesValuesOutsideTheirRange) {
  EXPECT_NE(message_of("sudoku", testing::with_size(5)).find("side 4, 6 or 9"), std::string::npos);
  EXPECT_NE(message_of("linked_list", testing::with_size(3)).find("size = 3 is outside"),
            std::string::npos);
  EXPECT_NE(message_of("p_hop", testing::with_form("evry_loop")).find("did you mean 'every_loop'"),
            std::string::npos);
  EXPECT_NE(
      message_of("group_word", testing::with_group("S9")).find("is not S3, S4, S5 or Z2 to Z64"),
      std::string::npos);
}

TEST(TaskSplit, HoldsOutAboutOneInEight) {
  int test = 0;
  for (int i = 0; i < 80000; ++i) {
    test += split_of(std::to_string(i)) == Split::test ? 1 : 0;
  }
  EXPECT_NEAR(test, 10000, 400);  // 4 standard deviations of the binomial
}

TEST(TaskSplit, HoldsOutExactlyAsManyAsAsked) {
  const std::vector<std::string> forms{"a", "b", "c", "d", "e"};
  const std::vector<bool> held = hold_out(forms, 2);
  EXPECT_EQ(std::count(held.begin(), held.end(), true), 2);
}

}  // namespace
}  // namespace sv

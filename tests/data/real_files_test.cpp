// The published files, read by the same tasks: every ListOps label, every ProsQA item, samples of
// the Sudoku lists.
#include <gtest/gtest.h>

#include <fstream>
#include <set>
#include <sstream>

#include "data/prosqa.h"
#include "data/real_data.h"
#include "data/sudoku.h"
#include "data/task_of.h"
#include "data/tasks.h"

namespace sv {
namespace {

TaskOptions from_file(const std::string& path) {
  TaskOptions o;
  o.file = path;
  return o;
}

/// Removes innermost "[OP digits ]" groups, one after another, until a digit is left.
std::string reduce(std::string text) {
  while (text.size() > 1) {
    const size_t close = text.find(']');
    const size_t open = text.rfind('[', close);
    std::istringstream in(text.substr(open + 1, close - open - 1));
    std::string op, digits;
    in >> op;
    for (std::string d; in >> d;) {
      digits += d;
    }
    const auto [low, high] = std::minmax_element(digits.begin(), digits.end());
    const char value = op == "MAX"     ? *high
                       : op == "MIN"   ? *low
                       : op == "FIRST" ? digits.front()
                                       : digits.back();
    text = text.substr(0, open) + value + text.substr(close + 1);
  }
  return text;
}

TEST(RealListOps, HasTheLabelsThatTheExpressionsReduceTo) {
  SV_REAL_FILE(path, "listops/test_d8_first9000.tsv");
  std::ifstream in(path);
  int lines = 0;
  for (std::string line; std::getline(in, line); ++lines) {
    std::string text;
    for (const char ch : line.substr(line.find('\t') + 1)) {
      text += ch == '(' || ch == ')' ? std::string() : std::string(1, ch);
    }
    text.erase(0, text.find_first_not_of(' '));
    text.erase(text.find_last_not_of(' ') + 1);
    ASSERT_EQ(reduce(text), line.substr(0, line.find('\t'))) << line;
  }
  EXPECT_EQ(lines, 9000);
}

TEST(RealListOps, IsReadInFullAtItsGreatestLength) {
  SV_REAL_FILE(path, "listops/test_d8_first9000.tsv");
  TaskOptions o = from_file(path);
  o.size = 93;  // the longest line
  const auto task = make_task("listops", o);
  EXPECT_EQ(task->count(Split::train) + task->count(Split::test), 9000);
  std::vector<int> depths(8, 0);
  for (const Split split : {Split::train, Split::test}) {
    for (int64_t i = 0; i < task->count(split); ++i) {
      ++depths[static_cast<size_t>(task->example(split, 0, static_cast<uint64_t>(i)).difficulty)];
    }
  }
  EXPECT_EQ(depths, (std::vector<int>{1, 409, 3658, 2033, 1225, 640, 395, 639}));
}

TEST(RealListOps, LeavesOutLongLinesAndSaysSo) {
  SV_REAL_FILE(path, "listops/test_d8_first9000.tsv");
  const auto task = make_task("listops", from_file(path));
  EXPECT_EQ(task->count(Split::train) + task->count(Split::test), 8365);  // of at most 32 tokens
  std::string notes;
  for (const std::string& note : task->notes()) {
    notes += note + "\n";
  }
  EXPECT_NE(notes.find("635 lines are longer than 32 tokens"), std::string::npos) << notes;
}

TEST(RealProsqa, PassesEveryCheckOnAllItems) {
  SV_REAL_FILE(valid, "prosqa/prosqa_valid.json");
  SV_REAL_FILE(test, "prosqa/prosqa_test_first250.json");
  const std::vector<ProsqaItem> items =
      read_prosqa(valid + "," + test);  // checks edges, steps, reachability
  ASSERT_EQ(items.size(), 550u);
  double shortcut = 0;
  std::set<int> symbols;
  for (const ProsqaItem& item : items) {
    shortcut += prosqa_in_degree_shortcut(item);
    for (const auto& edge : item.edges) {
      symbols.insert(edge.begin(), edge.end());
    }
    // Both options are leaves, and another person reaches the wrong one.
    bool other_reaches = false;
    for (int person = 0; person < kProsqaNames; ++person) {
      other_reaches =
          other_reaches ||
          (person != item.person &&
           prosqa_distances(
               item,
               person)[static_cast<size_t>(item.options[static_cast<size_t>(1 - item.answer)])] >
               0);
    }
    EXPECT_TRUE(other_reaches) << item.where;
    for (const auto& edge : item.edges) {
      EXPECT_TRUE(edge[0] != item.options[0] && edge[0] != item.options[1]) << item.where;
    }
  }
  EXPECT_EQ(symbols.size(), 55u);
  // 66.4 % over the 800 published items; these 550 give 65.7 %.
  EXPECT_NEAR(shortcut / 550, 0.657, 0.0006);
}

TEST(RealProsqa, IsTheOodSplitOfATaskTrainedOnGeneratedGraphs) {
  SV_REAL_FILE(valid, "prosqa/prosqa_valid.json");
  for (const char* form : {"graph", "graph_dense", "words"}) {
    TaskOptions o;
    o.form = form;
    const TaskSpec generated = make_task("prosqa", o)->spec();
    o.ood_file = valid;
    const auto task = make_task("prosqa", o);
    EXPECT_EQ(task->count(Split::train), -1);
    EXPECT_EQ(task->count(Split::ood), 300);
    // A model trained without the file fits: same positions, symbols, answers and truths.
    EXPECT_EQ(task->spec().positions, generated.positions);
    EXPECT_EQ(task->spec().vocab, generated.vocab);
    EXPECT_EQ(task->spec().answers, generated.answers);
    EXPECT_EQ(task->spec().max_difficulty, generated.max_difficulty);
  }
}

TEST(RealProsqa, ReadsTheWordsOfTheQuestionInOrder) {
  SV_REAL_FILE(valid, "prosqa/prosqa_valid.json");
  TaskOptions o;
  o.form = "words";
  o.ood_file = valid;
  const auto task = make_task("prosqa", o);
  const Example e = task->example(Split::ood, 0, 0);
  std::string text;
  for (int t = 0; t < 13; ++t) {
    text += task->token_text(e.tokens[static_cast<size_t>(t)]) + " ";
  }
  EXPECT_EQ(text, "Every shumpus is a rempus . Every shumpus is a yimpus . Every ");
}

class RealSudoku : public ::testing::TestWithParam<const char*> {};

TEST_P(RealSudoku, HasExactlyOneSolutionPerSampledLine) {
  SV_REAL_FILE(path, std::string("sudoku/") + GetParam() + ".txt");
  const auto task = make_task("sudoku", from_file(path));
  std::ifstream in(path);
  int64_t lines = 0;
  for (std::string line; std::getline(in, line);) {
    ++lines;
  }
  EXPECT_EQ(task->count(Split::train) + task->count(Split::test), lines);
  const SudokuRules& rules = sudoku_rules(9);
  for (uint64_t i = 0; i < 40; ++i) {
    const Example e = task->example(Split::test, 0, i);  // throws unless there is one solution
    SudokuGrid grid{};
    for (size_t cell = 0; cell < 81; ++cell) {
      grid[cell] = static_cast<uint8_t>(e.tokens[cell] != 0 ? e.tokens[cell] : e.targets[cell] + 1);
    }
    ASSERT_TRUE(SudokuState(rules, grid).ok()) << e.canonical;
  }
  const bool rated = task->spec().difficulty == "rating in tenths";
  EXPECT_EQ(rated, std::string(GetParam()) == "diabolical_rated");
}

INSTANTIATE_TEST_SUITE_P(Lists,
                         RealSudoku,
                         ::testing::Values("diabolical_rated",
                                           "hardest_1106",
                                           "hardest_1905",
                                           "magictour_top1465",
                                           "sudoku_17clue"),
                         [](const auto& p) {
                           std::string name;
                           for (const char ch : std::string(p.param)) {
                             name += ch == '_' ? std::string() : std::string(1, ch);
                           }
                           return name;
                         });

TEST(RealSudokuSplits, LeaveOutOfTheOodFileWhatTrainingHolds) {
  SV_REAL_FILE(path, "sudoku/hardest_1106.txt");
  TaskOptions o = from_file(path);
  o.ood_file = path;
  const auto task = make_task("sudoku", o);
  EXPECT_EQ(task->count(Split::ood), 0);
  EXPECT_NE(task->notes().back().find("375 puzzles also stand in file"), std::string::npos);
}

}  // namespace
}  // namespace sv

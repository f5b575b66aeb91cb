// The published files of written problems, puzzles and text: read in full, and compared with what
// their lines say by other means.
#include <gtest/gtest.h>

#include <fstream>
#include <map>
#include <nlohmann/json.hpp>
#include <set>
#include <sstream>

#include "core/check.h"
#include "data/real_data.h"
#include "data/split.h"
#include "data/task_of.h"
#include "data/task_variants.h"
#include "data/written.h"

namespace sv {
namespace {

TaskOptions from_file(const std::string& path, const char* form = "") {
  TaskOptions o = testing::with_form(form);
  o.file = path;
  return o;
}

std::vector<std::string> lines_of(const std::string& path) {
  std::ifstream in(path);
  std::vector<std::string> lines;
  for (std::string line; std::getline(in, line);) {
    lines.push_back(line);
  }
  return lines;
}

/// Symbols of a role, `between` them a separator.
std::string text_of(const Task& task, const Example& e, int role, const std::string& between) {
  std::string text;
  for (size_t t = 0; t < e.tokens.size(); ++t) {
    if (e.roles[t] == role && e.tokens[t] >= kFirstSymbol) {
      text += (text.empty() ? "" : between) + task.token_text(e.tokens[t]);
    }
  }
  return text;
}

/// Every example of train and test (and ood).
template <class Check>
int64_t for_all(const Task& task, const Check& check) {
  int64_t count = 0;
  for (const Split split : {Split::train, Split::test, Split::ood}) {
    for (int64_t i = 0; i < task.count(split); ++i, ++count) {
      check(task.example(split, 0, static_cast<uint64_t>(i)), split);
    }
  }
  return count;
}

TEST(RealMultiplication, IsWrittenAsInTheFiles) {
  for (const int n : {4, 5}) {
    const std::string name = std::to_string(n) + "x" + std::to_string(n);
    SV_REAL_FILE(test, "multiplication/" + name + "_test.txt");
    SV_REAL_FILE(valid, "multiplication/" + name + "_valid.txt");
    TaskOptions o = from_file(test + "," + valid, "steps");
    o.size = n;
    const auto task = make_task("multiplication", o);
    std::multiset<std::string> lines, written;
    for (const std::string& path : {test, valid}) {
      for (const std::string& line : lines_of(path)) {
        lines.insert(line);
      }
    }
    for_all(*task, [&](const Example& e, Split) {
      std::string text = text_of(*task, e, 0, " ") + "||";
      for (int k = 1; k <= n; ++k) {
        text += text_of(*task, e, k, " ") + " ";
      }
      written.insert(text + "#### " + text_of(*task, e, n + 1, " "));
    });
    EXPECT_EQ(written.size(), 2000u);
    EXPECT_EQ(lines, written);  // byte by byte
  }
}

TEST(RealScan, SplitsAsPublished) {
  SV_REAL_FILE(path, "scan/tasks.txt");
  const auto size = [&](const char* form, Split split) {
    return make_task("scan", from_file(path, form))->count(split);
  };
  EXPECT_EQ(size("simple", Split::train) + size("simple", Split::test), 20910);
  EXPECT_EQ(size("simple", Split::ood), 0);
  EXPECT_EQ(size("length", Split::train) + size("length", Split::test), 16990);
  EXPECT_EQ(size("length", Split::ood), 3920);
  EXPECT_EQ(size("addprim_jump", Split::train) + size("addprim_jump", Split::test), 14670);
  EXPECT_EQ(size("addprim_jump", Split::ood), 7706);
}

TEST(RealScan, AsksForTheActionsOfTheLines) {
  SV_REAL_FILE(path, "scan/tasks.txt");
  std::map<std::string, std::string> actions;
  for (const std::string& line : lines_of(path)) {
    const size_t out = line.find(" OUT: ");
    actions[line.substr(4, out - 4)] = line.substr(out + 6);
  }
  const auto task = make_task("scan", from_file(path, "length"));
  for_all(*task, [&](const Example& e, Split split) {
    const std::string command = text_of(*task, e, 0, " ");
    ASSERT_EQ(text_of(*task, e, 1, " "), actions.at(command));
    ASSERT_EQ(split == Split::ood, e.difficulty > 22);
    // Truths against the words: clauses keep or change order, repetitions and parts count up.
    const auto from = static_cast<size_t>(place_of(e, kAnswerMark));
    const size_t after = command.find(" after "), both = command.find(" and ");
    const int first = e.truths[0][from],
              last = e.truths[0][from + static_cast<size_t>(e.difficulty) - 1];
    const bool two = after != std::string::npos || both != std::string::npos;
    ASSERT_EQ(first, after != std::string::npos ? 1 : 0);
    ASSERT_EQ(last, !two ? 0 : 1 - first);
    const std::string clause =
        !two || first == 1 ? command.substr(two ? after + 7 : 0) : command.substr(0, both);
    const int times = clause.ends_with("twice") ? 2 : clause.ends_with("thrice") ? 3 : 1;
    int repeat = 0;
    for (size_t t = from; e.truths[0][t] == first; ++t) {
      if (t > from && e.truths[2][t] == 0) {
        ++repeat;
      }
      ASSERT_EQ(e.truths[1][t], repeat);
      ASSERT_TRUE(t == from || e.truths[2][t] == 0 || e.truths[2][t] == e.truths[2][t - 1] + 1);
      if (e.truths[0][t + 1] < 0) {
        break;
      }
    }
    ASSERT_EQ(repeat + 1, times) << command;
  });
}

TEST(RealGsm8k, ComesBackFromTheBytes) {
  SV_REAL_FILE(path, "gsm8k/icot_valid.txt");
  SV_REAL_FILE(train, "gsm8k/icot_train.txt");
  TaskOptions o = from_file(path);
  o.size = 1024;
  const auto task = make_task("gsm8k", o);
  std::map<std::string, std::string> rest;
  for (const std::string& line : lines_of(path)) {
    rest[line.substr(0, line.find("||"))] = line.substr(line.find("||") + 2);
  }
  const int K = task->spec().written_steps;
  const int64_t count = for_all(*task, [&](const Example& e, Split) {
    std::string question, steps, answer;
    for (int t = 0; t < e.length; ++t) {
      const int token = e.tokens[static_cast<size_t>(t)] - kFirstSymbol;
      const int role = e.roles[static_cast<size_t>(t)];
      if (token >= 0) {
        (role == 0 ? question : role <= K ? steps : answer) += static_cast<char>(token);
      }
    }
    std::string spaced;
    for (const char ch : rest.at(question)) {
      spaced += ch == ' ' ? "" : std::string(1, ch);
    }
    ASSERT_EQ(steps + "####" + answer, spaced);
    ASSERT_EQ(e.difficulty, std::count(steps.begin(), steps.end(), '='));
  });
  EXPECT_EQ(count, 500);
  o = from_file(train);
  o.ood_file = path;
  const auto both = make_task("gsm8k", o);  // 512 positions
  EXPECT_EQ(both->count(Split::train) + both->count(Split::test), 6884 - 214);
  EXPECT_EQ(both->count(Split::ood), 500 - 13);
}

TEST(RealText, IsReadInOrder) {
  SV_REAL_FILE(path, "text/tinyshakespeare.txt");
  std::ifstream in(path, std::ios::binary);
  const std::string text((std::istreambuf_iterator<char>(in)), {});
  const auto task = make_task("text", from_file(path));
  const int64_t windows = static_cast<int64_t>(text.size() - 1) / 64;
  const int64_t tests = windows / 8;
  EXPECT_EQ(task->count(Split::test), tests);
  EXPECT_LE(task->count(Split::train), windows - tests);
  EXPECT_GE(task->count(Split::train), windows - tests - 5);
  for (int64_t i = 0; i < tests; i += 37) {
    const Example e = task->example(Split::test, 0, static_cast<uint64_t>(i));
    const size_t from = static_cast<size_t>(windows - tests + i) * 64;
    for (size_t t = 0; t < 64; ++t) {
      ASSERT_EQ(e.tokens[t], static_cast<uint8_t>(text[from + t]));
      ASSERT_EQ(e.targets[t], static_cast<uint8_t>(text[from + t + 1]));
    }
  }
}

using Grid = std::vector<std::vector<int>>;

/// The grid in 900 cells from `first` on, found by its edge; {} if the edge is not where it must
/// be.
Grid grid_of(const std::vector<int32_t>& cells, int blank) {
  const auto at = [&](int r, int c) { return cells[static_cast<size_t>(1 + 30 * r + c)]; };
  int rows = 0, columns = 0;
  while (rows < 30 && at(rows, 0) >= 2) {
    ++rows;
  }
  while (columns < 30 && at(0, columns) >= 2) {
    ++columns;
  }
  Grid g(static_cast<size_t>(rows), std::vector<int>(static_cast<size_t>(columns)));
  for (int r = 0; r < 30; ++r) {
    for (int c = 0; c < 30; ++c) {
      const bool inside = r < rows && c < columns;
      const bool edge = (r == rows && c < columns) || (c == columns && r < rows);
      if (inside) {
        g[static_cast<size_t>(r)][static_cast<size_t>(c)] = at(r, c) - 2;
      } else if (at(r, c) != (edge ? 1 : blank)) {
        return {};
      }
    }
  }
  return g;
}

/// Numbers the colours in the order of first sight and takes the least of the 8 placings, each made
/// by turning and reflecting: equal for grids that differ by symmetry and colours (0 stays).
std::vector<Grid> pair_form(const Grid& input, const Grid& output) {
  std::vector<Grid> best;
  std::vector<Grid> now{input, output};
  for (int turn = 0; turn < 8; ++turn) {
    std::map<int, int> name{{0, 0}};
    std::vector<Grid> named = now;
    for (Grid& g : named) {
      for (auto& row : g) {
        for (int& v : row) {
          v = name.emplace(v, static_cast<int>(name.size())).first->second;
        }
      }
    }
    best = best.empty() ? named : std::min(best, named);
    for (Grid& g : now) {
      Grid turned(g[0].size(), std::vector<int>(g.size()));
      for (size_t r = 0; r < g.size(); ++r) {
        for (size_t c = 0; c < g[0].size(); ++c) {
          turned[c][g.size() - 1 - r] = g[r][c];
        }
      }
      g = turned;
      if (turn == 3) {
        for (auto& row : g) {
          std::reverse(row.begin(), row.end());
        }
      }
    }
  }
  return best;
}

TEST(RealArc, HoldsTheGridsAndTheirVariants) {
  SV_REAL_FILE(path, "arc/arc_agi_1_evaluation.json");
  TaskOptions o = from_file(path);
  o.augment = 4;
  const auto task = make_task("arc", o);
  EXPECT_EQ(task->count(Split::train), 1266 * 4);
  EXPECT_EQ(task->count(Split::test), 392);
  EXPECT_EQ(task->spec().puzzles, 373 * 4);
  EXPECT_EQ(task->spec().vocab, 12 + 373 * 4);
  std::ifstream in(path);
  const nlohmann::json all = nlohmann::json::parse(in);
  std::map<std::string, std::set<std::vector<Grid>>> forms;  // of demonstration pairs, by variant
  for (const Split split : {Split::test, Split::train}) {
    for (int64_t i = 0; i < task->count(split); i += split == Split::test ? 1 : 3) {
      const Example e = task->example(split, 0, static_cast<uint64_t>(i));
      const std::string symbol = task->token_text(e.tokens[0]), id = symbol.substr(0, 8);
      const Grid input = grid_of(e.tokens, 0), output = grid_of(e.targets, -1);
      ASSERT_FALSE(input.empty() || output.empty()) << symbol;
      ASSERT_EQ(e.difficulty, static_cast<int>(output.size() * output[0].size()));
      bool found = false;
      for (const auto& pair : all[id][split == Split::test ? "test" : "train"]) {
        const Grid a = pair["input"].get<Grid>(), b = pair["output"].get<Grid>();
        found = found || (symbol == id ? a == input && b == output
                                       : pair_form(a, b) == pair_form(input, output));
      }
      ASSERT_TRUE(found) << symbol;
      ASSERT_TRUE(split == Split::train || symbol == id);
    }
  }
}

TEST(RealArc, TakesAPuzzleOfTwoFilesOnce) {
  SV_REAL_FILE(one, "arc/arc_agi_1_training.json");
  SV_REAL_FILE(two, "arc/arc_agi_2_training.json");
  TaskOptions o = from_file(one + "," + two);
  o.augment = 1;
  const auto task = make_task("arc", o);
  EXPECT_EQ(task->spec().puzzles, 400 + 977 - 391);
  EXPECT_NE(task->notes().at(1).find("391 puzzles occur in several files"), std::string::npos);
}

}  // namespace
}  // namespace sv

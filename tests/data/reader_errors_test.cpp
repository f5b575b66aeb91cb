// Truncated and corrupted data files: one clear sv::Error that names file and line (or item), never
// a crash and never a silently wrong example.
#include <gtest/gtest.h>

#include <fstream>

#include "core/check.h"
#include "core/rng.h"
#include "data/tasks.h"
#include "data/temp_folder.h"

namespace sv {
namespace {

// A puzzle of the public 17-clue list, an expression and an item in the published formats, written
// here.
const std::string kPuzzle =
    ".7......3.8.41....54.63...17.....29.....4....8......6..6...158.4....5..9.2..8..3.";
const std::string kExpression = "9\t( ( ( [MAX 2 ) ( ( ( [FIRST 9 ) 6 ) ] ) ) ] )";
const std::string kItem =
    R"([{"question": "Every bompus is a felpus. Bob is a bompus. Every felpus is a gorpus. Tom is a jompus. )"
    R"(Is Bob a jompus or gorpus?", "answer": "Bob is a gorpus.", "steps": ["Bob is a bompus.", "Every bompus is a )"
    R"(felpus.", "Every felpus is a gorpus."], "idx_to_symbol": ["Bob", "Tom", "bompus", "felpus", "gorpus", )"
    R"("jompus"], "edges": [[0, 2], [2, 3], [3, 4], [1, 5]], "root": 0, "target": 4, "neg_target": 5}])";

// 5x5
const std::string kMaze = "S...#.##.#.....#.###..G..\tS...#o##.#oo...#o###.oG..";

const std::string kProblem = "How many legs have 3 dogs?||<<3*4=12>> <<12+0=12>> #### 12";
const std::string kProduct =  // 12 * 34
    "2 1 * 4 3||8 4 0 + 0 6 3 0 #### 8 0 4 0";
const std::string kCommand = "IN: walk left twice OUT: I_TURN_LEFT I_WALK I_TURN_LEFT I_WALK";
const std::string kPuzzles = R"({"ab": {"train": [{"input": [[0, 1], [2, 3]], "output": [[9]]}], )"
                             R"("test": [{"input": [[5]], "output": [[6, 7]]}]}})";

class Reader : public ::testing::Test {
 protected:
  /// The message of reading `text` as the train file of a task and taking its first examples.
  std::string message(const std::string& task, const std::string& text) {
    std::ofstream(path_, std::ios::binary) << text;
    TaskOptions o;
    o.file = path_;
    o.size = task == "maze" ? 5 : task == "multiplication" ? 2 : 0;
    try {
      const auto made = make_task(task, o);
      for (const Split split : {Split::train, Split::test}) {
        for (int64_t i = 0; i < made->count(split); ++i) {
          made->example(split, 0, static_cast<uint64_t>(i));
        }
      }
    } catch (const Error& e) {
      EXPECT_EQ(e.exit, Exit::input);
      return e.what();
    }
    return "";
  }
  void expect(const std::string& task,
              const std::string& text,
              const std::string& place,
              const std::string& what) {
    const std::string got = message(task, text);
    EXPECT_NE(got.find(path_ + place), std::string::npos) << got;
    EXPECT_NE(got.find(what), std::string::npos) << got;
  }

  TempFolder folder_;
  const std::string path_ = folder_ / "data.txt";
};

TEST_F(Reader, AcceptsTheFormats) {
  EXPECT_EQ(message("sudoku", kPuzzle), "");
  EXPECT_EQ(message("sudoku", "# a list\r\n" + kPuzzle + "\r\n\n"), "");
  EXPECT_EQ(message("sudoku", kPuzzle + " 7.2\n"), "");
  EXPECT_EQ(message("listops", kExpression + "\n7\t7\n"), "");
  EXPECT_EQ(message("prosqa", kItem), "");
  EXPECT_EQ(message("maze", kMaze), "");
  EXPECT_EQ(message("gsm8k", kProblem + "\n# of legs?|| #### 0\n"), "");
  EXPECT_EQ(message("multiplication", kProduct), "");
  EXPECT_EQ(message("scan", kCommand), "");
  EXPECT_EQ(message("arc", kPuzzles), "");
  EXPECT_EQ(message("text", std::string(600, 'x')), "");
}

TEST_F(Reader, NamesFileAndLineOfABadSudokuLine) {
  const std::string good = kPuzzle + "\n";
  expect("sudoku", good + kPuzzle.substr(0, 80) + "\n", ":2", "81 cells expected, got 80");
  expect("sudoku", good + kPuzzle + "5\n", ":2", "81 cells expected, got 82");
  expect("sudoku", good + "x" + kPuzzle.substr(1) + "\n", ":2", "column 1 is 'x'");
  expect("sudoku", good + "11" + kPuzzle.substr(2) + "\n", ":2", "a digit stands twice");
  expect("sudoku", good + kPuzzle + " 7.2\n", ":2", "rating");
  expect("sudoku", kPuzzle + " 7.2x\n", ":1", "is not a number from 0 to 100");
  expect("sudoku", good + std::string(81, '.') + "\n", ":2", "more than one solution");
  expect("sudoku", good + "12345678.........9" + std::string(63, '.') + "\n", ":2", "no solution");
}

TEST_F(Reader, NamesFileAndLineOfABadExpression) {
  const std::string good = kExpression + "\n";
  expect("listops", good + "9 [MAX 2 9 ]\n", ":2", "label, tab and expression expected");
  expect("listops", good + "x\t[MAX 2 9 ]\n", ":2", "label 'x' is not a digit");
  expect("listops", good + "9\t[MED 2 9 ]\n", ":2", "unknown token '[MED'");
  expect("listops", good + "9\t[MAX 2 9\n", ":2", "a bracket is not closed");
  expect("listops", good + "9\t[MAX 2 9 ] ]\n", ":2", "a bracket closes that was not opened");
  expect("listops", good + "9\t[MAX ]\n", ":2", "an operator has no arguments");
  expect("listops", good + "8\t[MAX 2 9 ]\n", ":2", "label 8, but the expression is 9");
  expect("listops", good + "9\t\n", ":2", "not exactly one expression");
}

std::string replaced(std::string text, const std::string& from, const std::string& to) {
  return text.replace(text.find(from), from.size(), to);
}

TEST_F(Reader, NamesFileAndItemOfABadProsqaItem) {
  expect("prosqa",
         replaced(kItem, "bompus is a felpus", "bompus is a blurpus"),
         ": item 0",
         "'blurpus' is none of");
  expect("prosqa",
         replaced(kItem, "Tom is a jompus", "Every Tom is a jompus"),
         ": item 0",
         "'Every' stands before");
  expect("prosqa",
         replaced(kItem, "[1, 5]", "[1, 4]"),
         ": item 0",
         "the statements are not the edges");
  expect("prosqa",
         replaced(kItem, "[1, 5]", "[1, 77]"),
         ": item 0",
         "is not an index into idx_to_symbol");
  expect("prosqa", replaced(kItem, "\"target\": 4", "\"target\": 5"), ": item 0", "do not agree");
  expect("prosqa",
         replaced(kItem, "[\"Bob is a bompus.\", ", "["),
         ": item 0",
         "3 statements away (steps: 2)");
  expect("prosqa",
         replaced(kItem, "\"Every bompus is a felpus.\"", "\"Every bompus is a gorpus.\""),
         ": item 0",
         "the step from bompus to gorpus does not go on from bompus by a statement");
  expect("prosqa", replaced(kItem, "\"edges\"", "\"edgse\""), ": item 0", "edges");
  expect("prosqa", kItem.substr(0, 200), "", "");
}

TEST_F(Reader, NamesFileAndLineOfABadMaze) {
  const std::string good = kMaze + "\n";
  const auto changed = [&](size_t at, char ch) {
    std::string text = kMaze;
    text[at] = ch;
    return good + text + "\n";
  };
  expect("maze", good + kMaze + "#\n", ":2", "25 cells, a tab and 25 cells expected (size = 5)");
  expect("maze", good + kMaze.substr(1) + "\n", ":2", "got 24 and a line of 50");
  expect("maze", changed(1, 'x'), ":2", "cell 2 is 'x'");
  expect("maze", changed(1, 'S'), ":2", "cell 2 is 'S'");
  expect("maze", changed(26 + 4, '.'), ":2", "cell 5 is '#', but '.' in the answer");
  expect("maze", changed(26 + 1, 'o'), ":2", "marks 6 cells and leads to the goal in 6 moves");
  expect("maze", changed(26 + 5, '.'), ":2", "in -1 moves (-1: not), the shortest path in 6");
  expect("maze", replaced(replaced(kMaze, "S", "."), "S", ".") + "\n", ":1", "there is no S");
}

TEST_F(Reader, NamesFileAndLineOfABadWrittenProblem) {
  const std::string good = kProblem + "\n";
  expect("gsm8k", good + "Why? #### 3\n", ":2", "'question||steps #### answer' is expected");
  expect("gsm8k", good + "Why?|| 3\n", ":2", "'question||steps #### answer' is expected");
  expect("gsm8k", good + "|| #### 3\n", ":2", "the question is empty");
  expect("gsm8k", good + "Why?|| #### \n", ":2", "the answer is empty");
  expect(
      "gsm8k", good + "Why?||<<1=1> #### 3\n", ":2", "a step is '<<1=1> ', expected <<equation>>");
  expect("gsm8k", std::string(600, 'x') + "|| #### 3\n", "", "no line of at most 512 positions");
}

TEST_F(Reader, NamesFileAndLineOfABadProduct) {
  const std::string good = kProduct + "\n";
  const std::string shape = "two factors of 2 digits";
  expect("multiplication", good + "2 1 * 4 3 2||\n", ":2", shape);
  expect("multiplication", good + "2 1 + 4 3||\n", ":2", shape);
  expect("multiplication", good + "2 1 * 4 x||\n", ":2", shape);
  expect("multiplication", good + "2 1 * 4 3\n", ":2", shape);
  expect("multiplication",
         good + replaced(kProduct, "8 0 4 0", "8 0 5 0") + "\n",
         ":2",
         "column 37 is '5 0', expected '4 0'");
  expect("multiplication",
         good + replaced(kProduct, " #### 8 0 4 0", "") + "\n",
         ":2",
         "is missing, expected ' #### 8 0 4 0'");
}

TEST_F(Reader, NamesFileAndLineOfABadCommand) {
  const std::string good = kCommand + "\n";
  expect("scan", good + "walk OUT: I_WALK\n", ":2", "'IN:' is expected, got 'walk'");
  expect("scan", good + "IN: walc OUT: I_WALK\n", ":2", "did you mean 'walk'");
  expect("scan", good + "IN: walk OUT: I_WALC\n", ":2", "did you mean 'I_WALK'");
  expect("scan", good + "IN: walk\n", ":2", "there is no 'OUT:'");
  for (const char* words : {"turn", "walk and", "left walk", "walk opposite", "walk walk", ""}) {
    expect("scan", good + "IN: " + words + " OUT: I_WALK\n", ":2", "is no command of the grammar");
  }
  expect(
      "scan", good + "IN: walk OUT: I_RUN\n", ":2", "the 1 actions are not the 1 of the command");
  expect("scan", good + "IN: walk twice OUT: I_WALK\n", ":2", "the 1 actions are not the 2");
}

TEST_F(Reader, NamesThePuzzleAndThePairOfABadGrid) {
  const auto wrong = [&](const char* from, const char* to, const char* place, const char* what) {
    expect("arc", replaced(kPuzzles, from, to), place, what);
  };
  wrong("[2, 3]", "[2]", ": puzzle 'ab' train 0 input", "row 1 is not a list of 2 cells");
  wrong("[[9]]", "[[10]]", ": puzzle 'ab' train 0 output", "holds '10', not a colour from 0 to 9");
  wrong("[[9]]", "[[-1]]", ": puzzle 'ab' train 0 output", "holds '-1'");
  wrong("[[9]]", "[]", ": puzzle 'ab' train 0 output", "1 to 30 rows and columns");
  wrong("[[9]]", "[9]", ": puzzle 'ab' train 0 output", "1 to 30 rows and columns");
  wrong("\"test\"", "\"tset\"", ": puzzle 'ab'", "the key 'test' is missing");
  wrong("\"output\": [[9]]", "\"out\": 1", ": puzzle 'ab' train 0", "the key 'output' is missing");
  expect("arc", "[]", "", "an object of puzzles by name is expected");
}

TEST_F(Reader, NamesATextThatIsTooShort) {
  expect("text", std::string(512, 'x'), "", "512 bytes, fewer than 8 windows of 64 + 1");
}

TEST_F(Reader, NamesAFileThatIsMissingOrEmpty) {
  TaskOptions o;
  o.file = folder_ / "nothing.txt";
  for (const char* task :
       {"sudoku", "listops", "prosqa", "maze", "gsm8k", "multiplication", "scan", "arc", "text"}) {
    try {
      make_task(task, o);
      FAIL() << task;
    } catch (const Error& e) {
      EXPECT_NE(std::string(e.what()).find(o.file), std::string::npos) << e.what();
    }
    expect(task, "", "", "");
  }
}

/// One seeded corruption: a cut, a flipped byte, a removed or doubled stretch.
std::string corrupted(std::string text, uint64_t number) {
  RngCursor rng(Rng(1, stream_of("reader_errors"), number));
  const size_t at = rng.below(static_cast<uint32_t>(text.size()));
  switch (rng.below(4)) {
    case 0:
      return text.substr(0, at);
    case 1:
      text[at] = static_cast<char>(rng.below(256));
      return text;
    case 2:
      return text.erase(at, 1 + rng.below(8));
    default:
      return text.insert(at, text.substr(at, 1 + rng.below(8)));
  }
}

TEST_F(Reader, SurvivesAThousandCorruptions) {
  const std::vector<std::pair<std::string, std::string>> originals{
      {"sudoku", kPuzzle + "\n" + kPuzzle + "\n"},
      {"listops", kExpression + "\n" + kExpression + "\n"},
      {"prosqa", kItem},
      {"maze", kMaze + "\n" + kMaze + "\n"},
      {"multiplication", kProduct + "\n" + kProduct + "\n"},
      {"scan", kCommand + "\n" + kCommand + "\n"},
      {"arc", kPuzzles}};
  int refused = 0;
  for (const auto& [task, text] : originals) {
    for (uint64_t i = 0; i < 150; ++i) {
      const std::string got =
          message(task, corrupted(text, i));  // anything but an sv::Error fails the test
      EXPECT_TRUE(got.empty() || got.find(path_) != std::string::npos) << got;
      refused += got.empty() ? 0 : 1;
    }
  }
  EXPECT_GT(refused, 650);  // most corruptions cannot be read as anything else
}

}  // namespace
}  // namespace sv

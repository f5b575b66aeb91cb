// Task: what a reasoner is asked, what the right answer is, and which intermediate values are known
// to be true. A task is one file in data/tasks and two lines in data/tasks.cpp.
#pragma once
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

namespace sv {

/// ood: out of distribution (larger or harder instances).
enum class Split : uint8_t { train, test, ood };

/// A coordinate of the positions, known to every instance: row, column and box of a Sudoku cell. A
/// model with model.positions=task adds one learned embedding per channel.
struct Channel {
  std::string name;
  int size = 0;              // number of values
  std::vector<int32_t> ids;  // (T)
};

/// A named ground-truth intermediate: per step s and position t an integer class, or -1 where it is
/// not defined. Multi-label truths (pencil marks: digit v possible?) are one TruthSpec per label
/// with classes = 2.
struct TruthSpec {
  std::string name;   // e.g. "mark_3": whether digit 3 is still possible
  std::string help;   // one line; names the step axis
  int classes = 2;    // C
  int steps = 1;      // S_truth: rounds, hops, scopes
  std::string group;  // truths that are probed together and averaged ("mark"); empty: alone
};

struct TaskSpec {
  std::string name;
  int positions = 0;  // T
  int vocab = 0;      // input symbols
  int answers = 0;    // output symbols V
  /// S: 1 = the same target after every loop; else target s holds after loop s+1.
  int target_steps = 1;
  bool causal = false;  // suggested attention mask
  std::vector<Channel> coordinates;
  std::vector<TruthSpec> truths;
  std::string difficulty;  // what Example::difficulty counts: "hops", "nesting depth"
  int max_difficulty = 0;
  /// Written solutions (data/written.h): the most steps between question and answer; -1: none, and
  /// examples have no roles.
  int written_steps = -1;
  /// So many of the last input symbols each name a puzzle; one of them stands at position 0.
  int puzzles = 0;

  int answer_role() const { return written_steps + 1; }
};

struct Example {
  std::vector<int32_t> tokens;   // (T); padded positions hold 0 and lie behind `length`
  std::vector<int32_t> targets;  // (S, T); -1 = no loss and no score here
  int length = 0;                // positions in use, <= T
  int difficulty = 0;
  /// (T) or empty: e.g. the round in which a cell is fixed; -1 = none.
  std::vector<int32_t> position_difficulty;
  /// (T) or empty. Of a written solution: 0 question, k = 1, 2, ... step k, TaskSpec::answer_role()
  /// answer, -1 behind the length.
  std::vector<int32_t> roles;
  std::vector<std::vector<int32_t>> truths;  // one (S_truth, T) per TruthSpec
  std::string canonical;  // canonical form: equal for instances that are the same problem
};

class Task {
 public:
  virtual ~Task() = default;
  virtual const TaskSpec& spec() const = 0;
  /// The index-th example of a split: a pure function of (split, seed, index). A finite task (read
  /// from a file) throws when index >= count(split).
  virtual Example example(Split split, uint64_t seed, uint64_t index) const = 0;
  /// Number of examples of a finite split, or -1 when it is generated without end.
  virtual int64_t count(Split) const { return -1; }
  /// A neighbour of the example of the same layout that differs in one thing the answer depends on,
  /// for patching one run with the other: digits renamed, one edge or bit changed. A pure function
  /// of its arguments; nothing for a task, or an example, that has none.
  virtual std::optional<Example> counterfactual(const Example&,
                                                uint64_t /*seed*/,
                                                uint64_t /*index*/) const {
    return std::nullopt;
  }
  /// Whether `answer`, the symbols that a model wrote between #### and the end mark, is right. By
  /// default only the example's own answer is; a task with many right answers works them out.
  virtual bool accepts(const Example& e, std::span<const int32_t> answer) const;
  /// How a symbol is written in tables and in the report.
  virtual std::string token_text(int id) const = 0;
  virtual std::string answer_text(int id) const { return token_text(id); }
  /// Canonical form of the solution where train and test may share solutions of different instances
  /// (Sudoku grids); empty: solutions are not compared. Dataset's solution_overlap counts them.
  virtual std::string solution_key(const Example&) const { return {}; }
  /// Facts to print beside a score (solution overlap, shortcut rates), one a line.
  virtual std::vector<std::string> notes() const { return {}; }
};

}  // namespace sv

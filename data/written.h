// Written solutions: question || step step ... #### answer end, as one sequence for a causal model.
// From || on every position asks for the symbol behind it. Roles (Example::roles) say what each
// position is for; schemes that leave steps out, hide them or put thoughts in their place read
// nothing else.
#pragma once
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "data/task.h"

namespace sv {

/// The first input symbols of every task with written solutions; its own begin at kFirstSymbol.
enum WrittenMark : int32_t { kPaddingMark, kThinkMark, kAnswerMark, kEndMark, kFirstSymbol };

struct Written {
  std::vector<int32_t> question;
  std::vector<std::vector<int32_t>> steps;
  std::vector<int32_t> answer;
};

/// Positions that it takes up, marks included.
int written_length(const Written& w);

/// Fills in what follows for the spec: positions, vocab = answers = kFirstSymbol + symbols, causal,
/// the most steps.
void describe_written(int positions, int symbols, int most_steps, TaskSpec* spec);

/// Tokens, targets, length and roles of an example of the spec; the rest is blank. The mark || has
/// the role of the question; #### and the end mark that of the answer.
Example write_out(const TaskSpec& spec, const Written& w);

/// "pad", "||", "####", "end", or nothing where the symbol is one of the task's own.
std::optional<std::string> mark_text(int id);

/// Position of the first such mark.
int place_of(const Example& e, WrittenMark mark);

}  // namespace sv

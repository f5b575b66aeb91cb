// The tasks of the table in the variants that the laws are checked on.
#pragma once
#include <ostream>
#include <string>
#include <vector>

#include "data/tasks.h"

namespace sv::testing {

struct Variant {
  std::string label;
  std::string task;
  TaskOptions options;
};

inline void PrintTo(const Variant& v, std::ostream* out) {
  *out << v.label;
}

inline TaskOptions with_form(const char* form) {
  TaskOptions o;
  o.form = form;
  return o;
}
inline TaskOptions with_group(const char* group) {
  TaskOptions o;
  o.group = group;
  return o;
}
inline TaskOptions with_size(int size) {
  TaskOptions o;
  o.size = size;
  return o;
}

/// Every entry of the table with its defaults, then the other forms.
inline std::vector<Variant> variants() {
  std::vector<Variant> list;
  for (const TaskEntry& entry : task_table()) {
    list.push_back({std::string(entry.name), std::string(entry.name), {}});
  }
  TaskOptions four = with_size(4);
  four.min_clues = 6;
  list.insert(list.end(),
              {{"sudoku_4x4", "sudoku", with_size(4)},
               {"sudoku_4x4_few_clues", "sudoku", four},
               {"sudoku_9x9", "sudoku", with_size(9)},
               {"pointer_chase_hop_token", "pointer_chase", with_form("hop_token")},
               {"pointer_chase_steps", "pointer_chase", with_form("steps")},
               {"affine_chain_iterate", "affine_chain", with_form("iterate")},
               {"p_hop_every_loop", "p_hop", with_form("every_loop")},
               {"addition_digits", "addition", with_form("digits")},
               {"addition_steps", "addition", with_form("steps")},
               {"group_word_S5", "group_word", with_group("S5")},
               {"group_word_Z7", "group_word", with_group("Z7")},
               {"prosqa_dense", "prosqa", with_form("graph_dense")},
               {"prosqa_steps", "prosqa", with_form("graph_steps")},
               {"prosqa_words", "prosqa", with_form("words")}});
  return list;
}

}  // namespace sv::testing

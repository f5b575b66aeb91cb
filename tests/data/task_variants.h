// The tasks of the table in the variants that the laws are checked on.
#pragma once
#include <fstream>
#include <ostream>
#include <string>
#include <vector>

#include "data/tasks.h"
#include "data/temp_folder.h"

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

/// A small file that the task reads, made here; it lives as long as the program.
inline TaskOptions with_small_file(const std::string& task) {
  static const TempFolder folder;
  std::ofstream out(folder / (task + ".txt"));
  for (int i = 0; i < 40; ++i) {
    const std::string n = std::to_string(i), more = std::to_string(i + 7);
    if (task == "gsm8k") {
      out << "What are " << n << " and 7?||<<" << n << "+7=" << more << ">> #### " << more << "\n";
    } else if (task == "scan") {
      const char* verbs[] = {"walk", "look", "run", "jump"};
      const char* actions[] = {"I_WALK", "I_LOOK", "I_RUN", "I_JUMP"};
      const int first = i % 4, second = i / 4 % 4;
      const bool reversed = i / 16 % 2 == 1, twice = i >= 32;
      out << "IN: " << verbs[first] << (twice ? " twice" : "") << (reversed ? " after " : " and ")
          << verbs[second] << " OUT: " << (reversed ? actions[second] : "") << " " << actions[first]
          << " " << (twice ? actions[first] : "") << " " << (reversed ? "" : actions[second])
          << "\n";
    } else if (task == "file") {
      out << R"({"tokens": [)" << i << R"(, 1], "targets": [0, )" << i % 3
          << R"(], "truths": {"x": [)" << i % 5 << ", -1]}}\n";
    } else if (task == "text") {
      out << "Line " << n << ": nothing but " << more << " words, and " << n << " more of them.\n";
    } else {  // arc
      out << (i == 0 ? "{" : ",") << "\"p" << n << R"(": {"train": [{"input": [[)" << i % 10
          << R"(, 1]], "output": [[1], [)" << i / 10 << R"(]]}], "test": [{"input": [[2, )"
          << i % 10 << R"(]], "output": [[)" << i / 10 << "]]}]}" << (i == 39 ? "}" : "");
    }
  }
  TaskOptions o;
  o.file = folder / (task + ".txt");
  return o;
}

/// Every entry of the table with its defaults (and a small file where it needs one), then the other
/// forms.
inline std::vector<Variant> variants() {
  std::vector<Variant> list;
  for (const TaskEntry& entry : task_table()) {
    const std::string name(entry.name);
    list.push_back({name, name, entry.needs_file ? with_small_file(name) : TaskOptions{}});
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
               {"multiplication_steps", "multiplication", with_form("steps")},
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

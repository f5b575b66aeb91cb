// The table of tasks and the check of their options. A new task: one file in data/tasks and two
// lines here.
#include "data/tasks.h"

#include <array>
#include <sstream>
#include <vector>

#include "core/check.h"
#include "core/nearest.h"

namespace sv {

using TaskPtr = std::shared_ptr<const Task>;
TaskPtr make_addition(const TaskOptions& options);
TaskPtr make_affine_chain(const TaskOptions& options);
TaskPtr make_arc(const TaskOptions& options);
TaskPtr make_countdown(const TaskOptions& options);
TaskPtr make_file(const TaskOptions& options);
TaskPtr make_group_word(const TaskOptions& options);
TaskPtr make_gsm8k(const TaskOptions& options);
TaskPtr make_linked_list(const TaskOptions& options);
TaskPtr make_listops(const TaskOptions& options);
TaskPtr make_maze(const TaskOptions& options);
TaskPtr make_multiplication(const TaskOptions& options);
TaskPtr make_p_hop(const TaskOptions& options);
TaskPtr make_parity(const TaskOptions& options);
TaskPtr make_permutation_power(const TaskOptions& options);
TaskPtr make_pointer_chase(const TaskOptions& options);
TaskPtr make_prefix_parity(const TaskOptions& options);
TaskPtr make_prosqa(const TaskOptions& options);
TaskPtr make_reachability(const TaskOptions& options);
TaskPtr make_scan(const TaskOptions& options);
TaskPtr make_sudoku(const TaskOptions& options);
TaskPtr make_text(const TaskOptions& options);
TaskPtr make_two_hop(const TaskOptions& options);

namespace {

constexpr std::array<TaskEntry, 22> kTasks{{
    {"addition",
     "sum of two numbers of many digits, carries as truth",
     "size hops form",
     make_addition},
    {"affine_chain",
     "running value of s <- a s + b modulo m",
     "size ood_size hops modulus form",
     make_affine_chain},
    {"arc",
     "the output grid of a puzzle known by its demonstration pairs",
     "augment file",
     make_arc,
     true},
    {"countdown",
     "an expression that makes the target from the numbers",
     "size ood_size",
     make_countdown},
    {"file",
     "examples of your own, from JSON lines or HDF5",
     "size vocab answers file ood_file sha256",
     make_file,
     true},
    {"group_word", "running product in S3, S4, S5 or Z_m", "size ood_size group", make_group_word},
    {"gsm8k",
     "grade-school word problems with equations as steps",
     "size file ood_file",
     make_gsm8k,
     true},
    {"linked_list", "the end of the list from every node", "size hops", make_linked_list},
    {"listops",
     "value of a nested MAX/MIN/FIRST/LAST expression",
     "size hops file ood_file",
     make_listops},
    {"maze", "the shortest path through a maze", "size min_path max_path file ood_file", make_maze},
    {"multiplication",
     "product of two numbers, partial products and running sums as truth",
     "size form file ood_file",
     make_multiplication},
    {"p_hop",
     "letter reached after p induction hops, at every position",
     "size ood_size hops form",
     make_p_hop},
    {"parity",
     "parity of the +1 in a vector of -1, 0 and +1, asked once",
     "size hops",
     make_parity},
    {"permutation_power",
     "f^r(i) after loop r for a permutation f",
     "size hops",
     make_permutation_power},
    {"pointer_chase",
     "node reached after r steps along one pointer per node",
     "size hops form",
     make_pointer_chase},
    {"prefix_parity",
     "parity of every prefix of a bit string",
     "size ood_size",
     make_prefix_parity},
    {"prosqa",
     "which of two concepts a person is, from is-a statements",
     "size hops form file ood_file",
     make_prosqa},
    {"reachability",
     "which nodes of a small DAG the marked root reaches",
     "size hops",
     make_reachability},
    {"scan", "the actions of a command in words", "form file", make_scan, true},
    {"sudoku",
     "blank cells of a 4x4, 6x6 or 9x9 Sudoku",
     "size min_clues max_clues file ood_file",
     make_sudoku},
    {"text", "the next byte of a text file", "size file ood_file", make_text, true},
    {"two_hop",
     "tail of the tail of an entity, from facts learned by heart",
     "size relations",
     make_two_hop},
}};

/// Visits the options and throws for one that is set without being read.
struct RefuseUnread {
  const TaskEntry& entry;

  template <class T, class... Rest>
  void operator()(std::string_view name, const T& value, const Rest&...) {
    if (value == T{}) {
      return;
    }
    std::istringstream read{std::string(entry.reads)};
    for (std::string option; read >> option;) {
      if (option == name) {
        return;
      }
    }
    fail("task ",
         entry.name,
         " does not read '",
         name,
         "' (set to ",
         value,
         "); it reads: ",
         entry.reads);
  }
};

}  // namespace

std::span<const TaskEntry> task_table() {
  return kTasks;
}

std::shared_ptr<const Task> make_task(const std::string& name, const TaskOptions& options) {
  std::vector<std::string> names;
  for (const TaskEntry& entry : kTasks) {
    if (entry.name == name) {
      TaskOptions copy = options;
      RefuseUnread refuse{entry};
      copy.fields(refuse);
      if (entry.needs_file && options.file.empty()) {
        fail("task ", name, " reads its examples from a file: set file=PATH (data/README.md)");
      }
      return entry.make(options);
    }
    names.emplace_back(entry.name);
  }
  fail("no task '", name, "'", did_you_mean(name, names), " (tasks are listed by `subvocal list`)");
}

}  // namespace sv

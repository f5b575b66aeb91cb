// TaskOptions: every option of every task, listed once. 0 or empty means "the task's default"; an
// option that a task does not read is refused when set.
#pragma once
#include <initializer_list>
#include <string>
#include <string_view>

#include "core/fields.h"

namespace sv {

struct TaskOptions {
  int size = 0;
  int ood_size = 0;
  int hops = 0;
  int modulus = 0;
  int min_clues = 0;
  int max_clues = 0;
  int min_path = 0;
  int max_path = 0;
  int relations = 0;
  int augment = 0;
  int vocab = 0;
  int answers = 0;
  std::string group;
  std::string form;
  std::string file;
  std::string ood_file;
  std::string sha256;

  /// The one list of names: parsing, --help, printing and hashing follow from it (core/fields.h).
  template <class V>
  void fields(V& v) {
    v("size",
      size,
      "size of a problem: side, nodes, positions or digits (0: the task's default)",
      range(0, 4096));
    v("ood_size",
      ood_size,
      "size of out-of-distribution problems; = size: no such split (0: twice the size)",
      range(0, 2048));
    v("hops",
      hops,
      "hops, steps, rounds of carry, nesting depth or entries in training (0: default)",
      range(0, 256));
    v("modulus", modulus, "modulus of the arithmetic (0: default)", range(0, 64));
    v("min_clues", min_clues, "fewest clues of a Sudoku (0: default)", range(0, 81));
    v("max_clues", max_clues, "most clues of a Sudoku (0: default)", range(0, 81));
    v("min_path", min_path, "fewest moves through a generated maze (0: default)", range(0, 1024));
    v("max_path", max_path, "most moves through a generated maze (0: default)", range(0, 1024));
    v("relations", relations, "relations between entities (0: default)", range(0, 32));
    v("augment",
      augment,
      "variants of each puzzle, itself included, by symmetry and colour (0: default)",
      range(0, 1000));
    v("vocab",
      vocab,
      "input symbols of a task from a file (0: as many as it uses)",
      range(0, 65536));
    v("answers",
      answers,
      "answer symbols of a task from a file (0: as many as it uses)",
      range(0, 65536));
    v("group", group, "group of a word problem: S3, S4, S5 or Z2 to Z64 (empty: S3)");
    v("form", form, "variant of the task (empty: its first form)");
    v("file",
      file,
      "train and test instances come from these real files, separated by commas (empty: "
      "generated)");
    v("ood_file",
      ood_file,
      "ood instances come from these real files, separated by commas (empty: generated)");
    v("sha256",
      sha256,
      "SHA-256 of HDF5 files that you trust, separated by commas (empty: as their manifest says)");
  }
};

/// `value`, or `otherwise` where it is 0; throws with the option's name unless the result is in
/// [low, high].
int option(int value, int otherwise, int low, int high, std::string_view name);

/// Index of `form` among `forms`; empty is the first; an unknown form throws and names the nearest.
int choose_form(const std::string& form, std::initializer_list<std::string> forms);

}  // namespace sv

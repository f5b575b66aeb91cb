// Labels of a linear probe: named truths per (example, position), their controls, and families of
// truths that are defined on the same rows and so share one Gram matrix.
#pragma once
#include <array>
#include <string>
#include <vector>

#include "data/dataset.h"

namespace sv {

/// What a probe is fitted to: the truth, or one of its controls.
enum class LabelKind : uint8_t {
  truth,
  shuffled,  // the truth, permuted among examples within (position, step): keeps what a position
             // alone tells
  control,   // Hewitt & Liang 2019: a fixed random class per input type (position, token)
};
inline constexpr int kLabelKinds = 3;

/// One truth at one step, with its controls.
struct LabelSet {
  std::string truth;  // reported name: the group where there is one
  std::string member;
  std::string help;
  int step = 0;  // from 0
  int classes = 2;
  std::array<std::vector<int16_t>, kLabelKinds> label;  // each (E, T); -1: not defined
  std::vector<int64_t> train_count;                     // (classes) of the truth

  /// One-hot columns; a binary truth needs one (the other is one minus it).
  int columns() const { return classes == 2 ? 1 : classes; }
};

/// Truths of equal mask.
struct LabelFamily {
  std::vector<uint8_t> defined;  // (E, T)
  std::vector<LabelSet> sets;
  int64_t train_rows = 0;
  int64_t test_rows = 0;
};

struct LabelRequest {
  std::vector<std::string> truths;  // names or groups of the task's truths, or "answer"; empty: all
  std::vector<int> steps;           // from 0; empty: all
  std::vector<int> positions;       // empty: all
  int64_t train_items = 0;          // examples [0, train_items)
  int64_t test_items = 0;           // the next so many
  uint64_t key = 0;
};

/// Families in order of first appearance; truths that are defined nowhere in either split are left
/// out. A name that does not exist throws and names the nearest.
std::vector<LabelFamily> make_labels(const Dataset& data, const LabelRequest& request);

}  // namespace sv

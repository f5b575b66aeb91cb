// ProsQA items: is-a statements about people and fictional concepts, and a question with two
// options. Read from the published JSON files or generated in the same words.
#pragma once
#include <array>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "core/rng.h"

namespace sv {

inline constexpr int kProsqaNames = 17;
inline constexpr int kProsqaSymbols =
    55;  // 17 names, then 38 concepts, each group in alphabetical order

std::string_view prosqa_symbol(int id);

struct ProsqaItem {
  std::vector<std::array<int, 2>> edges;  // "every head is a tail", in the order of the statements
  int person = 0;                         // asked about
  std::array<int, 2> options{};           // "is person a options[0] or options[1]?"
  int answer = 0;                         // 0 or 1: the option the person reaches
  std::vector<std::array<int, 2>> steps;  // a shortest way there, statement by statement
  std::string where;                      // "file: item n", for errors
};

/// Shortest number of statements from a symbol to each of the 55; -1 where there is no way.
std::vector<int> prosqa_distances(const ProsqaItem& item, int from);

/// Equal for items that differ only in the order of statements or options.
std::string prosqa_canonical(const ProsqaItem& item);

/// Chance that "the option with the lower in-degree" is right: 1, 0, or 1/2 on a tie.
double prosqa_in_degree_shortcut(const ProsqaItem& item);

/// All items of the files, each checked: statements equal `edges`, the target is reached from the
/// root in as many statements as there are steps, the other option is not reached.
std::vector<ProsqaItem> read_prosqa(const std::string& paths);

/// A random item whose answer is min_steps to max_steps statements away, or nothing if this draw
/// has none. `deep`: later nodes prefer deeper parents even more, for long ways.
std::optional<ProsqaItem> draw_prosqa(RngCursor& rng, int min_steps, int max_steps, bool deep);

}  // namespace sv

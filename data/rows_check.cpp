// What a row must keep to, whatever format it came in.
#include <algorithm>

#include "core/check.h"
#include "core/nearest.h"
#include "data/lines.h"
#include "data/rows.h"

namespace sv {
namespace {

/// Everything an array must keep to; `low` and `high` bound its values, `behind` is what stands
/// behind the length.
struct ArrayRule {
  int32_t low, high, behind;
};

void check_array(const std::vector<int32_t>& values,
                 const FileRow& row,
                 const std::string& what,
                 const ArrayRule& rule) {
  const size_t n = row.tokens.size();
  if (values.size() != n) {
    fail(row.where, ": ", what, " has ", values.size(), " entries, 'tokens' has ", n);
  }
  for (size_t t = 0; t < n; ++t) {
    if (values[t] < rule.low || values[t] > rule.high) {
      fail(row.where,
           ": ",
           what,
           "[",
           t,
           "] is ",
           values[t],
           ", expected ",
           rule.low,
           " to ",
           rule.high);
    }
    if (static_cast<int>(t) >= row.length && values[t] != rule.behind) {
      fail(row.where,
           ": ",
           what,
           "[",
           t,
           "] is ",
           values[t],
           ", but lies behind the length ",
           row.length,
           ", where ",
           rule.behind,
           " is expected");
    }
  }
}

void check_truths(const FileRow& row, const FileRow& first) {
  std::vector<std::string> names;
  for (const auto& [name, steps] : first.truths) {
    names.push_back(name);
    if (!row.truths.contains(name)) {
      fail(row.where, ": truth '", name, "' is missing; ", first.where, " has it");
    }
  }
  for (const auto& [name, steps] : row.truths) {
    const bool plain =
        !name.empty() && name.size() <= 64 &&
        name.find_first_not_of("abcdefghijklmnopqrstuvwxyz0123456789_") == std::string::npos;
    if (!plain) {
      fail(row.where, ": a truth is named ", excerpt(name), ", expected small letters, digits, _");
    }
    const auto same = first.truths.find(name);
    if (same == first.truths.end()) {
      fail(
          row.where, ": truth '", name, "' is not one of ", first.where, did_you_mean(name, names));
    }
    if (steps.empty() || steps.size() > kMaxRowSteps || steps.size() != same->second.size()) {
      fail(row.where,
           ": truth '",
           name,
           "' has ",
           steps.size(),
           " steps, that of ",
           first.where,
           " has ",
           same->second.size(),
           " (at most ",
           kMaxRowSteps,
           ")");
    }
    for (const std::vector<int32_t>& step : steps) {
      check_array(step, row, "truth '" + name + "'", {-1, kMaxSymbols - 1, -1});
    }
  }
}

void check_written(const FileRow& row) {
  size_t length = row.question.size() + row.answer.size() + 3;
  const auto check = [&](const std::vector<int32_t>& symbols, const char* what) {
    if (symbols.empty()) {
      fail(row.where, ": ", what, " is empty");
    }
    for (const int32_t symbol : symbols) {
      if (symbol < 0 || symbol >= kMaxSymbols - 4) {
        fail(row.where, ": ", what, " holds ", symbol, ", expected 0 to ", kMaxSymbols - 5);
      }
    }
  };
  check(row.question, "'question'");
  check(row.answer, "'answer'");
  for (const std::vector<int32_t>& step : row.steps) {
    check(step, "an entry of 'steps'");
    length += step.size();
  }
  if (length > kMaxRowPositions) {
    fail(row.where, ": ", length, " positions, at most ", kMaxRowPositions, " are read");
  }
}

}  // namespace

void detail::check_row(const FileRow& row, const FileRow& first) {
  if (row.written() != first.written()) {
    fail(row.where,
         ": question and answer stand either in every row or in none (",
         first.where,
         ")");
  }
  if (row.written()) {
    return check_written(row);
  }
  const int n = static_cast<int>(row.tokens.size());
  if (n < 1 || n > kMaxRowPositions || row.length < 1 || row.length > n) {
    fail(row.where,
         ": ",
         n,
         " tokens and a length of ",
         row.length,
         "; 1 to ",
         kMaxRowPositions,
         " tokens, no shorter than the length, are read");
  }
  check_array(row.tokens, row, "'tokens'", {0, kMaxSymbols - 1, 0});
  if (row.targets.size() != first.targets.size() || row.targets.size() > kMaxRowSteps) {
    fail(row.where,
         ": 'targets' has ",
         row.targets.size(),
         " steps, that of ",
         first.where,
         " has ",
         first.targets.size(),
         " (at most ",
         kMaxRowSteps,
         ")");
  }
  bool asked = false;
  for (const std::vector<int32_t>& step : row.targets) {
    check_array(step, row, "'targets'", {-1, kMaxSymbols - 1, -1});
    asked = asked || std::ranges::any_of(step, [](int32_t v) { return v >= 0; });
  }
  if (!asked) {
    fail(row.where, ": 'targets' (and 'mask') ask nothing");
  }
  if (row.difficulty < 0) {
    fail(row.where, ": 'difficulty' is ", row.difficulty, ", expected 0 or more");
  }
  if (!row.position_difficulty.empty()) {
    check_array(row.position_difficulty, row, "'position_difficulty'", {-1, 1'000'000, -1});
  }
  if (row.roles.empty() != first.roles.empty()) {
    fail(row.where, ": 'roles' stand either in every row or in none (", first.where, ")");
  }
  if (!row.roles.empty()) {
    check_array(row.roles, row, "'roles'", {-1, kMaxRowPositions, -1});
  }
  check_truths(row, first);
}

}  // namespace sv

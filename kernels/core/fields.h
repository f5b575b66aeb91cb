// The field visitor: a settings struct lists its fields once, and parsing, validation, help,
// printing, TOML and the digest all follow from that one listing.
//
//   struct TrainSettings {
//     int steps = 1000;
//     double lr = 3e-3;
//     std::string law = "constant";
//     ModelSettings model;
//     template <class V>
//     void fields(V& v) {
//       v("steps", steps, "optimiser steps", range(1, 1e9), unit("steps"));
//       v("lr", lr, "peak learning rate", range(0, 1));
//       v("law", law, "learning-rate law", one_of({"constant", "linear"}));
//       v.group("model", model);  // its keys become model.width, ...
//     }
//     void check(Problems& p) const {}  // optional: what no single field can know, p.add("lr",
//     "...")
//   };
//   auto fields = fields_of(settings);              // pointers into `settings`, which must outlive
//   them if (auto problem = assign_text(fields[0], "2000")) { ... } std::cout << to_toml(fields) <<
//   digest_of(fields) << help_table(fields);
#pragma once
#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <variant>
#include <vector>

namespace sv {

/// Longest list a field accepts, also after `1..n` has been written out.
inline constexpr size_t kMaxListItems = 10'000;
/// Longest text value, in bytes.
inline constexpr size_t kMaxTextBytes = 4096;

using FieldPointer = std::variant<bool*,
                                  int*,
                                  int64_t*,
                                  uint64_t*,
                                  double*,
                                  std::string*,
                                  std::vector<int>*,
                                  std::vector<double>*,
                                  std::vector<std::string>*>;

struct Range {
  double low = 0;
  double high = 0;
};
struct Unit {
  std::string name;
};
struct Choices {
  std::vector<std::string> names;
};
struct Items {
  size_t low = 0;
  size_t high = kMaxListItems;
};
struct OutsideDigest {};

/// Smallest and largest value, both allowed; for a list: of each entry.
inline Range range(double low, double high) {
  return {low, high};
}
/// What the number counts or measures: "steps", "seconds".
inline Unit unit(std::string name) {
  return {std::move(name)};
}
/// The only texts allowed; for a list: of each entry.
inline Choices one_of(std::vector<std::string> names) {
  return {std::move(names)};
}
/// Fewest and most entries of a list.
inline Items items(size_t low, size_t high) {
  return {low, high};
}
/// For settings that cannot change a result (threads, folders): not part of the digest.
inline OutsideDigest outside_digest() {
  return {};
}

/// One listed field: where its value lives and what is known about it.
struct Field {
  std::string key;  // dotted: "model.width"
  FieldPointer value;
  std::string help;
  std::string unit;
  std::optional<Range> range;
  std::vector<std::string> choices;
  Items items;
  bool in_digest = true;
};

/// Something wrong with a value, by key.
struct Problem {
  std::string key;
  std::string message;
};

/// Collects problems; keys given to add() are relative to the group being checked.
class Problems {
 public:
  void add(std::string_view key, std::string message) {
    list.push_back({prefix + std::string(key), std::move(message)});
  }
  std::string prefix;
  std::vector<Problem> list;
};

/// The visitor behind fields_of().
class FieldLister {
 public:
  template <class T, class... Extra>
  void operator()(std::string_view name, T& value, std::string_view help, Extra&&... extra) {
    Field field{
        prefix_ + std::string(name), FieldPointer(&value), std::string(help), {}, {}, {}, {}};
    (apply(field, std::forward<Extra>(extra)), ...);
    list_.push_back(std::move(field));
  }
  template <class S>
  void group(std::string_view name, S& settings) {
    const size_t outer = prefix_.size();
    prefix_.append(name).append(".");
    settings.fields(*this);
    prefix_.resize(outer);
  }
  std::vector<Field> take() { return std::move(list_); }

 private:
  static void apply(Field& field, Range r) { field.range = r; }
  static void apply(Field& field, Unit u) { field.unit = std::move(u.name); }
  static void apply(Field& field, Choices c) { field.choices = std::move(c.names); }
  static void apply(Field& field, Items i) { field.items = i; }
  static void apply(Field& field, OutsideDigest) { field.in_digest = false; }

  std::string prefix_;
  std::vector<Field> list_;
};

/// The visitor behind problems_of(): runs the optional check() of a struct and of its groups.
class GroupChecker {
 public:
  explicit GroupChecker(Problems& problems) : problems_(problems) {}
  template <class... Args>
  void operator()(Args&&...) {}
  template <class S>
  void group(std::string_view name, S& settings) {
    const size_t outer = problems_.prefix.size();
    problems_.prefix.append(name).append(".");
    check(settings);
    problems_.prefix.resize(outer);
  }
  template <class S>
  void check(S& settings) {
    if constexpr (requires { std::as_const(settings).check(problems_); }) {
      std::as_const(settings).check(problems_);
    }
    settings.fields(*this);
  }

 private:
  Problems& problems_;
};

/// All fields of `settings`, groups included, in the order they are listed.
template <class S>
std::vector<Field> fields_of(S& settings) {
  static_assert(!std::is_const_v<S>, "fields can be written: list those of a copy");
  FieldLister lister;
  settings.fields(lister);
  return lister.take();
}

/// Sets the field from a text as on a command line: `12`, `1e-3`, `true`, `sudoku`, `1,2,4..8`,
/// `[]`. Returns what is wrong, and leaves the value alone, if the text does not fit type, range or
/// choices.
std::optional<std::string> assign_text(const Field& field, std::string_view text);

/// A typed value as a file gives it.
using Scalar = std::variant<bool, int64_t, double, std::string>;
/// Sets a field that is no list; a whole number is also accepted by a float field.
std::optional<std::string> assign_scalar(const Field& field, const Scalar& value);
/// Sets a list field; a list of ints also accepts the text form "1..32" through assign_scalar.
std::optional<std::string> assign_list(const Field& field, const std::vector<Scalar>& values);

/// What is wrong with the present value, if anything (range, choices, number of entries, finite).
std::optional<std::string> check_field(const Field& field);

std::string value_text(const Field& field);  ///< the value as TOML
std::string type_text(const Field& field);   ///< "int", "float", "list of text", ...
std::string range_text(const Field& field);  ///< "1 .. 1e+09", "constant | linear", or empty
bool is_list(const Field& field);

std::vector<std::string> keys_of(std::span<const Field> fields);
/// The field named `key`, or nullptr.
const Field* find_field(std::span<const Field> fields, std::string_view key);

/// A TOML document that reads back to the same values.
std::string to_toml(std::span<const Field> fields);
/// `key = value` lines sorted by key, without the fields outside the digest: independent of listing
/// order.
std::string canonical_text(std::span<const Field> fields);
/// SHA-256 of canonical_text(): two settings with the same digest ask for the same result.
std::string digest_of(std::span<const Field> fields);
/// One line per key: key, type, unit, range, default (the present value) and meaning.
std::string help_table(std::span<const Field> fields);

/// Everything wrong with the values of a settings struct: each field, then the struct's own
/// check().
template <class S>
std::vector<Problem> problems_of(const S& settings) {
  S copy = settings;
  Problems problems;
  for (const Field& field : fields_of(copy)) {
    if (auto problem = check_field(field)) {
      problems.add(field.key, *problem);
    }
  }
  GroupChecker(problems).check(copy);
  return std::move(problems.list);
}

}  // namespace sv

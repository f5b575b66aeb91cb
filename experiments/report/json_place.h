// A place in a JSON document, and checks that name file and path when it does not hold what it
// must.
#pragma once
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <vector>

#include "core/check.h"

namespace sv::report {

inline constexpr size_t kAnyLength =
    static_cast<size_t>(-1);  // a length that the contract leaves open

/// One place in the document: the value and how a message names it.
struct Place {
  const nlohmann::json* value;
  const std::string* file;
  std::string path;

  [[noreturn]] void bad(const std::string& why) const {
    fail(*file, ": ", path.empty() ? "the document" : path, " ", why);
  }
  [[noreturn]] void wrong_type(const std::string& wanted) const {
    bad("must be " + wanted + ", it is " + value->type_name());
  }
  Place item(size_t i) const { return {&(*value)[i], file, path + "[" + std::to_string(i) + "]"}; }
  Place key(const std::string& name) const {
    return {&value->at(name), file, path.empty() ? name : path + "." + name};
  }
  bool has(const std::string& name) const {
    const auto at = value->find(name);
    return at != value->end() && !at->is_null();
  }
};

inline void expect_object(const Place& at) {
  if (!at.value->is_object()) {
    at.wrong_type("an object");
  }
}

inline size_t expect_array(const Place& at, size_t length, const std::string& of) {
  if (!at.value->is_array()) {
    at.wrong_type("an array");
  }
  if (length != kAnyLength && at.value->size() != length) {
    at.bad("has " + std::to_string(at.value->size()) + " entries, " + of + " has " +
           std::to_string(length));
  }
  return at.value->size();
}

inline Place required(const Place& at, const std::string& name) {
  expect_object(at);
  if (!at.has(name)) {
    at.bad("lacks '" + name + "'");
  }
  return at.key(name);
}

inline std::optional<Place> optional(const Place& at, const std::string& name) {
  expect_object(at);
  return at.has(name) ? std::optional<Place>(at.key(name)) : std::nullopt;
}

inline void expect_text(const Place& at) {
  if (!at.value->is_string()) {
    at.wrong_type("a string");
  }
}

inline void expect_number(const Place& at) {
  if (!at.value->is_number()) {
    at.wrong_type("a number");
  }
}

/// Text or number: what a label or a table cell may be.
inline void expect_label(const Place& at) {
  if (!at.value->is_string() && !at.value->is_number()) {
    at.wrong_type("a string or a number");
  }
}

struct Dim {
  size_t length;
  std::string of;  // whose length it is, for the message
};

/// Nested arrays of the given lengths; `leaf` checks what is inside. A null leaf is a missing
/// value.
template <class Leaf>
inline void expect_grid(const Place& at,
                        const std::vector<Dim>& dims,
                        const Leaf& leaf,
                        size_t depth = 0) {
  if (depth == dims.size()) {
    if (!at.value->is_null()) {
      leaf(at);
    }
    return;
  }
  const size_t n = expect_array(at, dims[depth].length, dims[depth].of);
  for (size_t i = 0; i < n; ++i) {
    expect_grid(at.item(i), dims, leaf, depth + 1);
  }
}

inline void expect_numbers(const Place& parent,
                           const std::string& name,
                           const std::vector<Dim>& dims) {
  if (const auto at = optional(parent, name)) {
    expect_grid(*at, dims, expect_number);
  }
}

inline void optional_text(const Place& parent, const std::string& name) {
  if (const auto at = optional(parent, name)) {
    expect_text(*at);
  }
}

inline void optional_number(const Place& parent, const std::string& name) {
  if (const auto at = optional(parent, name)) {
    expect_number(*at);
  }
}

/// A part that is a list: calls `each` on its entries.
template <class Each>
void for_each(const Place& parent, const std::string& name, const Each& each) {
  if (const auto at = optional(parent, name)) {
    const size_t n = expect_array(*at, kAnyLength, "");
    for (size_t i = 0; i < n; ++i) {
      expect_object(at->item(i));
      each(at->item(i));
    }
  }
}

}  // namespace sv::report

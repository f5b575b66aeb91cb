#include "core/fields.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <limits>

#include "core/check.h"
#include "core/digest.h"
#include "core/nearest.h"
#include "core/utf8.h"

namespace sv {
namespace {

using Wrong = std::optional<std::string>;

template <class T>
inline constexpr bool is_vector = false;
template <class T>
inline constexpr bool is_vector<std::vector<T>> = true;

// --- numbers as text ---------------------------------------------------------------------------

/// Shortest text that reads back to the same double, always recognisable as a float.
std::string float_text(double x) {
  char buffer[64];
  const auto end = std::to_chars(buffer, buffer + sizeof buffer, x).ptr;
  std::string text(buffer, end);
  if (std::isfinite(x) && text.find_first_of(".e") == std::string::npos) {
    text += ".0";
  }
  return text;
}

std::string bound_text(double x) {
  if (std::fabs(x) < 1e7 && x == std::floor(x)) {
    return std::to_string(static_cast<int64_t>(x));
  }
  char buffer[64];
  return {buffer, std::to_chars(buffer, buffer + sizeof buffer, x).ptr};
}

std::string quoted(std::string_view text) {
  std::string out = "\"";
  for (const char c : text) {
    if (c == '"' || c == '\\') {
      out += '\\';
    }
    out += c;
  }
  return out + '"';
}

/// What stands in a message: never longer than a line.
std::string shown(std::string_view text) {
  return text.size() <= 60 ? "'" + std::string(text) + "'"
                           : "'" + std::string(text.substr(0, 57)) + "...'";
}

std::string_view trimmed(std::string_view s) {
  while (!s.empty() && (s.front() == ' ' || s.front() == '\t')) {
    s.remove_prefix(1);
  }
  while (!s.empty() && (s.back() == ' ' || s.back() == '\t')) {
    s.remove_suffix(1);
  }
  return s;
}

/// Digits may be grouped by single underscores, as in TOML: 10_000.
std::optional<std::string> without_underscores(std::string_view text) {
  std::string out;
  for (size_t i = 0; i < text.size(); ++i) {
    const auto digit = [&](size_t k) {
      return k < text.size() && text[k] >= '0' && text[k] <= '9';
    };
    if (text[i] != '_') {
      out += text[i];
    } else if (i == 0 || !digit(i - 1) || !digit(i + 1)) {
      return std::nullopt;
    }
  }
  return out;
}

template <class T>
std::optional<T> parse_number(std::string_view text) {
  const auto plain = without_underscores(text);
  if (!plain) {
    return std::nullopt;
  }
  const char* first = plain->data() + (plain->size() > 1 && plain->front() == '+' ? 1 : 0);
  const char* last = plain->data() + plain->size();
  T value{};
  const auto result = std::from_chars(first, last, value);
  if (result.ec != std::errc() || result.ptr != last || first == last) {
    return std::nullopt;
  }
  return value;
}

// --- validation --------------------------------------------------------------------------------

Wrong check_number(const Field& field, long double x) {
  if (!std::isfinite(x)) {
    return "is not a finite number";
  }
  if (field.range && (x < static_cast<long double>(field.range->low) ||
                      x > static_cast<long double>(field.range->high))) {
    return detail::concat(
        "is ", bound_text(static_cast<double>(x)), ", outside ", range_text(field));
  }
  return std::nullopt;
}

Wrong check_one(const Field& field, const std::string& text) {
  if (text.size() > kMaxTextBytes) {
    return detail::concat("has ", text.size(), " bytes, at most ", kMaxTextBytes, " are allowed");
  }
  for (size_t i = 0, n = 0; i < text.size(); i += n) {
    n = utf8_length(std::string_view(text).substr(i));
    if (n == 0) {
      return "is not valid UTF-8";
    }
    if (static_cast<unsigned char>(text[i]) < 0x20 || text[i] == 0x7f) {
      return "contains a control character";
    }
  }
  if (!field.choices.empty() && std::ranges::find(field.choices, text) == field.choices.end()) {
    return detail::concat("is ",
                          shown(text),
                          ", which is none of ",
                          range_text(field),
                          did_you_mean(text, field.choices));
  }
  return std::nullopt;
}

template <class T>
Wrong check_one(const Field& field, const T& x) {
  if constexpr (std::is_same_v<T, bool>) {
    return std::nullopt;
  } else {
    if constexpr (std::is_same_v<T, uint64_t>) {
      if (x > static_cast<uint64_t>(std::numeric_limits<int64_t>::max())) {
        return "is above 9223372036854775807, the largest whole number of a TOML file";
      }
    }
    return check_number(field, static_cast<long double>(x));
  }
}

template <class T>
Wrong check_one(const Field& field, const std::vector<T>& list) {
  if (list.size() < field.items.low || list.size() > field.items.high ||
      list.size() > kMaxListItems) {
    return detail::concat("has ",
                          list.size(),
                          " entries, ",
                          field.items.low,
                          " to ",
                          std::min(field.items.high, kMaxListItems),
                          " are allowed");
  }
  for (size_t i = 0; i < list.size(); ++i) {
    if (auto wrong = check_one(field, list[i])) {
      return detail::concat("entry ", i + 1, " ", *wrong);
    }
  }
  return std::nullopt;
}

// --- typed values ------------------------------------------------------------------------------

std::string scalar_text(const Scalar& value) {
  if (const auto* b = std::get_if<bool>(&value)) {
    return *b ? "the bool true" : "the bool false";
  }
  if (const auto* i = std::get_if<int64_t>(&value)) {
    return "the int " + std::to_string(*i);
  }
  if (const auto* d = std::get_if<double>(&value)) {
    return "the float " + float_text(*d);
  }
  return "the text " + shown(std::get<std::string>(value));
}

template <class T>
std::string type_name() {
  if constexpr (is_vector<T>) {
    return "list of " + type_name<typename T::value_type>();
  } else if constexpr (std::is_same_v<T, bool>) {
    return "bool";
  } else if constexpr (std::is_same_v<T, double>) {
    return "float";
  } else if constexpr (std::is_same_v<T, std::string>) {
    return "text";
  } else {
    return "int";
  }
}

/// The value as a T, or why not.
template <class T>
Wrong convert(const Scalar& from, T& to) {
  if constexpr (std::is_same_v<T, double>) {
    if (const auto* i = std::get_if<int64_t>(&from)) {
      to = static_cast<double>(*i);
      return std::nullopt;
    }
  }
  if constexpr (std::is_integral_v<T> && !std::is_same_v<T, bool>) {
    if (const auto* i = std::get_if<int64_t>(&from)) {
      if (!std::in_range<T>(*i)) {
        return detail::concat("is ",
                              *i,
                              ", outside ",
                              std::numeric_limits<T>::min(),
                              " .. ",
                              std::numeric_limits<T>::max());
      }
      to = static_cast<T>(*i);
      return std::nullopt;
    }
  } else if (const T* same = std::get_if<T>(&from)) {
    to = *same;
    return std::nullopt;
  }
  return detail::concat("expects ", type_name<T>(), ", got ", scalar_text(from));
}

/// Checks a candidate and only then writes it.
template <class T>
Wrong commit(const Field& field, T* target, T candidate) {
  if (auto wrong = check_one(field, candidate)) {
    return wrong;
  }
  *target = std::move(candidate);
  return std::nullopt;
}

// --- values from text --------------------------------------------------------------------------

template <class T>
Wrong parse_one(std::string_view text, T& to) {
  Wrong wrong = detail::concat("expects ", type_name<T>(), ", got ", shown(text));
  if constexpr (std::is_same_v<T, bool>) {
    if (text != "true" && text != "false") {
      return *wrong + " (write true or false)";
    }
    to = text == "true";
  } else if constexpr (std::is_same_v<T, std::string>) {
    const bool in_quotes = text.size() >= 2 && text.front() == '"' && text.back() == '"';
    to = in_quotes ? text.substr(1, text.size() - 2) : text;
  } else {
    const auto value = parse_number<T>(text);
    if (!value) {
      return wrong;
    }
    to = *value;
  }
  return std::nullopt;
}

/// `a..b` written out into `list`, both ends included, ascending.
Wrong parse_span(std::string_view text, size_t dots, std::vector<int>& list) {
  const auto low = parse_number<int>(trimmed(text.substr(0, dots)));
  const auto high = parse_number<int>(trimmed(text.substr(dots + 2)));
  if (!low || !high || *low > *high) {
    return detail::concat("expects a range like 1..32, got ", shown(text));
  }
  if (static_cast<int64_t>(*high) - *low >= static_cast<int64_t>(kMaxListItems)) {
    return detail::concat("range ", shown(text), " has more than ", kMaxListItems, " entries");
  }
  for (int x = *low;; ++x) {
    list.push_back(x);
    if (x == *high) {
      return std::nullopt;
    }
  }
}

template <class T>
Wrong parse_list(std::string_view text, std::vector<T>& list) {
  if (text.size() >= 2 && text.front() == '[' && text.back() == ']') {
    text = trimmed(text.substr(1, text.size() - 2));
    if (text.empty()) {
      return std::nullopt;
    }
  }
  for (size_t start = 0; start <= text.size();) {
    const size_t comma = std::min(text.find(',', start), text.size());
    const std::string_view part = trimmed(text.substr(start, comma - start));
    start = comma + 1;
    if (part.empty()) {
      return detail::concat("has an empty entry (write [] for an empty list)");
    }
    if constexpr (std::is_same_v<T, int>) {
      if (const size_t dots = part.find(".."); dots != std::string_view::npos) {
        if (auto wrong = parse_span(part, dots, list)) {
          return wrong;
        }
        continue;
      }
    }
    T entry{};
    if (auto wrong = parse_one(part, entry)) {
      return wrong;
    }
    list.push_back(std::move(entry));
    if (list.size() > kMaxListItems) {
      return detail::concat("has more than ", kMaxListItems, " entries");
    }
  }
  return std::nullopt;
}

// --- values as text ----------------------------------------------------------------------------

std::string toml_value(bool x) {
  return x ? "true" : "false";
}
std::string toml_value(double x) {
  return float_text(x);
}
std::string toml_value(const std::string& x) {
  return quoted(x);
}
template <class T>
std::string toml_value(const T& x) {
  return std::to_string(x);
}
template <class T>
std::string toml_value(const std::vector<T>& list) {
  std::string out = "[";
  for (size_t i = 0; i < list.size(); ++i) {
    out += (i ? ", " : "") + toml_value(list[i]);
  }
  return out + "]";
}

}  // namespace

std::optional<std::string> assign_text(const Field& field, std::string_view text) {
  return std::visit(
      [&]<class T>(T* target) -> Wrong {
        T candidate{};
        Wrong wrong;
        if constexpr (is_vector<T>) {
          wrong = parse_list(trimmed(text), candidate);
        } else {
          wrong = parse_one(trimmed(text), candidate);
        }
        return wrong ? wrong : commit(field, target, std::move(candidate));
      },
      field.value);
}

std::optional<std::string> assign_scalar(const Field& field, const Scalar& value) {
  return std::visit(
      [&]<class T>(T* target) -> Wrong {
        if constexpr (is_vector<T>) {
          const auto* text = std::get_if<std::string>(&value);
          if (std::is_same_v<T, std::vector<int>> && text) {
            return assign_text(field, *text);
          }
          return detail::concat("expects ", type_name<T>(), ", got ", scalar_text(value));
        } else {
          T candidate{};
          auto wrong = convert(value, candidate);
          return wrong ? wrong : commit(field, target, std::move(candidate));
        }
      },
      field.value);
}

std::optional<std::string> assign_list(const Field& field, const std::vector<Scalar>& values) {
  return std::visit(
      [&]<class T>(T* target) -> Wrong {
        if constexpr (is_vector<T>) {
          T candidate;
          for (size_t i = 0; i < values.size() && i <= kMaxListItems; ++i) {
            typename T::value_type entry{};
            if (auto wrong = convert(values[i], entry)) {
              return detail::concat("entry ", i + 1, " ", *wrong);
            }
            candidate.push_back(std::move(entry));
          }
          return commit(field, target, std::move(candidate));
        } else {
          return detail::concat("expects ", type_name<T>(), ", got a list");
        }
      },
      field.value);
}

std::optional<std::string> check_field(const Field& field) {
  return std::visit([&](const auto* value) { return check_one(field, *value); }, field.value);
}

std::string value_text(const Field& field) {
  return std::visit([](const auto* value) { return toml_value(*value); }, field.value);
}

std::string type_text(const Field& field) {
  return std::visit([]<class T>(const T*) { return type_name<T>(); }, field.value);
}

bool is_list(const Field& field) {
  return std::visit([]<class T>(const T*) { return is_vector<T>; }, field.value);
}

std::string range_text(const Field& field) {
  if (field.range) {
    return bound_text(field.range->low) + " .. " + bound_text(field.range->high);
  }
  std::string out;
  for (const std::string& name : field.choices) {
    out += (out.empty() ? "" : " | ") + name;
  }
  return out;
}

}  // namespace sv

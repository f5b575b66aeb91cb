// A SAX handler builds the document, so that caps and duplicate keys are checked before anything
// grows.
#include "data/io/json.h"

#include <cmath>
#include <nlohmann/json.hpp>
#include <vector>

#include "core/check.h"

namespace sv {
namespace {

using nlohmann::json;

class CappedBuilder final : public json::json_sax_t {
 public:
  CappedBuilder(const std::string& source, const JsonLimits& limits)
      : source_(source), limits_(limits) {}
  json take() { return std::move(root_); }

  bool null() override { return add(nullptr); }
  bool boolean(bool value) override { return add(value); }
  bool number_integer(number_integer_t value) override { return add(value); }
  bool number_unsigned(number_unsigned_t value) override { return add(value); }
  bool number_float(number_float_t value, const string_t& text) override {
    if (!std::isfinite(value)) {
      fail(source_, ": the number ", text.substr(0, 40), " is out of range");
    }
    return add(value);
  }
  bool string(string_t& value) override {
    check_string(value);
    return add(std::move(value));
  }
  bool binary(binary_t&) override { fail(source_, ": binary values are not JSON"); }
  bool start_object(std::size_t) override { return open(json::object()); }
  bool start_array(std::size_t) override { return open(json::array()); }
  bool end_object() override { return close(); }
  bool end_array() override { return close(); }
  bool key(string_t& name) override {
    check_string(name);
    count();
    if (open_.back()->contains(name)) {
      fail(source_, ": the key '", name.substr(0, 80), "' occurs twice");
    }
    key_ = std::move(name);
    return true;
  }
  bool parse_error(std::size_t position,
                   const std::string&,
                   const json::exception& error) override {
    std::string text =
        error.what();  // "[json.exception.parse_error.101] parse error at line 1, column 2: ..."
    text = text.substr(0, 300);
    fail(source_, ": not valid JSON near byte ", position, ": ", text.substr(text.find("] ") + 2));
  }

 private:
  void check_string(const string_t& value) const {
    if (value.size() > limits_.string_bytes) {
      fail(source_, ": a string of ", value.size(), " bytes; the limit is ", limits_.string_bytes);
    }
  }
  void count() {
    if (++items_ > limits_.items) {
      fail(source_, ": more than ", limits_.items, " keys and values");
    }
  }
  json* place(json&& value) {
    count();
    if (open_.empty()) {
      root_ = std::move(value);
      return &root_;
    }
    json& parent = *open_.back();
    if (parent.is_array()) {
      parent.push_back(std::move(value));
      return &parent.back();
    }
    return &(parent[key_] = std::move(value));
  }
  bool add(json value) {
    place(std::move(value));
    return true;
  }
  bool open(json&& container) {
    if (static_cast<int>(open_.size()) >= limits_.depth) {
      fail(source_, ": nested deeper than ", limits_.depth, " levels");
    }
    open_.push_back(place(std::move(container)));
    return true;
  }
  bool close() {
    open_.pop_back();
    return true;
  }

  const std::string& source_;
  const JsonLimits& limits_;
  json root_;
  // Containers being filled. A parent is never changed while a child is open, so the pointers stay
  // valid.
  std::vector<json*> open_;
  std::string key_;
  size_t items_ = 0;
};

}  // namespace

json parse_json(std::string_view text, const std::string& source, const JsonLimits& limits) {
  if (text.size() > limits.bytes) {
    fail(source, ": ", text.size(), " bytes of JSON; the limit is ", limits.bytes);
  }
  if (text.find('\0') !=
      std::string_view::npos) {  // the parser would take it for the end of the text
    fail(source, ": a zero byte");
  }
  CappedBuilder builder(source, limits);
  json::sax_parse(text.begin(), text.end(), &builder);
  return builder.take();
}

json read_json(const std::string& path, const JsonLimits& limits, Files& files) {
  const auto bytes = read_file(path, static_cast<int64_t>(limits.bytes), files);
  return parse_json(as_text(bytes), path, limits);
}

namespace {

void refuse_non_finite(const json& value) {
  if (value.is_number_float() && !std::isfinite(value.get<double>())) {
    fail("JSON cannot carry ", value.get<double>(), "; write it as null or as a string");
  }
  if (value.is_structured()) {
    for (const json& item : value) {
      refuse_non_finite(item);
    }
  }
}

}  // namespace

std::string dump_json(const json& value, int indent) {
  refuse_non_finite(value);
  return value.dump(indent) + '\n';
}

const json& json_member(const json& object, const char* key, const std::string& source) {
  if (!object.is_object() || !object.contains(key)) {
    fail(source, ": the key '", key, "' is missing");
  }
  return object[key];
}

std::string json_string(const json& object, const char* key, const std::string& source) {
  const json& value = json_member(object, key, source);
  if (!value.is_string()) {
    fail(source, ": '", key, "' must be a string, it is ", value.type_name());
  }
  return value.get<std::string>();
}

int64_t json_int(const json& object, const char* key, const std::string& source) {
  const json& value = json_member(object, key, source);
  if (!value.is_number_integer() ||
      (value.is_number_unsigned() && value.get<uint64_t>() > static_cast<uint64_t>(INT64_MAX))) {
    fail(source, ": '", key, "' must be a 64-bit integer, it is ", value.dump().substr(0, 40));
  }
  return value.get<int64_t>();
}

double json_number(const json& object, const char* key, const std::string& source) {
  const json& value = json_member(object, key, source);
  if (!value.is_number()) {
    fail(source, ": '", key, "' must be a number, it is ", value.type_name());
  }
  return value.get<double>();
}

}  // namespace sv

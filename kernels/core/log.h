// The structured log: one JSON object per line and event, so that a run can be followed by a
// program.
//
//   Log log({.level = LogLevel::info});
//   log.info("train.checkpoint", {{"step", 200}, {"path", path}});
//   ->
//   {"time":"2026-01-31T12:00:00.000Z","level":"info","event":"train.checkpoint","step":200,"path":"..."}
#pragma once
#include <concepts>
#include <cstdint>
#include <initializer_list>
#include <memory>
#include <ostream>
#include <span>
#include <string>
#include <string_view>
#include <variant>

namespace sv {

/// A named value of an event. Text is only viewed: it must live until the call returns.
struct LogField {
  using Value = std::variant<bool, int64_t, uint64_t, double, std::string_view>;

  LogField(std::string_view name, bool x) : key(name), value(x) {}
  LogField(std::string_view name, std::floating_point auto x)
      : key(name), value(static_cast<double>(x)) {}
  LogField(std::string_view name, std::signed_integral auto x)
      : key(name), value(static_cast<int64_t>(x)) {}
  LogField(std::string_view name, std::unsigned_integral auto x)
      : key(name), value(static_cast<uint64_t>(x)) {}
  LogField(std::string_view name, const char* x) : key(name), value(std::string_view(x)) {}
  LogField(std::string_view name, std::string_view x) : key(name), value(x) {}
  LogField(std::string_view name, const std::string& x) : key(name), value(std::string_view(x)) {}

  std::string_view key;
  Value value;
};

/// `"key":value` pairs joined by commas, without braces. NaN and infinities become null, bytes that
/// are not UTF-8 become U+FFFD; doubles read back to the same bits.
std::string json_fields(std::span<const LogField> fields);

enum class LogLevel : uint8_t { debug, info, warning, error, off };

struct LogOptions {
  LogLevel level = LogLevel::info;  // --quiet is LogLevel::error
  std::string file = {};            // appended to; empty: standard error
  std::ostream* stream = nullptr;   // instead of both, for tests
};

/// Where events go. A value handed to whoever logs; there is no global log.
class Log {
 public:
  explicit Log(const LogOptions& options = {});
  ~Log();
  Log(Log&&) noexcept;
  Log& operator=(Log&&) noexcept;

  using Fields = std::initializer_list<LogField>;
  void event(LogLevel level, std::string_view name, Fields fields);
  void debug(std::string_view name, Fields fields = {}) { event(LogLevel::debug, name, fields); }
  void info(std::string_view name, Fields fields = {}) { event(LogLevel::info, name, fields); }
  void warning(std::string_view name, Fields fields = {}) {
    event(LogLevel::warning, name, fields);
  }
  void error(std::string_view name, Fields fields = {}) { event(LogLevel::error, name, fields); }

 private:
  struct Sink;  // keeps spdlog out of this header
  std::unique_ptr<Sink> sink_;
};

}  // namespace sv

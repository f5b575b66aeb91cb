// Checks that throw with values: every error a caller can cause is an sv::Error.
#pragma once
#include <sstream>
#include <stdexcept>
#include <string>

namespace sv {

/// What went wrong, mapped by `main` alone to the exit code of the program.
enum class Exit { ok = 0, failed = 1, input = 2, environment = 3, interrupted = 4 };

/// The project's only exception. `what()` names what and where; `exit` is the documented exit code.
class Error : public std::runtime_error {
 public:
  explicit Error(const std::string& message, Exit code = Exit::input)
      : std::runtime_error(message), exit(code) {}
  Exit exit;
};

namespace detail {
template <class... Args>
std::string concat(const Args&... args) {
  std::ostringstream out;
  static_cast<void>((out << ... << args));
  return out.str();
}
[[noreturn]] void fail_check(const char* expression,
                             const std::string& values,
                             const char* file,
                             int line);
}  // namespace detail

/// Throws an sv::Error built from the streamed arguments: `fail("no task '", name, "'")`.
template <class... Args>
[[noreturn]] void fail(const Args&... args) {
  throw Error(detail::concat(args...));
}

}  // namespace sv

/// Throws unless `condition` holds; the further arguments are streamed into the message.
#define SV_CHECK(condition, ...)                                                                   \
  do {                                                                                             \
    if (!(condition)) {                                                                            \
      ::sv::detail::fail_check(#condition, ::sv::detail::concat(__VA_ARGS__), __FILE__, __LINE__); \
    }                                                                                              \
  } while (false)

/// Throws unless a == b and prints both values.
#define SV_CHECK_EQ(a, b, ...)                                                                \
  do {                                                                                        \
    const auto& sv_a_ = (a);                                                                  \
    const auto& sv_b_ = (b);                                                                  \
    if (!(sv_a_ == sv_b_)) {                                                                  \
      ::sv::detail::fail_check(                                                               \
          #a " == " #b,                                                                       \
          ::sv::detail::concat(                                                               \
              #a " == " #b " fails: ", sv_a_, " vs ", sv_b_, " " __VA_OPT__(, ) __VA_ARGS__), \
          __FILE__,                                                                           \
          __LINE__);                                                                          \
    }                                                                                         \
  } while (false)

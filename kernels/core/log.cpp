#include "core/log.h"

#include <spdlog/logger.h>
#include <spdlog/pattern_formatter.h>
#include <spdlog/sinks/basic_file_sink.h>
#include <spdlog/sinks/ostream_sink.h>
#include <spdlog/sinks/stdout_sinks.h>

#include <charconv>
#include <cmath>

#include "core/check.h"
#include "core/utf8.h"

namespace sv {
namespace {

void put_text(std::string& out, std::string_view text) {
  out += '"';
  while (!text.empty()) {
    const size_t n = utf8_length(text);
    const auto c = static_cast<unsigned char>(text[0]);
    if (n == 0) {
      out += "\xef\xbf\xbd";  // U+FFFD, the replacement character
    } else if (c == '"' || c == '\\') {
      out.append({'\\', text[0]});
    } else if (c < 0x20 || c == 0x7f) {
      out += fmt::format("\\u{:04x}", c);
    } else {
      out.append(text.substr(0, n));
    }
    text.remove_prefix(n == 0 ? 1 : n);
  }
  out += '"';
}

void put_number(std::string& out, auto x) {
  char buffer[64];
  out.append(buffer, std::to_chars(buffer, buffer + sizeof buffer, x).ptr);
}

void put(std::string& out, bool x) {
  out += x ? "true" : "false";
}
void put(std::string& out, int64_t x) {
  put_number(out, x);
}
void put(std::string& out, uint64_t x) {
  put_number(out, x);
}
void put(std::string& out, std::string_view x) {
  put_text(out, x);
}
void put(std::string& out, double x) {
  if (std::isfinite(x)) {
    put_number(out, x);
  } else {
    out += "null";
  }
}

spdlog::level::level_enum level_of(LogLevel level) {
  switch (level) {
    case LogLevel::debug:
      return spdlog::level::debug;
    case LogLevel::info:
      return spdlog::level::info;
    case LogLevel::warning:
      return spdlog::level::warn;
    case LogLevel::error:
      return spdlog::level::err;
    case LogLevel::off:
      break;
  }
  return spdlog::level::off;
}

std::shared_ptr<spdlog::sinks::sink> make_sink(const LogOptions& options) {
  if (options.stream) {
    return std::make_shared<spdlog::sinks::ostream_sink_mt>(*options.stream, true);
  }
  if (options.file.empty()) {
    return std::make_shared<spdlog::sinks::stderr_sink_mt>();
  }
  try {
    return std::make_shared<spdlog::sinks::basic_file_sink_mt>(options.file);
  } catch (const spdlog::spdlog_ex& e) {
    throw Error(detail::concat("cannot open the log file '", options.file, "': ", e.what()),
                Exit::environment);
  }
}

}  // namespace

std::string json_fields(std::span<const LogField> fields) {
  std::string out;
  for (const LogField& field : fields) {
    if (!out.empty()) {
      out += ',';
    }
    put_text(out, field.key);
    out += ':';
    std::visit([&](const auto& x) { put(out, x); }, field.value);
  }
  return out;
}

struct Log::Sink {
  explicit Sink(const LogOptions& options) : logger("sv", make_sink(options)) {
    logger.set_level(level_of(options.level));
    logger.flush_on(spdlog::level::debug);
    logger.set_formatter(std::make_unique<spdlog::pattern_formatter>(
        R"({"time":"%Y-%m-%dT%H:%M:%S.%eZ","level":"%l",%v})", spdlog::pattern_time_type::utc));
  }
  spdlog::logger logger;
};

Log::Log(const LogOptions& options) : sink_(std::make_unique<Sink>(options)) {}
Log::~Log() = default;
Log::Log(Log&&) noexcept = default;
Log& Log::operator=(Log&&) noexcept = default;

void Log::event(LogLevel level, std::string_view name, Fields fields) {
  if (!sink_->logger.should_log(level_of(level))) {
    return;
  }
  const LogField event("event", name);
  std::string line = json_fields({&event, 1});
  if (fields.size() > 0) {
    line += ',';
    line += json_fields(std::span<const LogField>(fields.begin(), fields.size()));
  }
  sink_->logger.log(level_of(level), spdlog::string_view_t(line));
}

}  // namespace sv

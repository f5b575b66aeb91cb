#include "core/progress.h"

#include <fmt/format.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <iostream>
#include <limits>

namespace sv {
namespace {

constexpr double kRedrawSeconds = 0.1;
constexpr double kPlainSeconds = 10;
constexpr const char* kWipe = "\r\x1b[K";

/// Names and notes hold user data: a control character must not move the cursor.
std::string printable(std::string_view text) {
  std::string out(text);
  std::ranges::replace_if(
      out, [](char c) { return static_cast<unsigned char>(c) < 0x20 || c == 0x7f; }, ' ');
  return out;
}

/// At most `columns` characters; UTF-8 continuation bytes take none.
std::string cut(const std::string& text, int columns) {
  size_t end = 0;
  for (int used = 0; end < text.size(); ++end) {
    const bool starts = (static_cast<unsigned char>(text[end]) & 0xc0) != 0x80;
    if (starts && used++ == columns) {
      break;
    }
  }
  return text.substr(0, end);
}

double monotonic_seconds() {
  return std::chrono::duration<double>(std::chrono::steady_clock::now().time_since_epoch()).count();
}

}  // namespace

std::string clock_text(double seconds) {
  // Beyond a few years no estimate means anything; the cap also keeps the cast defined.
  const auto s = static_cast<int64_t>(std::clamp(seconds, 0.0, 1e8));
  return s < 3600 ? fmt::format("{}:{:02}", s / 60, s % 60)
                  : fmt::format("{}:{:02}:{:02}", s / 3600, s / 60 % 60, s % 60);
}

ProgressOutput ProgressOutput::standard_error() {
  ProgressOutput output;
  output.out = &std::cerr;
  output.terminal = isatty(STDERR_FILENO) == 1;
  winsize size{};
  if (output.terminal && ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0) {
    output.columns = size.ws_col;
  }
  output.now = monotonic_seconds;
  return output;
}

Progress::Progress(
    std::string name, int64_t total, std::string unit, ProgressOutput output, int64_t start)
    : name_(printable(name)),
      total_(total),
      unit_(printable(unit)),
      output_(std::move(output)),
      start_(start),
      done_(start) {
  if (!output_.now) {
    output_.now = monotonic_seconds;
  }
  began_ = output_.now();
  // A terminal shows the first update at once; a file gets its first line after ten seconds.
  written_ = output_.terminal ? -std::numeric_limits<double>::infinity() : began_;
}

Progress::~Progress() {
  if (open_line_) {
    *output_.out << '\n' << std::flush;
  }
}

void Progress::update(int64_t done, std::string_view note) {
  done_ = done;
  if (!output_.out || closed_) {
    return;
  }
  const double now = output_.now();
  if (now - written_ < (output_.terminal ? kRedrawSeconds : kPlainSeconds)) {
    note_ = note;
    return;
  }
  note_ = note;
  written_ = now;
  write(line(now - began_), false);
}

void Progress::done() {
  if (!output_.out || closed_) {
    return;
  }
  closed_ = true;
  write(line(output_.now() - began_), true);
}

void Progress::hide() {
  if (open_line_) {
    *output_.out << kWipe << std::flush;
    open_line_ = false;
  }
}

std::string Progress::line(double seconds) const {
  const double rate = seconds > 0 ? static_cast<double>(done_ - start_) / seconds : 0;
  std::string text = fmt::format("{} {}/{} {}", name_, done_, total_, unit_);
  if (closed_) {
    text += fmt::format(" in {}", clock_text(seconds));
  } else if (total_ > 0) {
    text += fmt::format(
        " ({} %)",
        static_cast<int64_t>(100.0 * static_cast<double>(done_) / static_cast<double>(total_)));
  }
  if (rate > 0) {
    text += fmt::format(", {:.3g} {}/s", rate, unit_);
    if (!closed_ && total_ >= done_) {
      text += fmt::format(", {} left", clock_text(static_cast<double>(total_ - done_) / rate));
    }
  }
  return note_.empty() ? text : text + ", " + printable(note_);
}

void Progress::write(const std::string& text, bool last) {
  if (!output_.terminal) {
    *output_.out << text << '\n' << std::flush;
    return;
  }
  // One column stays free: some terminals wrap when the last one is written.
  *output_.out << kWipe << cut(text, std::max(1, output_.columns - 1)) << (last ? "\n" : "")
               << std::flush;
  open_line_ = !last;
}

}  // namespace sv

// metrics.jsonl: one line per event of a run, cut back on resume so that the final file equals that
// of an uninterrupted run.
#pragma once
#include <initializer_list>
#include <memory>
#include <string>
#include <string_view>

#include "core/log.h"
#include "data/io/files.h"

namespace sv {

inline constexpr int64_t kMaxMetricsBytes = int64_t{1} << 30;

/// Appends lines. Each goes to the file at once and whole; sync() makes them durable, before a
/// checkpoint does.
class Metrics {
 public:
  /// Starts or continues `path` and drops what is newer than `last_step`: every line with a larger
  /// number under "step", and a last line that a kill cut short. A line that is no JSON object
  /// throws with its number. last_step < 0: start empty.
  Metrics(std::string path, int64_t last_step, Files& files = real_files());

  /// {"event":"train","step":10,...}. Times do not belong here: they would differ after a resume.
  void append(std::string_view event, std::initializer_list<LogField> fields);
  /// One JSON object without its line end.
  void append_line(std::string_view json);
  void sync();

 private:
  std::string path_;
  std::unique_ptr<OutFile> out_;
};

}  // namespace sv

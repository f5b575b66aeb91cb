#include "experiments/metrics.h"

#include <nlohmann/json.hpp>
#include <vector>

#include "core/check.h"
#include "data/io/json.h"

namespace sv {
namespace {

/// The lines of `text` up to and including step `last_step`.
std::string kept_lines(std::string_view text, int64_t last_step, const std::string& path) {
  std::string kept;
  size_t begin = 0;
  for (int number = 1; begin < text.size(); ++number) {
    const size_t end = text.find('\n', begin);
    if (end == std::string_view::npos) {
      break;  // no line end: the process died while writing it
    }
    const std::string_view line = text.substr(begin, end - begin);
    begin = end + 1;
    const std::string where = path + ":" + std::to_string(number);
    const nlohmann::json value = parse_json(line, where);
    if (!value.is_object()) {
      fail(where, ": a line must be a JSON object");
    }
    const auto step = value.find("step");
    if (step == value.end() || !step->is_number() ||
        step->get<double>() <= static_cast<double>(last_step)) {
      kept.append(line).append("\n");
    }
  }
  return kept;
}

}  // namespace

Metrics::Metrics(std::string path, int64_t last_step, Files& files) : path_(std::move(path)) {
  std::string kept;
  if (last_step >= 0 && file_exists(path_, files)) {
    kept = kept_lines(as_text(read_file(path_, kMaxMetricsBytes, files)), last_step, path_);
  }
  // The new content replaces the old by a rename, so a kill leaves the one or the other; the
  // descriptor stays valid and goes on appending.
  const std::string temporary = path_ + ".new";
  out_ = std::make_unique<OutFile>(files, temporary);
  out_->write(as_bytes(kept));
  out_->sync();
  rename_file(temporary, path_, files);
  sync_folder(folder_of(path_), files);
}

void Metrics::append(std::string_view event, std::initializer_list<LogField> fields) {
  std::vector<LogField> all{LogField("event", event)};
  all.insert(all.end(), fields.begin(), fields.end());
  append_line(detail::concat('{', json_fields(all), '}'));
}

void Metrics::append_line(std::string_view json) {
  SV_CHECK(json.find('\n') == std::string_view::npos, "a metrics line holds a line end: ", json);
  std::string line(json);
  line += '\n';
  out_->write(as_bytes(line));
}

void Metrics::sync() {
  out_->sync();
}

}  // namespace sv

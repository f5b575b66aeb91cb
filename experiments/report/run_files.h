// Reads the files of a run folder that a report is rendered from, with limits and messages that
// name the place.
#pragma once
#include <nlohmann/json_fwd.hpp>
#include <string>

namespace sv::report {

/// One JSON object from `path`. Throws sv::Error (Exit::input) with file and place of a syntax
/// error.
nlohmann::json read_object(const std::string& path);

/// Training curves from metrics.jsonl: [{label, seed, group_size, last_step, seconds, step: [..],
/// loss: [..], accuracy: [..], grad_norm: [..]}], one entry per (label, seed) in order of
/// appearance. Long runs are thinned: each point is the mean over `group_size` logged lines that
/// follow each other. A last line without a newline (a run that was killed while writing) is left
/// out.
nlohmann::json read_training(const std::string& path);

/// What the head of a page needs from spec.toml before the first measurement: {task: {name,
/// train_size}, train_depth: {law, min, max}}; what the file does not say is left out.
nlohmann::json read_spec(const std::string& path);

}  // namespace sv::report

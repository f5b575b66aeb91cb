// The report: one self-contained HTML file rendered from the files of a run folder, never
// recomputed.
#pragma once
#include <string>

namespace sv {

/// Renders `run_folder` (findings.json, metrics.jsonl, run.json; any of them may be missing, not
/// all) to `output_path`, replacing an older report only once the new one is complete. Throws
/// sv::Error, Exit::input, that names file and place where a file does not hold what README.md
/// states.
void render_report(const std::string& run_folder, const std::string& output_path);

}  // namespace sv

// Checks a findings document against the contract of README.md before it reaches a figure.
#pragma once
#include <nlohmann/json_fwd.hpp>
#include <string>

namespace sv::report {

/// Throws sv::Error (Exit::input) naming `file` and the JSON path of the first thing that breaks
/// the contract: wrong type, wrong length, unknown schema. Keys the contract does not know are left
/// alone.
void check_findings(const nlohmann::json& findings, const std::string& file);

}  // namespace sv::report

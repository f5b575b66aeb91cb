// Checks bench.json against the contract of README.md before it reaches the figure.
#pragma once
#include <nlohmann/json_fwd.hpp>
#include <string>

namespace sv::report {

/// Throws sv::Error (Exit::input) that names file and path of the first break.
void check_bench(const nlohmann::json& bench, const std::string& file);

}  // namespace sv::report

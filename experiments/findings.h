// findings.json and the HDF5 files beside it: what the measuring commands leave for the report and
// for notebooks.
#pragma once
#include <nlohmann/json.hpp>
#include <string>

#include "data/io/h5.h"
#include "experiments/measure.h"

namespace sv {

/// Replaces one part ("depth", "dynamics.halting") of the run's findings.json, keeping the others;
/// the head (task, seeds, groups) is rewritten. A findings.json of another spec digest is replaced
/// whole.
void save_part(Measured& run, const std::string& part, nlohmann::json value);
/// Appends or replaces the entry of the list `part` whose `key` fields equal those of `value`.
void save_entry(Measured& run,
                const std::string& part,
                const std::vector<std::string>& keys,
                nlohmann::json value);
/// Title and summary lines of the report.
void save_summary(const std::string& run_folder,
                  const std::string& title,
                  const nlohmann::json& summary,
                  const nlohmann::json& timing);

/// NaN becomes null: JSON has none.
nlohmann::json json_of(double value);
nlohmann::json json_of(const std::vector<double>& values);
nlohmann::json json_of(const Grid& grid);
nlohmann::json json_of(const Interval& interval);
nlohmann::json json_of(const std::vector<Interval>& intervals);
/// The rows of the grid that belong to `models`.
Grid rows_of(const Grid& grid, const std::vector<int>& models);

/// A results file of the run: root attributes name the spec, the seeds and the training set.
H5Writer results_file(Measured& run, const std::string& what);
void put_grid(H5Writer& file,
              const std::string& name,
              const std::vector<std::string>& dims,
              const Grid& grid,
              const std::string& long_name);
void put_axis(H5Writer& file,
              const std::string& dim,
              const std::vector<int>& values,
              const std::string& long_name);

}  // namespace sv

// The rows of a check, in the form of kernels/gpu_validated.json: one file to which every part adds
// its own.
#pragma once
#include <map>
#include <string>

#include "gpu/op_time.h"
#include "gpu/report.h"
#include "gpu/runs.h"

namespace sv::gpu {

/// Where and when rows were made.
struct Stamp {
  std::string gpu, toolkit, commit, date;
};
/// Today, this build, and a GPU by the name a Device has.
Stamp stamp_of(const std::string& device, const std::string& toolkit);

class Rows {
 public:
  /// What the file holds; nothing where there is none. Throws (Exit::input) on another content.
  static Rows load(const std::string& path);
  /// Each replaces the row of the same name.
  void put(const Report& report, const Stamp& stamp);
  void put(const Runs& runs, const Stamp& stamp);
  /// Times of kernels that have a row of this source; `copy` are bytes per second.
  void put(const std::map<std::string, KernelTime>& times, double copy);
  std::string text() const;
  void save(const std::string& path) const;

 private:
  std::map<std::string, std::string> kernels_, runs_;  // name to row
};

}  // namespace sv::gpu

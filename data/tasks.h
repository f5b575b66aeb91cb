// The table of tasks: name, what is asked, which options are read, how it is made.
#pragma once
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "data/task.h"
#include "data/task_options.h"

namespace sv {

struct TaskEntry {
  std::string_view name;
  std::string_view summary;  // one line for `list`
  std::string_view reads;    // names of the options it reads, separated by spaces
  std::shared_ptr<const Task> (*make)(const TaskOptions&);
  bool needs_file = false;  // it has no generator: `file` must be set
};

/// All tasks, sorted by name.
std::span<const TaskEntry> task_table();

/// Throws for an unknown name (naming the nearest), for a set option that the task does not read
/// for values outside their range, and where the file that a task needs is not given.
std::shared_ptr<const Task> make_task(const std::string& name, const TaskOptions& options = {});

}  // namespace sv

// The command line of gpu_check and gpu_bench: one part of the check, on one device, its rows into
// one file.
#pragma once
#include <string>
#include <vector>

namespace sv::gpu {

struct Arguments {
  std::string part, device = "cuda", out, only;
  int repeats = 100;
  bool tiny = false, list = false, help = false;
};

/// Refuses what is not in `usage`, and a part that is not one of `parts` (Exit::input).
Arguments parse_arguments(int argc,
                          char** argv,
                          const std::string& usage,
                          const std::vector<std::string>& parts);

/// Calls run and turns errors into the exit code of a check: 1 a check failed, 2 bad arguments, 3
/// no GPU.
int exit_code_of(const char* program, int (*run)(int, char**), int argc, char** argv);

}  // namespace sv::gpu

// Two files of Google Benchmark (--benchmark_out=FILE --benchmark_out_format=json), name by name.
#pragma once
#include <map>
#include <string>
#include <vector>

namespace sv::bench {

/// Real nanoseconds of each benchmark by name: the median of its repetitions. Entries that carry an
/// error are left out. Throws (Exit::input) on anything that is no such file, or holds no time.
std::map<std::string, double> read_times(const std::string& path);

struct Pair {
  std::string name;
  double a = 0, b = 0;  // nanoseconds
  double ratio() const { return b / a; }
};
struct Comparison {
  std::vector<Pair> pairs;  // by name
  std::vector<std::string> only_a, only_b;
};
/// Throws (Exit::input) if the files have no name in common.
Comparison compare_files(const std::string& a, const std::string& b);

}  // namespace sv::bench

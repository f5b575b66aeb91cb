// Two benchmark files by hand: names, units, medians, and everything that is no such file.
#include "experiments/timing/compare.h"

#include <gtest/gtest.h>

#include <fstream>

#include "core/check.h"
#include "data/temp_folder.h"

namespace sv::bench {
namespace {

class BenchCompare : public testing::Test {
 protected:
  std::string file(const std::string& name, const std::string& text) {
    std::ofstream(folder_ / name) << text;
    return folder_ / name;
  }
  /// A file with these entries.
  std::string benchmarks(const std::string& name, const std::string& entries) {
    return file(name, R"({"context": {"num_cpus": 2}, "benchmarks": [)" + entries + "]}");
  }
  std::string message_of(const std::string& text) {
    try {
      read_times(file("bad.json", text));
    } catch (const Error& e) {
      EXPECT_EQ(e.exit, Exit::input);
      return e.what();
    }
    return "";
  }
  TempFolder folder_;
};

std::string entry(const std::string& name, double time, const std::string& unit) {
  return R"({"name": ")" + name + R"(", "real_time": )" + std::to_string(time) +
         R"(, "time_unit": ")" + unit + R"("})";
}

TEST_F(BenchCompare, TimesAreNanosecondsWhateverTheUnit) {
  const auto times = read_times(benchmarks("a.json",
                                           entry("n", 3, "ns") + "," + entry("u", 3, "us") + "," +
                                               entry("m", 3, "ms") + "," + entry("s", 3, "s")));
  EXPECT_EQ(times, (std::map<std::string, double>{{"n", 3}, {"u", 3e3}, {"m", 3e6}, {"s", 3e9}}));
}

TEST_F(BenchCompare, RepetitionsCountWithTheirMedian) {
  const auto times = read_times(benchmarks(
      "a.json", entry("x", 9, "ns") + "," + entry("x", 1, "ns") + "," + entry("x", 2, "ns")));
  EXPECT_EQ(times.at("x"), 2);
}

TEST_F(BenchCompare, APrintedMedianIsTakenAndOtherAggregatesAreNot) {
  const auto aggregate = [](const std::string& kind, double time) {
    return R"({"name": "x_)" + kind + R"(", "run_name": "x", "run_type": "aggregate",
              "aggregate_name": ")" +
           kind + R"(", "time_unit": "ns", "real_time": )" + std::to_string(time) + "}";
  };
  const auto times = read_times(benchmarks(
      "a.json",
      aggregate("mean", 5) + "," + aggregate("median", 4) + "," + aggregate("stddev", 1)));
  EXPECT_EQ(times, (std::map<std::string, double>{{"x", 4}}));
}

TEST_F(BenchCompare, NamesAreMatchedAndTheOthersListed) {
  const std::string a = benchmarks("a.json", entry("x", 2, "us") + "," + entry("y", 1, "us"));
  const std::string b = benchmarks("b.json", entry("z", 1, "us") + "," + entry("x", 3000, "ns"));
  const Comparison found = compare_files(a, b);
  ASSERT_EQ(found.pairs.size(), 1u);
  EXPECT_EQ(found.pairs[0].name, "x");
  EXPECT_DOUBLE_EQ(found.pairs[0].ratio(), 1.5);
  EXPECT_EQ(found.only_a, std::vector<std::string>{"y"});
  EXPECT_EQ(found.only_b, std::vector<std::string>{"z"});
}

TEST_F(BenchCompare, FilesWithoutACommonNameAreRefused) {
  const std::string a = benchmarks("a.json", entry("x", 2, "us"));
  EXPECT_THROW(compare_files(a, benchmarks("b.json", entry("y", 2, "us"))), Error);
}

TEST_F(BenchCompare, WhatIsNoBenchmarkFileIsNamed) {
  EXPECT_NE(message_of("{").find("bad.json"), std::string::npos);
  EXPECT_NE(message_of("[]").find("no list 'benchmarks'"), std::string::npos);
  EXPECT_NE(message_of(R"({"benchmarks": {}})").find("no list 'benchmarks'"), std::string::npos);
  EXPECT_NE(message_of(R"({"benchmarks": []})").find("holds no time"), std::string::npos);
  EXPECT_NE(message_of(R"({"benchmarks": [3]})").find("not an object"), std::string::npos);
  EXPECT_NE(message_of(R"({"benchmarks": [{"name": "x"}]})").find("real_time"), std::string::npos);
  EXPECT_NE(message_of(R"({"benchmarks": [)" + entry("x", 1, "h") + "]}").find("unit 'h'"),
            std::string::npos);
  EXPECT_NE(message_of(R"({"benchmarks": [)" + entry("x", 0, "ns") + "]}").find("real_time is 0"),
            std::string::npos);
}

TEST_F(BenchCompare, AnEntryThatFailedHasNoTime) {
  const std::string failed =
      R"({"name": "x", "error_occurred": true, "error_message": "no", "real_time": 0, "time_unit": "ns"})";
  EXPECT_NE(message_of(R"({"benchmarks": [)" + failed + "]}").find("holds no time"),
            std::string::npos);
}

}  // namespace
}  // namespace sv::bench

// Log lines are JSON, whatever a name or a value holds.
#include "core/log.h"

#include <gtest/gtest.h>

#include <cmath>
#include <filesystem>
#include <fstream>
#include <limits>
#include <regex>
#include <sstream>

#include "core/check.h"

namespace sv {
namespace {

std::string one_field(const LogField& field) {
  return json_fields({&field, 1});
}

TEST(JsonFields, WriteEveryType) {
  const std::string text = "y";
  const LogField fields[] = {
      {"b", true}, {"i", -3}, {"u", 5u}, {"d", 0.1}, {"s", "x"}, {"t", text}};
  EXPECT_EQ(json_fields(fields), R"("b":true,"i":-3,"u":5,"d":0.1,"s":"x","t":"y")");
}

TEST(JsonFields, EscapeWhatJsonCannotHold) {
  EXPECT_EQ(one_field({"k", "a\"b\\c\nd\x7f"}), R"("k":"a\"b\\c\u000ad\u007f")");
  EXPECT_EQ(one_field({"k\"", 1}), R"("k\"":1)");
  EXPECT_EQ(one_field({"k", "\xc3\xa9 \xf0\x9f\x98\x80"}), "\"k\":\"\xc3\xa9 \xf0\x9f\x98\x80\"");
  // A stray byte, an overlong slash, a surrogate, a cut character: each byte is replaced.
  const std::string r = "\xef\xbf\xbd";
  EXPECT_EQ(one_field({"k", "\xff"}), "\"k\":\"" + r + "\"");
  EXPECT_EQ(one_field({"k", "\xc0\xaf"}), "\"k\":\"" + r + r + "\"");
  EXPECT_EQ(one_field({"k", "\xed\xa0\x80"}), "\"k\":\"" + r + r + r + "\"");
  EXPECT_EQ(one_field({"k", "\xe2\x82"}), "\"k\":\"" + r + r + "\"");
}

TEST(JsonFields, TurnNanAndInfinityIntoNull) {
  EXPECT_EQ(one_field({"k", std::nan("")}), R"("k":null)");
  EXPECT_EQ(one_field({"k", -std::numeric_limits<double>::infinity()}), R"("k":null)");
}

TEST(Log, WritesOneJsonObjectPerEvent) {
  std::ostringstream out;
  Log log({.stream = &out});
  log.info("train.step", {{"step", 3}, {"loss", 0.25}});
  log.warning("ready");
  const std::regex form(
      R"(\{"time":"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z","level":"info","event":"train.step","step":3,"loss":0.25\}\n)"
      R"(\{"time":"[^"]+","level":"warning","event":"ready"\}\n)");
  EXPECT_TRUE(std::regex_match(out.str(), form)) << out.str();
}

TEST(Log, LeavesOutWhatIsBelowItsLevel) {
  std::ostringstream out;
  Log log({.level = LogLevel::error, .stream = &out});
  log.debug("a");
  log.info("b");
  log.warning("c");
  EXPECT_EQ(out.str(), "");
  log.error("d");
  EXPECT_NE(out.str().find("\"d\""), std::string::npos);
  Log off({.level = LogLevel::off, .stream = &out});
  const std::string before = out.str();
  off.error("e");
  EXPECT_EQ(out.str(), before);
}

TEST(Log, TakesPercentSignsAndBracesAsText) {
  std::ostringstream out;
  Log log({.stream = &out});
  log.info("100% {}", {{"path", "%v{0}"}});
  EXPECT_NE(out.str().find(R"("event":"100% {}","path":"%v{0}"})"), std::string::npos) << out.str();
}

TEST(Log, AppendsToAFile) {
  const auto path = std::filesystem::temp_directory_path() /
                    ("sv-log-" + std::to_string(std::hash<std::string>()(__FILE__)) + ".jsonl");
  std::filesystem::remove(path);
  for (int i = 0; i < 2; ++i) {
    Log log({.file = path.string()});
    log.info("line");
  }
  std::ifstream in(path);
  int lines = 0;
  for (std::string line; std::getline(in, line);) {
    ++lines;
  }
  EXPECT_EQ(lines, 2);
  std::filesystem::remove(path);
}

TEST(Log, SaysWhichFileCannotBeOpened) {
  try {
    Log log({.file = "/proc/none/x.jsonl"});
    FAIL();
  } catch (const Error& e) {
    EXPECT_EQ(e.exit, Exit::environment);
    EXPECT_NE(std::string(e.what()).find("/proc/none/x.jsonl"), std::string::npos);
  }
}

}  // namespace
}  // namespace sv

// Capped JSON: limits, duplicate keys, round trips.
#include "data/io/json.h"

#include <gtest/gtest.h>

#include <cmath>
#include <nlohmann/json.hpp>

#include "core/check.h"

namespace sv {
namespace {

std::string refusal(std::string_view text, const JsonLimits& limits = {}) {
  try {
    parse_json(text, "some.json", limits);
  } catch (const Error& error) {
    return error.what();
  }
  return {};
}

TEST(Json, ValuesComeBack) {
  const auto value =
      parse_json(R"({"b":[1,-2,2.5,"x",null,true,{"c":18446744073709551615}],"a":""})", "memory");
  EXPECT_EQ(value["b"][6]["c"].get<uint64_t>(), UINT64_MAX);
  EXPECT_EQ(parse_json(dump_json(value), "memory"), value);
  EXPECT_EQ(dump_json(value, -1),
            "{\"a\":\"\",\"b\":[1,-2,2.5,\"x\",null,true,{\"c\":18446744073709551615}]}\n");
}

TEST(Json, EveryRefusalNamesTheSource) {
  for (const std::string text :
       {"", "{", "[1,]", "nul", "{\"a\":1}{", "\"\xff\"", "1e999", "[1] x", "{\"a\" 1}"}) {
    EXPECT_TRUE(refusal(text).starts_with("some.json")) << text << ": " << refusal(text);
  }
  EXPECT_TRUE(refusal(std::string_view("[1]\0 hidden", 11)).starts_with("some.json"));
}

TEST(Json, DuplicateKeysAreRefusedAtEveryDepth) {
  EXPECT_NE(refusal(R"({"a":1,"a":2})").find("'a' occurs twice"), std::string::npos);
  EXPECT_NE(refusal(R"([{"x":{"b":1,"\u0062":2}}])").find("'b' occurs twice"), std::string::npos);
  EXPECT_EQ(refusal(R"([{"a":1},{"a":2}])"), "");
}

TEST(Json, DepthSizeCountAndStringsAreCapped) {
  EXPECT_EQ(refusal("[[[1]]]", {100, 3, 100, 100}), "");
  EXPECT_NE(refusal("[[[[1]]]]", {100, 3, 100, 100}).find("deeper"), std::string::npos);
  EXPECT_NE(refusal("[1,2,3,4]", {100, 3, 4, 100}).find("more than 4"), std::string::npos);
  EXPECT_NE(refusal("[\"12345\"]", {100, 3, 100, 4}).find("limit is 4"), std::string::npos);
  EXPECT_NE(refusal("{\"12345\":1}", {100, 3, 100, 4}).find("limit is 4"), std::string::npos);
  EXPECT_NE(refusal("[1,2,3,4]", {8, 3, 100, 100}).find("limit is 8"), std::string::npos);
  EXPECT_NE(refusal(std::string(500'000, '[')).find("deeper"), std::string::npos);
}

TEST(Json, NonFiniteNumbersAreNotWritten) {
  EXPECT_THROW(dump_json({{"a", {1.0, NAN}}}), Error);
  EXPECT_THROW(dump_json(INFINITY), Error);
}

TEST(Json, MembersAreCheckedForPresenceAndType) {
  const auto value = parse_json(R"({"s":"x","i":-3,"d":1.5,"big":18446744073709551615})", "memory");
  EXPECT_EQ(json_string(value, "s", "m"), "x");
  EXPECT_EQ(json_int(value, "i", "m"), -3);
  EXPECT_EQ(json_number(value, "d", "m"), 1.5);
  EXPECT_THROW(json_int(value, "big", "m"), Error);
  EXPECT_THROW(json_int(value, "d", "m"), Error);
  EXPECT_THROW(json_string(value, "i", "m"), Error);
  EXPECT_THROW(json_number(value, "s", "m"), Error);
  EXPECT_THROW(json_string(value, "none", "m"), Error);
}

}  // namespace
}  // namespace sv

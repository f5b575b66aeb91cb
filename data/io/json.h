// JSON from files: parsed with caps on size, depth and count, duplicate keys refused; written
// canonically.
#pragma once
#include <nlohmann/json_fwd.hpp>
#include <string>
#include <string_view>

#include "data/io/files.h"

namespace sv {

struct JsonLimits {
  size_t bytes = size_t{1} << 20;
  int depth = 16;          // nested objects and arrays
  size_t items = 100'000;  // keys and values together
  size_t string_bytes = size_t{64} << 10;
};

/// Parses one document. Throws with source and place on bad syntax, bad UTF-8, a duplicate key, a
/// number that does not fit, or anything above the limits; stops at the first such place.
nlohmann::json parse_json(std::string_view text,
                          const std::string& source,
                          const JsonLimits& limits = {});
nlohmann::json read_json(const std::string& path,
                         const JsonLimits& limits = {},
                         Files& files = real_files());

/// Keys sorted, numbers shortest round-trip, a newline at the end; equal values give equal bytes.
/// Throws on NaN and infinities, which JSON cannot carry. indent < 0: one line.
std::string dump_json(const nlohmann::json& value, int indent = 2);

/// The member `key` of an object with the wanted type, or an error that names source and key.
const nlohmann::json& json_member(const nlohmann::json& object,
                                  const char* key,
                                  const std::string& source);
std::string json_string(const nlohmann::json& object, const char* key, const std::string& source);
int64_t json_int(const nlohmann::json& object,
                 const char* key,
                 const std::string& source);  // >= 0 or < 0
double json_number(const nlohmann::json& object, const char* key, const std::string& source);

}  // namespace sv

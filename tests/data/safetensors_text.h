// Helpers to write safetensors files by hand, well-formed or not.
#pragma once
#include <cstring>
#include <string>
#include <vector>

#include "data/io/publish.h"

namespace sv {

/// Keeps what is written, and forgets the sections.
class MemorySink : public ByteSink {
 public:
  void write(std::span<const std::byte> more) override {
    bytes.insert(bytes.end(), more.begin(), more.end());
  }
  void section(const std::string&) override {}
  std::vector<std::byte> bytes;
};

/// [u64 claimed header size][header][data zeros]; the claimed size is the true one unless given.
inline std::vector<std::byte> framed(const std::string& header,
                                     size_t data,
                                     uint64_t claimed = UINT64_MAX) {
  const uint64_t size = claimed == UINT64_MAX ? header.size() : claimed;
  std::vector<std::byte> bytes(8 + header.size() + data);
  std::memcpy(bytes.data(), &size, 8);
  std::memcpy(bytes.data() + 8, header.data(), header.size());
  return bytes;
}

/// One entry `"name":{"dtype":...,"shape":...,"data_offsets":...}` without quotes around the
/// values.
inline std::string entry_text(const std::string& name,
                              const std::string& dtype,
                              const std::string& shape,
                              const std::string& offsets) {
  return "\"" + name + "\":{\"dtype\":" + dtype + ",\"shape\":" + shape +
         ",\"data_offsets\":" + offsets + "}";
}

}  // namespace sv

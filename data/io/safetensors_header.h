// The checked header of a safetensors file; internal to the reader.
#pragma once
#include <string>
#include <string_view>
#include <vector>

#include "data/io/safetensors.h"

namespace sv::detail {

struct PlacedTensor {
  TensorView view;  // without bytes
  uint64_t begin = 0;
  uint64_t end = 0;
};

struct SafetensorsHeader {
  Metadata metadata;
  std::vector<PlacedTensor> tensors;  // in file order: contiguous from 0 to the end of the data
};

inline constexpr size_t kSafetensorsPrefix = 8;  // u64 header size, little endian
inline constexpr std::string_view kMetadataKey = "__metadata__";

std::string_view safetensors_type(Element type);
void check_tensor_name(const std::string& name, const std::string& source, size_t limit);

/// The header size, checked against the bytes that remain and never added to anything.
uint64_t safetensors_header_size(std::span<const std::byte> prefix,
                                 uint64_t file_bytes,
                                 const std::string& source,
                                 const SafetensorsLimits& limits);

/// Parses the header of a file with `data_bytes` bytes of tensor data; stops at the first thing
/// that is not allowed.
SafetensorsHeader parse_safetensors_header(std::string_view text,
                                           uint64_t data_bytes,
                                           const std::string& source,
                                           const SafetensorsLimits& limits);

}  // namespace sv::detail

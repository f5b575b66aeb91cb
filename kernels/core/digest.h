// SHA-256 (FIPS 180-4): the digest of files, manifests and resolved settings.
#pragma once
#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string>
#include <string_view>

namespace sv {

/// Streaming SHA-256: update() in pieces of any size, hex() at any time (it does not disturb the
/// state).
class Sha256 {
 public:
  void update(std::span<const std::byte> bytes);
  void update(std::string_view text);
  /// 64 lower-case hexadecimal characters of the digest of everything given so far.
  std::string hex() const;

 private:
  void compress(const std::byte* block);

  std::array<uint32_t, 8> state_{0x6a09e667u,
                                 0xbb67ae85u,
                                 0x3c6ef372u,
                                 0xa54ff53au,
                                 0x510e527fu,
                                 0x9b05688cu,
                                 0x1f83d9abu,
                                 0x5be0cd19u};
  std::array<std::byte, 64> pending_{};
  uint64_t length_ = 0;  // bytes so far
};

std::string sha256_hex(std::span<const std::byte> bytes);
std::string sha256_hex(std::string_view text);

}  // namespace sv

// Philox4x32-10, a counter-based generator: value = f(seed, stream, step, index), so there is no
// state to save and the bits do not depend on threads, packing or order. Salmon et al., "Parallel
// random numbers: as easy as 1, 2, 3", SC 2011; checked against Random123's known answers
// (tests/core/rng_test.cpp).
#pragma once
#include <array>
#include <cmath>
#include <cstdint>
#include <string_view>

namespace sv {

struct Philox {
  using Counter = std::array<uint32_t, 4>;
  using Key = std::array<uint32_t, 2>;

  /// Ten rounds of the Philox-4x32 bijection.
  static constexpr Counter block(Counter c, Key k) {
    for (int round = 0; round < 10; ++round) {
      const uint64_t p0 = uint64_t{0xD2511F53u} * c[0];
      const uint64_t p1 = uint64_t{0xCD9E8D57u} * c[2];
      c = {static_cast<uint32_t>(p1 >> 32) ^ c[1] ^ k[0],
           static_cast<uint32_t>(p1),
           static_cast<uint32_t>(p0 >> 32) ^ c[3] ^ k[1],
           static_cast<uint32_t>(p0)};
      k[0] += 0x9E3779B9u;
      k[1] += 0xBB67AE85u;
    }
    return c;
  }
};

/// FNV-1a hash of a name, the usual way to make a stream number: stream_of("init.block.0.wq").
constexpr uint32_t stream_of(std::string_view name) {
  uint32_t h = 2166136261u;
  for (const char ch : name) {
    h = (h ^ static_cast<uint8_t>(ch)) * 16777619u;
  }
  return h;
}

/// Random numbers addressed by (seed, stream, step, index). Copying it is free; it never advances.
/// seed: the model's own seed, never its place m in the pack. step: 32 bits. index: 32 bits of
/// blocks of 4.
class Rng {
 public:
  constexpr Rng(uint64_t seed, uint32_t stream, uint64_t step = 0)
      : key_{static_cast<uint32_t>(seed), static_cast<uint32_t>(seed >> 32)},
        stream_(stream),
        step_(step) {}

  /// 32 uniform bits.
  constexpr uint32_t bits(uint64_t index) const { return block(index >> 2)[index & 3]; }
  /// Uniform in [0, 1), 24 bits: the same value in float and double.
  constexpr double uniform(uint64_t index) const { return unit(bits(index)); }
  /// Uniform integer in [0, n), n >= 1; the bias of at most n / 2^32 is accepted.
  constexpr uint32_t below(uint64_t index, uint32_t n) const {
    return static_cast<uint32_t>((uint64_t{bits(index)} * n) >> 32);
  }
  /// Standard normal by Box-Muller from two draws (2 index, 2 index + 1).
  double normal(uint64_t index) const { return box_muller(bits(2 * index), bits(2 * index + 1)); }
  /// normal(first), normal(first + 1), ...: two of them from each block.
  template <class T>
  void normals(uint64_t first, int64_t count, T* out) const {
    for (int64_t i = 0; i < count; ++i) {
      const uint64_t index = first + static_cast<uint64_t>(i);
      if (index % 2 != 0 || i + 1 == count) {
        out[i] = static_cast<T>(normal(index));
        continue;
      }
      const Philox::Counter b = block(index / 2);
      out[i] = static_cast<T>(box_muller(b[0], b[1]));
      out[++i] = static_cast<T>(box_muller(b[2], b[3]));
    }
  }

 private:
  static constexpr double unit(uint32_t bits) { return (bits >> 8) * 0x1.0p-24; }
  static double box_muller(uint32_t a, uint32_t b) {
    const double u = 1.0 - unit(a);  // (0, 1]
    return std::sqrt(-2.0 * std::log(u)) * std::cos(6.283185307179586 * unit(b));
  }
  /// Draws 4 number .. 4 number + 3.
  constexpr Philox::Counter block(uint64_t number) const {
    return Philox::block({static_cast<uint32_t>(number),
                          static_cast<uint32_t>(step_),
                          static_cast<uint32_t>(step_ >> 32) ^ static_cast<uint32_t>(number >> 32),
                          stream_},
                         key_);
  }

  Philox::Key key_;
  uint32_t stream_;
  uint64_t step_;
};

/// A cursor over an Rng for code that draws in sequence (generators of puzzles); keyed like its
/// Rng.
class RngCursor {
 public:
  explicit constexpr RngCursor(Rng rng) : rng_(rng) {}
  uint32_t below(uint32_t n) { return rng_.below(next_++, n); }
  double uniform() { return rng_.uniform(next_++); }
  /// Fisher-Yates shuffle of a random-access range.
  template <class Range>
  void shuffle(Range& range) {
    for (size_t i = range.size(); i > 1; --i) {
      const size_t j = below(static_cast<uint32_t>(i));
      auto tmp = range[i - 1];
      range[i - 1] = range[j];
      range[j] = tmp;
    }
  }

 private:
  Rng rng_;
  uint64_t next_ = 0;
};

}  // namespace sv

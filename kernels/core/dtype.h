// Element types and their host conversions.
#pragma once
#include <bit>
#include <cstddef>
#include <cstdint>
#include <string_view>

#include "core/check.h"

namespace sv {

enum class DType : uint8_t { f32, f64, bf16, i32 };

/// Brain float: the upper 16 bits of an f32, rounded to nearest even; NaN stays NaN.
struct bf16 {
  uint16_t bits = 0;
  bf16() = default;
  explicit bf16(float x) {
    const uint32_t u = std::bit_cast<uint32_t>(x);
    if ((u & 0x7fffffffu) > 0x7f800000u) {
      bits = static_cast<uint16_t>((u >> 16) | 0x40u);  // keep it a quiet NaN
    } else {
      bits = static_cast<uint16_t>((u + 0x7fffu + ((u >> 16) & 1u)) >> 16);
    }
  }
  explicit operator float() const {
    return std::bit_cast<float>(static_cast<uint32_t>(bits) << 16);
  }
};

constexpr size_t dtype_size(DType t) {
  return t == DType::f64 ? 8 : t == DType::bf16 ? 2 : 4;
}
constexpr std::string_view dtype_name(DType t) {
  switch (t) {
    case DType::f32:
      return "f32";
    case DType::f64:
      return "f64";
    case DType::bf16:
      return "bf16";
    case DType::i32:
      return "i32";
  }
  return "?";
}

template <class T>
struct dtype_of_impl;
template <>
struct dtype_of_impl<float> {
  static constexpr DType value = DType::f32;
};
template <>
struct dtype_of_impl<double> {
  static constexpr DType value = DType::f64;
};
template <>
struct dtype_of_impl<bf16> {
  static constexpr DType value = DType::bf16;
};
template <>
struct dtype_of_impl<int32_t> {
  static constexpr DType value = DType::i32;
};
template <class T>
inline constexpr DType dtype_of = dtype_of_impl<T>::value;

/// Calls f.template operator()<float>() or <double>(); anything else throws. The one f32/f64
/// dispatch.
template <class F>
decltype(auto) with_float(DType t, F&& f) {
  if (t == DType::f64) {
    return f.template operator()<double>();
  }
  SV_CHECK(t == DType::f32, "an f32 or f64 tensor is needed, got ", dtype_name(t));
  return f.template operator()<float>();
}

}  // namespace sv

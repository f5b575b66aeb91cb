// Element: the closed list of element types that the project's files may hold.
#pragma once
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "core/check.h"
#include "core/dtype.h"

namespace sv {

enum class Element : uint8_t { f64, f32, bf16, i64, i32, u8 };

constexpr size_t element_size(Element e) {
  switch (e) {
    case Element::f64:
    case Element::i64:
      return 8;
    case Element::f32:
    case Element::i32:
      return 4;
    case Element::bf16:
      return 2;
    case Element::u8:
      return 1;
  }
  return 0;
}

constexpr std::string_view element_name(Element e) {
  constexpr std::string_view kNames[] = {"f64", "f32", "bf16", "i64", "i32", "u8"};
  return kNames[static_cast<int>(e)];
}

constexpr Element element_of_dtype(DType t) {
  return t == DType::f64    ? Element::f64
         : t == DType::f32  ? Element::f32
         : t == DType::bf16 ? Element::bf16
                            : Element::i32;
}

template <class T>
struct element_of_impl;
template <>
struct element_of_impl<double> {
  static constexpr Element value = Element::f64;
};
template <>
struct element_of_impl<float> {
  static constexpr Element value = Element::f32;
};
template <>
struct element_of_impl<bf16> {
  static constexpr Element value = Element::bf16;
};
template <>
struct element_of_impl<int64_t> {
  static constexpr Element value = Element::i64;
};
template <>
struct element_of_impl<int32_t> {
  static constexpr Element value = Element::i32;
};
template <>
struct element_of_impl<uint8_t> {
  static constexpr Element value = Element::u8;
};
template <class T>
inline constexpr Element element_of = element_of_impl<T>::value;

/// Product of the sizes, or -1 when one is negative or the product does not fit.
inline int64_t checked_numel(std::span<const int64_t> sizes) {
  int64_t n = 1;
  for (const int64_t size : sizes) {
    if (size < 0 || __builtin_mul_overflow(n, size, &n)) {
      return -1;
    }
  }
  return n;
}

}  // namespace sv

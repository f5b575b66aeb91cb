// Functions of one element for training arithmetic, in float and double: branch-free, so that a
// plain loop over them vectorises (with -fno-trapping-math, which the kernels target sets), and
// without libm, so that the bits are the project's own.
//
// No fused multiply-add: every build rounds the same. Largest error against the correctly rounded
// value, measured by tests/kernels/point_test.cpp: exp and log 2 ulp in float, 1e-15 relative in
// double. NaN stays NaN. Polynomials: exp, log and tanh of Cephes (Moshier) in float; exp by
// Taylor, tanh by Cephes, log and sine/cosine by fdlibm (Sun) in double.
#pragma once
#include <bit>
#include <cmath>
#include <cstdint>
#include <limits>

#include "core/host_device.h"

namespace sv::point {

/// Layout of a float type. `round` + x has the nearest integer to x in its low mantissa bits.
template <class T>
struct Layout;
template <>
struct Layout<float> {
  using Bits = uint32_t;
  static constexpr int mantissa = 23;
  static constexpr int bias = 127;
  static constexpr float round = 0x1.8p23f;
  static constexpr float ln2_high = 0.693359375f;  // 10 bits: n * ln2_high is exact
  static constexpr float ln2_low = -2.12194440e-4f;
  static constexpr float exp_low = -87.336544f;  // below it exp is not a normal number
  static constexpr float exp_high = 89.0f;       // above it exp overflows in any case
  static constexpr float sigmoid_bound = 87.0f;
  static constexpr Bits one_over_root2 = 0x3f3504f3u;
};
template <>
struct Layout<double> {
  using Bits = uint64_t;
  static constexpr int mantissa = 52;
  static constexpr int bias = 1023;
  static constexpr double round = 0x1.8p52;
  static constexpr double ln2_high = 6.93147180369123816490e-01;
  static constexpr double ln2_low = 1.90821492927058770002e-10;
  static constexpr double exp_low = -708.3964185322641;
  static constexpr double exp_high = 710.0;
  static constexpr double sigmoid_bound = 708.0;
  static constexpr Bits one_over_root2 = 0x3fe6a09e667f3bcdull;
};

/// 2^n for an integral n in the normal range.
template <class T>
SV_HD inline T power_of_two(T n) {
  using L = Layout<T>;
  return std::bit_cast<T>(std::bit_cast<typename L::Bits>(n + (L::round + L::bias)) << L::mantissa);
}

/// e^r for |r| <= ln(2)/2.
SV_HD inline float exp_core(float r) {
  float p = 1.9875691500e-4f;
  p = p * r + 1.3981999507e-3f;
  p = p * r + 8.3334519073e-3f;
  p = p * r + 4.1665795894e-2f;
  p = p * r + 1.6666665459e-1f;
  p = p * r + 5.0000001201e-1f;
  return p * (r * r) + r + 1.0f;
}
SV_HD inline double exp_core(double r) {
  double p = 1.0 / 6227020800;  // 1/13!; the next term is below 5e-18
  p = p * r + 1.0 / 479001600;
  p = p * r + 1.0 / 39916800;
  p = p * r + 1.0 / 3628800;
  p = p * r + 1.0 / 362880;
  p = p * r + 1.0 / 40320;
  p = p * r + 1.0 / 5040;
  p = p * r + 1.0 / 720;
  p = p * r + 1.0 / 120;
  p = p * r + 1.0 / 24;
  p = p * r + 1.0 / 6;
  p = p * r + 0.5;
  return p * (r * r) + r + 1.0;
}

/// e^x. Results below the smallest normal number are 0: denormals would slow down every use of
/// them.
template <class T>
SV_HD inline T exp_poly(T x) {
  using L = Layout<T>;
  const T low = x < L::exp_low ? L::exp_low : x;
  const T in = low > L::exp_high ? L::exp_high : low;
  const T n = (in * T(1.44269504088896340736) + L::round) - L::round;
  const T r = (in - n * L::ln2_high) - n * L::ln2_low;
  const T half = (n * T(0.5) + L::round) - L::round;  // two factors: 2^n alone may leave the range
  const T y = exp_core(r) * power_of_two(half) * power_of_two(n - half);
  return x < L::exp_low ? T{0} : y;
}

/// log(1 + f) + n log 2 for 1 + f in [sqrt(1/2), sqrt(2)).
SV_HD inline float log_core(float f, float n) {
  float p = 7.0376836292e-2f;
  p = p * f - 1.1514610310e-1f;
  p = p * f + 1.1676998740e-1f;
  p = p * f - 1.2420140846e-1f;
  p = p * f + 1.4249322787e-1f;
  p = p * f - 1.6668057665e-1f;
  p = p * f + 2.0000714765e-1f;
  p = p * f - 2.4999993993e-1f;
  p = p * f + 3.3333331174e-1f;
  const float z = f * f;
  const float low = p * f * z + n * Layout<float>::ln2_low - 0.5f * z;
  return (f + low) + n * Layout<float>::ln2_high;
}
SV_HD inline double log_core(double f, double n) {
  const double s = f / (2.0 + f);
  const double z = s * s;
  double p = 1.479819860511658591e-01;
  p = p * z + 1.531383769920937332e-01;
  p = p * z + 1.818357216161805012e-01;
  p = p * z + 2.222219843214978396e-01;
  p = p * z + 2.857142874366239149e-01;
  p = p * z + 3.999999999940941908e-01;
  p = p * z + 6.666666666666735130e-01;
  const double half = 0.5 * f * f;
  const double low = s * (half + p * z) + n * Layout<double>::ln2_low;
  return n * Layout<double>::ln2_high - ((half - low) - f);
}

/// Natural logarithm of a normal number; log 0 = -inf, log of a negative number is NaN, log inf =
/// inf.
template <class T>
SV_HD inline T log_poly(T x) {
  using L = Layout<T>;
  using Bits = typename L::Bits;
  constexpr Bits one = Bits{L::bias} << L::mantissa;
  const Bits u = std::bit_cast<Bits>(x) + (one - L::one_over_root2);
  const Bits biased = u >> L::mantissa;
  // The exponent as a number without an integer conversion (AVX2 has none for 64 bits): 2^mantissa
  // + biased.
  constexpr Bits offset = Bits{L::bias + L::mantissa} << L::mantissa;
  const T n = std::bit_cast<T>(biased | offset) - (std::bit_cast<T>(offset) + T(L::bias));
  const T f = std::bit_cast<T>((u & ((Bits{1} << L::mantissa) - 1)) + L::one_over_root2) - T{1};
  const T y = log_core(f, n);
  constexpr T inf = std::numeric_limits<T>::infinity();
  const T edge = x == T{0} ? -inf : std::numeric_limits<T>::quiet_NaN();
  const T upper = x < inf ? y : inf;
  return x > T{0} ? upper : edge;
}

/// tanh x for |x| <= 0.625, with z = x^2.
SV_HD inline float tanh_core(float x, float z) {
  float p = -5.70498872745e-3f;
  p = p * z + 2.06390887954e-2f;
  p = p * z - 5.37397155531e-2f;
  p = p * z + 1.33314422036e-1f;
  p = p * z - 3.33332819422e-1f;
  return p * z * x + x;
}
SV_HD inline double tanh_core(double x, double z) {
  const double p =
      (-9.64399179425052238628e-1 * z - 9.92877231001918586564e1) * z - 1.61468768441708447952e3;
  const double q = ((z + 1.12811678491632931402e2) * z + 2.23548839060100448583e3) * z +
                   4.84406305325125486048e3;
  return x + x * z * (p / q);
}

template <class T>
SV_HD inline T tanh(T x) {
  const T size = std::abs(x);
  const T large = T{1} - T{2} / (exp_poly(size + size) + T{1});
  const T small = tanh_core(size, size * size);
  const T y = size > T(0.625) ? large : small;
  return x < T{0} ? -y : y;
}

/// 1 / (1 + e^-x); 0 below -87 (float) or -708 (double), where it would cease to be a normal
/// number.
template <class T>
SV_HD inline T sigmoid(T x) {
  // e^-x with a bounded argument needs one factor 2^n only. The 0 is a constant of its own: a bound
  // alone lets the compiler fold x * sigmoid(-bound), and that product is a denormal, which costs
  // 100 times the rest.
  using L = Layout<T>;
  const T low = x < -L::sigmoid_bound ? -L::sigmoid_bound : x;
  const T in = low > L::sigmoid_bound ? L::sigmoid_bound : low;
  const T n = (in * T(-1.44269504088896340736) + L::round) - L::round;
  const T r = (-in - n * L::ln2_high) - n * L::ln2_low;
  const T y = T{1} / (T{1} + exp_core(r) * power_of_two(n));
  return x < -L::sigmoid_bound ? T{0} : y;
}

/// x sigmoid(x).
template <class T>
SV_HD inline T silu(T x) {
  return x * sigmoid(x);
}
template <class T>
SV_HD inline T silu_derivative(T x) {
  const T s = sigmoid(x);
  return s * (T{1} + x * (T{1} - s));
}

/// GELU in its tanh form, x/2 (1 + tanh(sqrt(2/pi) (x + 0.044715 x^3))) = x sigmoid(2 sqrt(2/pi)
/// (...)).
template <class T>
SV_HD inline T gelu(T x) {
  return x * sigmoid(T(1.5957691216057308) * (x + T(0.044715) * x * x * x));
}
template <class T>
SV_HD inline T gelu_derivative(T x) {
  const T s = sigmoid(T(1.5957691216057308) * (x + T(0.044715) * x * x * x));
  return s + x * s * (T{1} - s) * T(1.5957691216057308) * (T{1} + T(0.134145) * x * x);
}

/// log(1 + e^x) without overflow.
template <class T>
SV_HD inline T softplus(T x) {
  return (x < T{0} ? T{0} : x) + log_poly(T{1} + exp_poly(-std::abs(x)));
}

/// Sine and cosine of an angle up to 1e6 in size, in double (rotation tables are rounded from it).
SV_HD inline void sine_cosine(double x, double& sine, double& cosine) {
  const double n = (x * 6.36619772367581382433e-01 + 0x1.8p52) - 0x1.8p52;  // quarter turns
  // pi/2 in three pieces of 33 bits: n times the first two is exact.
  const double r = ((x - n * 1.57079632673412561417) - n * 6.07710050630396597660e-11) -
                   n * 2.02226624879595063154e-21;
  const double z = r * r;
  const double s6 = (1.58969099521155010221e-10 * z - 2.50507602534068634195e-08) * z +
                    2.75573137070700676789e-06;
  const double s =
      r + r * z *
              (((s6 * z - 1.98412698298579493134e-04) * z + 8.33333333332248946124e-03) * z -
               1.66666666666666324348e-01);
  const double c6 = (-1.13596475577881948265e-11 * z + 2.08757232129817482790e-09) * z -
                    2.75573143513906633035e-07;
  const double c =
      1.0 - 0.5 * z +
      z * z *
          (((c6 * z + 2.48015872894767294178e-05) * z - 1.38888888888741095749e-03) * z +
           4.16666666666666019037e-02);
  const uint64_t quarter = std::bit_cast<uint64_t>(n + 0x1.8p52) & 3;
  const double first = (quarter & 1) ? c : s;
  const double second = (quarter & 1) ? s : c;
  sine = quarter >= 2 ? -first : first;
  cosine = (quarter == 1 || quarter == 2) ? -second : second;
}

}  // namespace sv::point

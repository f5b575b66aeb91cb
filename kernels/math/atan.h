// The angle of a point, in float and double, by the rules of point.h: branch-free, without libm and
// without fused multiply-adds, NaN stays NaN. Within 3 ulp in float and 1e-15 relative in double
// (tests/kernels/point_test.cpp). Polynomials: atan of Cephes (Moshier).
#pragma once
#include "kernels/math/point.h"

namespace sv::point {

/// atan r for |r| <= tan(pi/8).
SV_HD inline float atan_core(float r) {
  const float z = r * r;
  float p = 8.05374449538e-2f;
  p = p * z - 1.38776856032e-1f;
  p = p * z + 1.99777106478e-1f;
  p = p * z - 3.33329491539e-1f;
  return p * z * r + r;
}
SV_HD inline double atan_core(double r) {
  const double z = r * r;
  double p = -8.750608600031904122785e-1;
  p = p * z - 1.615753718733365076637e1;
  p = p * z - 7.500855792314704667340e1;
  p = p * z - 1.228866684490136173410e2;
  p = p * z - 6.485021904942025371773e1;
  double q = z + 2.485846490142306297962e1;
  q = q * z + 1.650270098316988542046e2;
  q = q * z + 4.328810604912902668951e2;
  q = q * z + 4.853903996359136964868e2;
  q = q * z + 1.945506571482613964425e2;
  return r + r * z * (p / q);
}

/// atan2(y, x) for x >= 0: in [-pi/2, pi/2], 0 at the origin.
template <class T>
SV_HD inline T angle(T y, T x) {
  const T size = std::abs(y);
  const bool steep = size > x;
  const T large = steep ? size : x, small = steep ? x : size;
  const T t =
      large > T{0} ? small / large : T{0};  // tan of the angle to the nearer axis, in [0, 1]
  const bool wide = t > T(0.41421356237309504880);  // tan(pi/8)
  const T low = atan_core(wide ? (t - T{1}) / (t + T{1}) : t);
  const T near_axis = wide ? T(0.78539816339744830962) + low : low;
  const T a = steep ? T(1.57079632679489661923) - near_axis : near_axis;
  const T signed_angle = y < T{0} ? -a : a;
  return y != y || x != x ? y + x : signed_angle;
}

}  // namespace sv::point

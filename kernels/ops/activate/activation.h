// The activations as functions of one element, for host and device.
#pragma once
#include <cstdint>

#include "kernels/math/point.h"

namespace sv::ops {

enum class Activation : uint8_t {
  relu,
  gelu,
  silu,
  tanh,
  sigmoid,
  softplus,
  exp,
  log,
  relu_squared,
  step
};

struct Relu {
  template <class T>
  SV_HD static T value(T x) {
    return x < T{0} ? T{0} : x;  // this order keeps NaN
  }
  template <class T>
  SV_HD static T derivative(T x) {
    return x > T{0} ? T{1} : T{0};
  }
};
struct Gelu {
  template <class T>
  SV_HD static T value(T x) {
    return point::gelu(x);
  }
  template <class T>
  SV_HD static T derivative(T x) {
    return point::gelu_derivative(x);
  }
};
struct Silu {
  template <class T>
  SV_HD static T value(T x) {
    return point::silu(x);
  }
  template <class T>
  SV_HD static T derivative(T x) {
    return point::silu_derivative(x);
  }
};
struct Tanh {
  template <class T>
  SV_HD static T value(T x) {
    return point::tanh(x);
  }
  template <class T>
  SV_HD static T derivative(T x) {
    const T y = point::tanh(x);
    return T{1} - y * y;
  }
};
struct Sigmoid {
  template <class T>
  SV_HD static T value(T x) {
    return point::sigmoid(x);
  }
  template <class T>
  SV_HD static T derivative(T x) {
    const T y = point::sigmoid(x);
    return y * (T{1} - y);
  }
};
struct Softplus {
  template <class T>
  SV_HD static T value(T x) {
    return point::softplus(x);
  }
  template <class T>
  SV_HD static T derivative(T x) {
    return point::sigmoid(x);
  }
};
struct Exp {
  template <class T>
  SV_HD static T value(T x) {
    return point::exp_poly(x);
  }
  template <class T>
  SV_HD static T derivative(T x) {
    return point::exp_poly(x);
  }
};
struct Log {
  template <class T>
  SV_HD static T value(T x) {
    return point::log_poly(x);
  }
  template <class T>
  SV_HD static T derivative(T x) {
    return T{1} / x;
  }
};
struct ReluSquared {
  template <class T>
  SV_HD static T value(T x) {
    const T y = Relu::value(x);
    return y * y;
  }
  template <class T>
  SV_HD static T derivative(T x) {
    const T y = Relu::value(x);
    return y + y;
  }
};
/// A decision: no gradient passes.
struct Step {
  template <class T>
  SV_HD static T value(T x) {
    return x > T{0} ? T{1} : T{0};
  }
  template <class T>
  SV_HD static T derivative(T) {
    return T{0};
  }
};

}  // namespace sv::ops

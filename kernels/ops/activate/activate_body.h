// Kernels of activate: the kind is a number of the launch, the same for all threads.
#pragma once
#include "kernels/ops/activate/activation.h"
#include "kernels/ops/pointwise_body.h"

namespace sv::ops {

/// f(function of the kind), a float.
template <class F>
SV_DEVICE float with_kind(Activation kind, F&& f) {
  switch (kind) {
    case Activation::relu:
      return f(Relu{});
    case Activation::gelu:
      return f(Gelu{});
    case Activation::silu:
      return f(Silu{});
    case Activation::tanh:
      return f(Tanh{});
    case Activation::sigmoid:
      return f(Sigmoid{});
    case Activation::softplus:
      return f(Softplus{});
    case Activation::exp:
      return f(Exp{});
    case Activation::log:
      return f(Log{});
    case Activation::relu_squared:
      return f(ReluSquared{});
    case Activation::step:
      break;
  }
  return f(Step{});
}

struct ActivateElements {
  static constexpr const char* kName = "activate";
  static constexpr int kInputs = 1;
  using Numbers = Activation;
  SV_DEVICE static float value(Activation kind, const float* x) {
    return with_kind(kind, [=](auto function) { return function.value(x[0]); });
  }
};
/// dx = dy f'(x) from x, dy.
struct ActivateDx {
  static constexpr const char* kName = "activate_dx";
  static constexpr int kInputs = 2;
  using Numbers = Activation;
  SV_DEVICE static float value(Activation kind, const float* x) {
    return x[1] * with_kind(kind, [=](auto function) { return function.derivative(x[0]); });
  }
};

template <class Table>
void activate_kernels(Table& t) {
  t.template add<Pointwise<ActivateElements>>();
  t.template add<Pointwise<ActivateDx>>();
}

}  // namespace sv::ops

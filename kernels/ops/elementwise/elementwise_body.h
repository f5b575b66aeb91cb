// Kernels of the elementwise ops.
#pragma once
#include "kernels/ops/pointwise_body.h"

namespace sv::ops {

struct NoNumbers {};

struct AddElements {
  static constexpr const char* kName = "add";
  static constexpr int kInputs = 2;
  using Numbers = NoNumbers;
  SV_DEVICE static float value(const Numbers&, const float* x) { return x[0] + x[1]; }
};
struct MulElements {
  static constexpr const char* kName = "mul";
  static constexpr int kInputs = 2;
  using Numbers = NoNumbers;
  SV_DEVICE static float value(const Numbers&, const float* x) { return x[0] * x[1]; }
};
struct ScaleElements {
  static constexpr const char* kName = "scale";
  static constexpr int kInputs = 1;
  using Numbers = float;
  SV_DEVICE static float value(float s, const float* x) { return s * x[0]; }
};
struct AffineElements {
  static constexpr const char* kName = "affine";
  static constexpr int kInputs = 1;
  struct Numbers {
    float factor, added;
  };
  SV_DEVICE static float value(const Numbers& n, const float* x) {
    return n.factor * x[0] + n.added;
  }
};
struct MixElements {
  static constexpr const char* kName = "mix";
  static constexpr int kInputs = 2;
  struct Numbers {
    float alpha, beta;
  };
  SV_DEVICE static float value(const Numbers& n, const float* x) {
    return n.alpha * x[0] + n.beta * x[1];
  }
};
struct PutElements {
  static constexpr const char* kName = "put";
  static constexpr int kInputs = 1;
  using Numbers = NoNumbers;
  SV_DEVICE static float value(const Numbers&, const float* x) { return x[0]; }
};

template <class Table>
void elementwise_kernels(Table& t) {
  t.template add<Pointwise<AddElements>>();
  t.template add<Pointwise<MulElements>>();
  t.template add<Pointwise<ScaleElements>>();
  t.template add<Pointwise<AffineElements>>();
  t.template add<Pointwise<MixElements>>();
  t.template add<Pointwise<PutElements>>();
}

}  // namespace sv::ops

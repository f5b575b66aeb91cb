// Kernels of functions of one element: out (=|+=) value(in...), blocks of 1024 elements of one
// model, 16 bytes at once where the pointers allow it.
#pragma once
#include <cstdint>

#include "kernels/simt/context.h"
#include "kernels/simt/live_models.h"

namespace sv::ops {

inline constexpr int kPointThreads = 256;
inline constexpr int kPointElements = 4 * kPointThreads;  // of a block

/// F has kName, kInputs (1 to 3), Numbers (constants of the launch) and value(numbers, x), x an
/// array of the inputs' elements.
template <class F>
struct Pointwise {
  static constexpr const char* kName = F::kName;
  struct Args {
    const float* in[F::kInputs];  // (M, size)
    float* out;                   // (M, size)
    int64_t size;
    bool adds;
    bool vector;
    typename F::Numbers numbers;
    LiveModels models;
  };

  template <class C>
  SV_DEVICE static void body(C& ctx, const Args& a) {
    const int64_t base = a.models.model(ctx.block_y()) * a.size;
    const int64_t first = static_cast<int64_t>(ctx.block_x()) * kPointElements;
    if (a.vector) {
      const int64_t at = first + 4 * ctx.thread();
      if (at < a.size) {
        four(a, base + at);
      }
      return;
    }
    for (int k = 0; k < 4; ++k) {
      const int64_t at = first + k * kPointThreads + ctx.thread();
      if (at < a.size) {
        one(a, base + at);
      }
    }
  }

 private:
  SV_DEVICE static void four(const Args& a, int64_t at) {
    simt::Float4 in[F::kInputs], out;
    for (int i = 0; i < F::kInputs; ++i) {
      in[i] = simt::load4(a.in[i] + at);
    }
    if (a.adds) {
      out = simt::load4(a.out + at);
    }
    for (int k = 0; k < 4; ++k) {
      float x[F::kInputs];
      for (int i = 0; i < F::kInputs; ++i) {
        x[i] = in[i].at[k];
      }
      const float y = F::value(a.numbers, x);
      out.at[k] = a.adds ? out.at[k] + y : y;
    }
    simt::store4(a.out + at, out);
  }
  SV_DEVICE static void one(const Args& a, int64_t at) {
    float x[F::kInputs];
    for (int i = 0; i < F::kInputs; ++i) {
      x[i] = a.in[i][at];
    }
    const float y = F::value(a.numbers, x);
    a.out[at] = a.adds ? a.out[at] + y : y;
  }
};

}  // namespace sv::ops

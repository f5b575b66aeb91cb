// Every VJP against central differences of the op itself in double, and the f32 VJP against the f64
// one.
#include <cmath>

#include "kernels/op_cases.h"

namespace sv::cases {
namespace {

class OpGradient : public OpTest {};

constexpr int64_t kProbes = 64;  // elements differenced per input; all of them when there are fewer

double element(const Tensor& t, int64_t i) {
  return t.dtype == DType::f64 ? t.as<double>()[i] : static_cast<double>(t.as<float>()[i]);
}

/// d(sum cotangent * output)/d(input element), by central differences; differences are taken per
/// output element before the sum, so that large outputs do not cost digits.
double difference(CaseRun& run, size_t input, int64_t index) {
  double& x = run.inputs()[input].tensor().as<double>()[index];
  const double centre = x;
  const double h = 1e-5 * std::max(1.0, std::abs(centre));
  Arrays up;
  x = centre + h;
  run.forward(1);
  for (const Guarded& out : run.outputs()) {
    up.push_back(out.read());
  }
  x = centre - h;
  run.forward(1);
  double total = 0;
  for (size_t o = 0; o < up.size(); ++o) {
    const Guarded& dout = run.cotangents()[o];
    for (int64_t i = 0; i < dout.tensor().numel(); ++i) {
      total += element(dout.tensor(), i) *
               (up[o][static_cast<size_t>(i)] - element(run.outputs()[o].tensor(), i));
    }
  }
  x = centre;
  return total / (2 * h);
}

void check_input(CaseRun& run, size_t input, const Array& gradient) {
  const int64_t count = static_cast<int64_t>(gradient.size());
  const Rng rng(3, static_cast<uint32_t>(input));
  double scale = 0, worst = 0;
  int64_t worst_at = 0;
  for (int64_t k = 0; k < std::min(count, kProbes); ++k) {
    const int64_t i =
        count <= kProbes ? k : rng.below(static_cast<uint64_t>(k), static_cast<uint32_t>(count));
    const double expected = difference(run, input, i);
    const double error = std::abs(expected - gradient[static_cast<size_t>(i)]);
    scale = std::max(scale, std::abs(expected));
    if (!(error <= worst)) {
      worst = error;
      worst_at = i;
    }
  }
  EXPECT_LE(worst, 1e-6 * std::max(scale, 1e-3))
      << "d" << run.description().inputs[input].name << "[" << worst_at
      << "] = " << gradient[static_cast<size_t>(worst_at)] << ", central differences are off by "
      << worst;
}

TEST_P(OpGradient, MatchesCentralDifferences) {
  each_case([](const Case& c) {
    if (!c.vjp) {
      return;
    }
    CaseRun run(c, DType::f64);
    run.forward(1);
    run.backward(1);
    for (size_t i = 0; i < c.inputs.size(); ++i) {
      if (c.inputs[i].differentiable) {
        check_input(run, i, run.gradients()[i].read());
      }
    }
  });
}

TEST_P(OpGradient, InSingleMatchesTheOneInDouble) {
  each_case([](const Case& c) {
    if (!c.vjp) {
      return;
    }
    CaseRun single(c, DType::f32), twice(c, DType::f64);
    for (CaseRun* run : {&single, &twice}) {
      run->forward(1);
      run->backward(1);
    }
    for (size_t i = 0; i < c.inputs.size(); ++i) {
      const Array got = single.gradients()[i].read(), expected = twice.gradients()[i].read();
      double scale = 1;
      for (const double e : expected) {
        scale = std::max(scale, std::abs(e));
      }
      for (size_t k = 0; k < got.size(); ++k) {
        // Ten times the forward tolerance: a VJP chains two or three ops of the forward's length.
        ASSERT_NEAR(got[k], expected[k], 10 * std::max(c.tolerance.f32, 1e-7) * scale)
            << c.inputs[i].name << k;
      }
    }
  });
}

INSTANTIATE_TEST_SUITE_P(All, OpGradient, testing::ValuesIn(all_cases()), op_name);

}  // namespace
}  // namespace sv::cases

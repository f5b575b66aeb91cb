#include "simt/tensor_products.h"

#include <cmath>
#include <cstring>

#include "kernels/ops/matmul/cases.h"
#include "simt/device_case.h"

namespace sv::cases {

namespace {

struct Strided {
  const Array& values;
  int64_t row, step;  // distances in it
  double at(int64_t r, int64_t k) const { return values[static_cast<size_t>(r * row + k * step)]; }
};

Exact exact(const Strided& a, const Strided& b, int64_t R, int64_t C, int64_t depth) {
  Exact e;
  for (int64_t r = 0; r < R; ++r) {
    for (int64_t c = 0; c < C; ++c) {
      double sum = 0, size = 0;
      for (int64_t k = 0; k < depth; ++k) {
        const double product = a.at(r, k) * b.at(c, k);
        sum += product;
        size += std::abs(product);
      }
      e.sum.push_back(sum);
      e.size.push_back(size);
    }
  }
  return e;
}

float rounded(float x, Precision precision) {
  if (precision == Precision::bf16) {
    return static_cast<float>(bf16(x));
  }
  int exponent;
  const double mantissa = std::frexp(static_cast<double>(x), &exponent);
  return static_cast<float>(std::ldexp(std::round(mantissa * 2048), exponent - 11));
}
Array rounded(Array values, Precision precision) {
  for (double& x : values) {
    x = static_cast<double>(rounded(static_cast<float>(x), precision));
  }
  return values;
}

/// The product of rounded operands in f32, one after the other: what a plain program would do.
Array plain(const Strided& a, const Strided& b, int64_t R, int64_t C, int64_t depth) {
  Array out;
  for (int64_t r = 0; r < R; ++r) {
    for (int64_t c = 0; c < C; ++c) {
      float sum = 0;
      for (int64_t k = 0; k < depth; ++k) {
        sum = std::fma(static_cast<float>(a.at(r, k)), static_cast<float>(b.at(c, k)), sum);
      }
      out.push_back(static_cast<double>(sum));
    }
  }
  return out;
}

double largest_error(const Array& got, const Array& expected) {
  double worst = 0;
  for (size_t i = 0; i < expected.size(); ++i) {
    worst = std::max(worst, std::abs(got[i] - expected[i]));
  }
  return worst;
}

}  // namespace

std::vector<float> floats(const std::vector<std::byte>& bytes) {
  std::vector<float> values(bytes.size() / sizeof(float));
  std::memcpy(values.data(), bytes.data(), values.size() * sizeof(float));
  return values;
}

std::vector<Exact> exact_products(
    const Array& x, const Array& w, const Array& dy, int64_t N, int64_t K, int64_t O) {
  return {exact({x, K, 1}, {w, K, 1}, N, O, K),
          exact({dy, O, 1}, {w, 1, K}, N, K, O),
          exact({dy, 1, O}, {x, 1, K}, O, K, N)};
}

TensorErrors tensor_errors(Device& device, Precision precision, int64_t N, int64_t K, int64_t O) {
  Case c = matmul_mode_case("case", {1, N, K, O, false}, {precision});
  c.inputs = matmul_case("case", {1, N, K, O, false}).inputs;  // not rounded yet
  c.outputs[0].cotangent = normal("cotangent.y", c.outputs[0].shape).values;
  CaseRun host(c, DType::f32);
  const DeviceResult result = run_on_device(device, host, {});
  const std::vector<std::byte>* got[] = {
      &result.outputs[0], &result.gradients[0], &result.gradients[1]};
  const Array &x = c.inputs[0].values, &w = c.inputs[1].values, &dy = c.outputs[0].cotangent;
  const Array rx = rounded(x, precision), rw = rounded(w, precision), rdy = rounded(dy, precision);
  const std::vector<Exact> of_given = exact_products(x, w, dy, N, K, O),
                           of_rounded = exact_products(rx, rw, rdy, N, K, O);
  const Array of_plain[] = {plain({rx, K, 1}, {rw, K, 1}, N, O, K),
                            plain({rdy, O, 1}, {rw, 1, K}, N, K, O),
                            plain({rdy, 1, O}, {rx, 1, K}, O, K, N)};
  const int64_t depth[] = {K, O, N};
  TensorErrors e;
  for (size_t p = 0; p < 3; ++p) {
    const std::vector<float> values = floats(*got[p]);
    const Array wide(values.begin(), values.end());
    for (size_t i = 0; i < wide.size(); ++i) {
      const double bound = 1.01 * static_cast<double>(depth[p]) * kHalfUlp * of_rounded[p].size[i];
      e.of_bound = std::max(e.of_bound, std::abs(wide[i] - of_rounded[p].sum[i]) / bound);
    }
    e.of_plain = std::max(
        e.of_plain,
        largest_error(wide, of_given[p].sum) / largest_error(of_plain[p], of_given[p].sum));
  }
  return e;
}

}  // namespace sv::cases

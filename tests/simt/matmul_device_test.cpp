// matmul on the executor beyond what every op is tested for: the CPU's bits in f32, the error of
// partial sums and of tensor cores within bounds stated beforehand, and what is refused.
#include "kernels/ops/matmul/matmul_device.h"

#include <gtest/gtest.h>

#include <cmath>

#include "kernels/cpu/isa.h"
#include "kernels/simt/memory_faults.h"
#include "kernels/simt/simt_device.h"
#include "simt/device_case.h"
#include "simt/device_shapes.h"
#include "simt/tensor_products.h"

namespace sv::cases {
namespace {

void expect_bits(const std::vector<std::byte>& got, const Guarded& cpu, const std::string& what) {
  ASSERT_EQ(got.size(), cpu.tensor().bytes()) << what;
  EXPECT_EQ(std::memcmp(got.data(), cpu.tensor().data, got.size()), 0) << what;
}

/// y, dx and (unless it is in parts) dw have the CPU's bits.
void expect_cpu_bits(const Case& c) {
  simt::SimtDevice device;
  for (const GradientMode mode : {GradientMode::overwrite, GradientMode::accumulate}) {
    CaseRun host(c, DType::f32);
    const DeviceResult got = run_on_device(device, host, {.mode = mode});
    host.forward(1);
    host.backward(1, mode);
    expect_bits(got.outputs[0], host.outputs()[0], c.name + ": y");
    expect_bits(got.gradients[0], host.gradients()[0], c.name + ": dx");
    const int64_t N = c.inputs[0].shape[1];
    if (c.inputs[1].differentiable && N <= ops::device::rows_per_part(N)) {
      expect_bits(got.gradients[1], host.gradients()[1], c.name + ": dw");
    }
  }
}

TEST(MatmulDevice, HasTheBitsOfTheCpu) {
  if (cpu::isa() == cpu::Isa::portable) {
    GTEST_SKIP() << "the portable kernels round products and sums apart";
  }
  int compared = 0;
  for (const Case& c : device_cases("matmul")) {
    if (c.name.find("tf32") == std::string::npos && c.name.find("bf16") == std::string::npos) {
      expect_cpu_bits(c);
      ++compared;
    }
  }
  EXPECT_GE(compared, 10);
}

// The last step of the depth is filled up: a sum that is -0 must stay -0.
TEST(MatmulDevice, KeepsTheSignOfAZeroAtTheEndOfTheDepth) {
  if (cpu::isa() == cpu::Isa::portable) {
    GTEST_SKIP() << "the portable kernels round products and sums apart";
  }
  Case c = matmul_case("M1 N3 K5 O3", {1, 3, 5, 3, false});
  std::fill(c.inputs[0].values.begin(), c.inputs[0].values.end(), -0x1p-100);
  std::fill(c.inputs[1].values.begin(), c.inputs[1].values.end(), 0x1p-100);
  c.outputs[0].cotangent = Array(9, 0x1p-100);
  expect_cpu_bits(c);
  simt::SimtDevice device;
  CaseRun host(c, DType::f32);
  EXPECT_TRUE(std::signbit(floats(run_on_device(device, host, {}).outputs[0])[0]));
}

TEST(MatmulDevice, CutsManyRowsByTheirNumberAlone) {
  using ops::device::rows_per_part;
  for (const int64_t N : {0, 1, 511, 512, 513, 32768}) {
    EXPECT_EQ(rows_per_part(N), 512) << N;
  }
  EXPECT_EQ(rows_per_part(32769), 1024);
  for (const int64_t N : {100000, 1000000, 123456789}) {
    EXPECT_LE((N + rows_per_part(N) - 1) / rows_per_part(N), 64) << N;
  }
}

// A chain of n sums of fused products is off by at most n half ulps of the sum of absolute values
// (to first order, hence the 1.01); parts add one more for each of them.
TEST(MatmulDevice, ManyRowsStayWithinTheBoundOfTheirSums) {
  constexpr int64_t N = 1100, K = 12, O = 15;
  const Case c = matmul_case("M1 N1100", {1, N, K, O, false});
  simt::SimtDevice device;
  CaseRun host(c, DType::f32);
  const std::vector<float> dw = floats(run_on_device(device, host, {}).gradients[1]);
  const Exact e = exact_products(
      c.inputs[0].values, c.inputs[1].values, host.cotangents()[0].read(), N, K, O)[2];
  for (size_t i = 0; i < dw.size(); ++i) {
    ASSERT_LE(std::abs(static_cast<double>(dw[i]) - e.sum[i]),
              1.01 * (512 + 3) * kHalfUlp * e.size[i])
        << i;
  }
}

TEST(MatmulDevice, AskingForLessMemoryChangesNoBits) {
  constexpr int64_t M = 5, N = 600, K = 6, O = 7;
  simt::SimtDevice device;
  const std::vector<int> list = {0, 1, 3, 4};
  std::vector<std::vector<float>> results;
  for (const int64_t most : {int64_t{1} << 20, 3 * 2 * O * K, int64_t{1}}) {
    Arena arena(device, 1);
    const Context ctx{&arena, 1, list, &device};
    const auto put = [&](const Shape& shape, const char* name) {
      const Tensor t = make_tensor(arena, shape, DType::f32);
      const Array values = normal(name, shape).values;
      const std::vector<float> narrow(values.begin(), values.end());
      device.to_device(t.data, narrow.data(), t.bytes());
      return t;
    };
    const Tensor x = put({M, N, K}, "x"), w = put({M, O, K}, "w"), dy = put({M, N, O}, "dy"),
                 dw = put({M, O, K}, "dw");
    ops::device::matmul_vjp(ctx, x, w, dy, {}, {dw, GradientMode::accumulate}, {}, most);
    std::vector<float> got(static_cast<size_t>(dw.numel()));
    device.to_host(got.data(), dw.data, dw.bytes());
    results.push_back(got);
  }
  EXPECT_EQ(results[1], results[0]) << "launches of three models";
  EXPECT_EQ(results[2], results[0]) << "launches of one model";
}

// --- tensor cores

/// Against the exact product of rounded operands, within the bound of the sums (so operands were
/// rounded, to this format); and against that of the given operands, at most twice as far off as a
/// plain program with the same rounding.
void expect_tensor_products(Precision precision, int64_t N, int64_t K, int64_t O) {
  simt::SimtDevice device;
  const TensorErrors e = tensor_errors(device, precision, N, K, O);
  EXPECT_LE(e.of_bound, 1);
  EXPECT_LE(e.of_plain, 2);
  EXPECT_GT(e.of_plain, 0) << "nothing was rounded";
}

TEST(MatmulDevice, Tf32IsAsGoodAsPlainSumsOfRoundedOperands) {
  expect_tensor_products(Precision::tf32, 70, 65, 67);
  expect_tensor_products(Precision::tf32, 33, 128, 64);
}

TEST(MatmulDevice, Bf16IsAsGoodAsPlainSumsOfRoundedOperands) {
  expect_tensor_products(Precision::bf16, 70, 65, 67);
  expect_tensor_products(Precision::bf16, 33, 128, 64);
}

/// y with every tensor `shift` elements past an alignment of 256 bytes.
std::vector<float> y_at(Precision precision, int64_t shift) {
  simt::SimtDevice device;
  Arena arena(device, 1);
  Context ctx{&arena, 1, {}, &device};
  ctx.precision = precision;
  const auto shifted = [&](const Shape& shape, const char* name) {
    const Tensor whole = make_tensor(arena, {shape.numel() + shift}, DType::f32);
    Array values = normal(name, shape).values;
    values.insert(values.begin(), static_cast<size_t>(shift), 0.0);
    const std::vector<float> narrow(values.begin(), values.end());
    device.to_device(whole.data, narrow.data(), whole.bytes());
    return Tensor{shape, DType::f32, static_cast<float*>(whole.data) + shift};
  };
  const Tensor x = shifted({2, 40, 36}, "x"), w = shifted({2, 68, 36}, "w"),
               y = shifted({2, 40, 68}, "y");
  ops::matmul(ctx, x, w, {}, y);
  std::vector<float> got(static_cast<size_t>(y.numel()));
  device.to_host(got.data(), y.data, y.bytes());
  return got;
}

TEST(MatmulDevice, BitsDoNotDependOnTheAlignmentOfPointers) {
  for (const Precision precision : {Precision::f32, Precision::tf32, Precision::bf16}) {
    EXPECT_EQ(y_at(precision, 0), y_at(precision, 1)) << static_cast<int>(precision);
  }
}

/// The message of the Error that f throws.
template <class F>
std::string error_of(F&& f) {
  try {
    f();
  } catch (const Error& e) {
    return e.what();
  }
  return "no error";
}

TEST(MatmulDevice, RefusesWhatItDoesNotDo) {
  simt::SimtDevice device;
  const Context ctx{nullptr, 1, {}, &device};
  const Tensor x({1, 1, 4}, DType::f32, nullptr), w({1, 2, 4}, DType::f32, nullptr),
      y({1, 1, 2}, DType::f32, nullptr);
  float word = 0;
  const ops::Panels panels{{{1, 1}, DType::f32, &word}, {{1, 1}, DType::f32, &word}};
  EXPECT_NE(error_of([&] { ops::matmul(ctx, x, w, {}, y, panels); }).find("take no panels"),
            std::string::npos);
  EXPECT_NE(error_of([&] { ops::pack_panels(ctx, w, panels); }).find("panels are the CPU's"),
            std::string::npos);
  const int64_t wide = int64_t{1} << 24;
  const Tensor wide_x({1, 1, wide}, DType::f32, nullptr), wide_w({1, 2, wide}, DType::f32, nullptr);
  EXPECT_NE(error_of([&] { ops::matmul(ctx, wide_x, wide_w, {}, y); }).find("widths below 2^24"),
            std::string::npos);
}

TEST(MatmulDevice, TheCpuRefusesTensorCores) {
  Context ctx;
  ctx.precision = Precision::bf16;
  const Tensor x({1, 1, 4}, DType::f32, nullptr), w({1, 2, 4}, DType::f32, nullptr),
      y({1, 1, 2}, DType::f32, nullptr);
  EXPECT_NE(error_of([&] { ops::matmul(ctx, x, w, {}, y); }).find("need a device"),
            std::string::npos);
}

}  // namespace
}  // namespace sv::cases

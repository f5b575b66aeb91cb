// mlp on the executor: the bits of its three ops, whatever the rows of a block; what it refuses.
#include <gtest/gtest.h>

#include "core/rng.h"
#include "kernels/memory/copy.h"
#include "kernels/ops/activate/activate.h"
#include "kernels/ops/matmul/matmul.h"
#include "kernels/ops/mlp/mlp_device.h"
#include "kernels/ops/silu_gate/silu_gate.h"
#include "kernels/simt/memory_faults.h"
#include "kernels/simt/simt_device.h"

namespace sv::cases {
namespace {

struct Shapes {
  int64_t M, N, D, F;
  bool gated;
};

class MlpDevice : public testing::Test {
 protected:
  Tensor random(const Shape& shape, double scale) {
    const Tensor x = host_tensor(ctx_, shape, DType::f32);
    const Rng rng(5, stream_of("mlp"), next_++);
    for (int64_t i = 0; i < x.numel(); ++i) {
      x.as<float>()[i] = static_cast<float>(scale * rng.normal(static_cast<uint64_t>(i)));
    }
    return to_device(ctx_, x);
  }
  void draw(const Shapes& s) {
    memory_.reset();
    const int64_t wide = s.gated ? 2 * s.F : s.F;
    x_ = random({s.M, s.N, s.D}, 1);
    w_ = {random({s.M, wide, s.D}, 0.3),
          random({s.M, wide}, 1),
          random({s.M, s.D, s.F}, 0.3),
          random({s.M, s.D}, 1),
          s.gated};
  }
  std::vector<float> one_by_one(const Shapes& s) {
    const Tensor a = make_tensor(*ctx_.arena, {s.M, s.N, w_.up.dim(1)}, DType::f32);
    const Tensor h = make_tensor(*ctx_.arena, {s.M, s.N, s.F}, DType::f32);
    const Tensor y = make_tensor(*ctx_.arena, x_.shape, DType::f32);
    ops::matmul(ctx_, x_, w_.up, w_.up_bias, a);
    if (s.gated) {
      ops::silu_gate(ctx_, a, h);
    } else {
      ops::activate(ctx_, ops::Activation::gelu, a, h);
    }
    ops::matmul(ctx_, h, w_.down, w_.down_bias, y);
    return numbers(y);
  }
  std::vector<float> at_once(int64_t few_blocks) {
    const Tensor y = make_tensor(*ctx_.arena, x_.shape, DType::f32);
    ops::device::mlp(ctx_, x_, w_, y, few_blocks);
    return numbers(y);
  }
  std::vector<float> numbers(const Tensor& x) {
    std::vector<float> out(static_cast<size_t>(x.numel()));
    read_tensor(&device_, out.data(), x);
    return out;
  }

  simt::SimtDevice device_;
  simt::MemoryFaults faults_{device_.memory()};
  Workspace memory_{&device_, size_t{1} << 20};
  Context ctx_ = memory_.context(1);
  Tensor x_;
  ops::MlpWeights w_;
  uint64_t next_ = 0;
};

TEST_F(MlpDevice, HasTheBitsOfItsOpsInBlocksOfAnySize) {
  for (const Shapes& s : {Shapes{2, 70, 12, 37, true},
                          Shapes{2, 70, 16, 70, false},
                          Shapes{1, 37, 68, 40, true},
                          Shapes{1, 5, 132, 8, true}}) {
    SCOPED_TRACE(testing::Message() << "D" << s.D << " F" << s.F);
    draw(s);
    const std::vector<float> want = one_by_one(s);
    for (const int64_t few_blocks : {int64_t{1}, ops::device::kFewMlpBlocks}) {
      EXPECT_EQ(at_once(few_blocks), want);
      device_.set_schedule(simt::schedules(3).back());
      EXPECT_EQ(at_once(few_blocks), want) << "under another schedule";
      device_.set_schedule({});
    }
  }
}

TEST_F(MlpDevice, RefusesWhatItDoesNotDo) {
  const auto said = [&] {
    try {
      at_once(1);
    } catch (const Error& e) {
      return std::string(e.what());
    }
    return std::string("no error");
  };
  draw({1, 2, 8, 4, true});
  ctx_.precision = Precision::bf16;
  EXPECT_NE(said().find("in f32 alone"), std::string::npos) << said();
  ctx_.precision = Precision::f32;
  draw({1, 1, 260, 4, true});
  EXPECT_NE(said().find("widths to 256, got 260"), std::string::npos) << said();
}

}  // namespace
}  // namespace sv::cases

// What ops refuse, and that the message names place and value; edge values that cases cannot
// express.
#include <gtest/gtest.h>

#include <cmath>
#include <functional>

#include "kernels/ops/adamw/adamw.h"
#include "kernels/ops/compact/compact.h"
#include "kernels/ops/embed/embed.h"
#include "kernels/ops/linear_xent/linear_xent.h"
#include "kernels/ops/matmul/matmul.h"
#include "kernels/ops/reduce/reduce.h"
#include "kernels/ops/rmsnorm/rmsnorm.h"
#include "kernels/ops/rope/rope.h"
#include "kernels/ops/rows/rows.h"
#include "kernels/ops/sample/sample.h"
#include "kernels/ops/softmax_xent/softmax_xent.h"

namespace sv::ops {
namespace {

class OpCheck : public testing::Test {
 protected:
  Tensor real(const Shape& shape, float value = 0) {
    const Tensor t = make_tensor(arena_, shape, DType::f32);
    std::fill(t.as<float>(), t.as<float>() + t.numel(), value);
    return t;
  }
  Tensor ints(const Shape& shape, int32_t value = 0) {
    const Tensor t = make_tensor(arena_, shape, DType::i32);
    std::fill(t.as<int32_t>(), t.as<int32_t>() + t.numel(), value);
    return t;
  }
  /// The message of the Error that f throws.
  static std::string message(const std::function<void()>& f) {
    try {
      f();
    } catch (const Error& e) {
      return e.what();
    }
    return "nothing was thrown";
  }
  Arena arena_;
  Context ctx_{&arena_, 1, {}};
};

TEST_F(OpCheck, EmbedNamesTheIdThatIsNotInTheTable) {
  const Tensor ids = ints({2, 2, 3});
  ids.as<int32_t>()[6 + 3 + 2] = 9;
  const std::string text = message([&] { embed(ctx_, ids, real({2, 4, 5}), real({2, 2, 3, 5})); });
  EXPECT_NE(text.find("ids[1, 1, 2] = 9"), std::string::npos) << text;
}

TEST_F(OpCheck, CrossEntropyNamesTheTargetThatIsNoClass) {
  const Tensor targets = ints({1, 2, 3});
  targets.as<int32_t>()[4] = -2;
  const std::string text = message([&] {
    softmax_xent(ctx_,
                 real({2, 2, 3, 4}),
                 targets,
                 real({1, 2, 3}),
                 real({2}),
                 real({2, 2, 3}),
                 real({2, 2, 3}));
  });
  EXPECT_NE(text.find("targets[0, 1, 1] = -2"), std::string::npos) << text;
}

TEST_F(OpCheck, LinearCrossEntropyNamesTheTargetThatIsNoClass) {
  const Tensor targets = ints({2, 2, 3});
  targets.as<int32_t>()[6 + 5] = 4;
  const LinearXentInputs in{real({2, 2, 3, 5}), real({2, 4, 5}), {}, targets, real({1, 2, 3})};
  const std::string text = message([&] {
    linear_xent(ctx_, in, real({2}), real({2, 2, 3}), real({2, 2, 3}));
  });
  EXPECT_NE(text.find("targets[1, 1, 2] = 4"), std::string::npos) << text;
}

TEST_F(OpCheck, LiveRowsAreThoseOfTheBatch) {
  const Tensor rows = ints({2, 4}, -1), x = real({2, 4, 3});
  rows.as<int32_t>()[4 + 1] = 4;
  std::string text = message([&] { gather_live(ctx_, x, rows, real({2, 2, 3})); });
  EXPECT_NE(text.find("rows[1, 1] = 4"), std::string::npos) << text;
  EXPECT_EQ(message([&] {
              gather_live(ctx_, x, rows, real({2, 1, 3}));
            }),
            "nothing was thrown")
      << "the second entry is not used";
  text = message([&] { scatter_live(ctx_, real({2, 5, 3}), rows, x); });
  EXPECT_NE(text.find("y has 5 rows, the list 4"), std::string::npos) << text;
}

TEST_F(OpCheck, SampleRefusesATemperatureOfZero) {
  const std::string text = message([&] {
    sample(ctx_, real({1, 2, 3, 4}), ints({1, 2}), {0, 0, 0.0}, ints({1, 2, 3}));
  });
  EXPECT_NE(text.find("temperature is 0"), std::string::npos) << text;
}

TEST_F(OpCheck, AdamWClipsInOneWayOnly) {
  const Tensor t = real({2, 3});
  const double lr[2] = {}, scale[2] = {1, 1};
  AdamWStep s;
  s.lr = lr;
  s.grad_scale = scale;
  s.clip = 1;
  s.squares = make_tensor(arena_, {2}, DType::f64);
  const std::string text = message([&] { adamw(ctx_, t, t, t, t, {}, s); });
  EXPECT_NE(text.find("not by both"), std::string::npos) << text;
}

TEST_F(OpCheck, ShapesAreNamedWithBothSides) {
  const std::string text = message([&] {
    rmsnorm(ctx_, real({2, 3, 4}), real({2, 5}), 1e-6, real({2, 3, 4}), real({2, 3}));
  });
  EXPECT_NE(text.find("gain has shape (2, 5), expected (2, 4)"), std::string::npos) << text;
}

TEST_F(OpCheck, RopeRefusesAnOddHeadWidth) {
  const Tensor x = real({1, 1, 2, 6});
  EXPECT_THROW(rope(ctx_, x, {2, 10000}, false, x), Error);
}

TEST_F(OpCheck, ScatterRefusesARowNamedTwice) {
  const Tensor rows = ints({1, 2}, 1);
  const std::string text = message([&] {
    scatter_rows(ctx_, real({1, 2, 3}), rows, real({1, 4, 3}));
  });
  EXPECT_NE(text.find("rows[0, 1] = 1 was named before"), std::string::npos) << text;
}

TEST_F(OpCheck, AdamWNeedsALearningRate) {
  const Tensor p = real({1, 4});
  EXPECT_THROW(adamw(ctx_, p, p, p, p, {}, {}), Error);
}

TEST_F(OpCheck, AStateThatDoesNotMoveHasNoChangeEvenAtZero) {
  const Tensor zero = real({1, 2, 3, 4}), out = real({1, 2}, 7);
  change(ctx_, zero, zero, out);
  EXPECT_EQ(out.as<float>()[0], 0.0f);
  change(ctx_, zero, real({1, 2, 3, 4}, 1), out);
  EXPECT_TRUE(std::isinf(out.as<float>()[1]));
}

TEST_F(OpCheck, AnIgnoredRowHasNoGradientEvenWhereItsLogitsAreNan) {
  const Tensor logits = real({1, 1, 2, 3}), d = real({1, 1, 2, 3}), rows = real({1, 1, 2}, 1),
               loss = real({1}, 1);
  logits.as<float>()[1] = NAN;
  const Tensor targets = ints({1, 1, 2});
  targets.as<int32_t>()[0] = -1;
  const Tensor nll = real({1, 1, 2}), logz = real({1, 1, 2});
  softmax_xent(ctx_, logits, targets, rows, loss, nll, logz);
  EXPECT_FLOAT_EQ(loss.as<float>()[0], std::log(3.0f));
  softmax_xent_vjp(ctx_, logits, targets, rows, logz, real({1}, 1), {d, GradientMode::overwrite});
  for (int i = 0; i < 3; ++i) {
    EXPECT_EQ(d.as<float>()[i], 0.0f);
  }
}

TEST_F(OpCheck, ANanInARowReachesItsLoss) {
  const Tensor logits = real({1, 1, 1, 3}), loss = real({1}), rows = real({1, 1, 1}, 1);
  logits.as<float>()[2] = NAN;
  softmax_xent(ctx_, logits, ints({1, 1, 1}), rows, loss, real({1, 1, 1}), real({1, 1, 1}));
  EXPECT_TRUE(std::isnan(loss.as<float>()[0]));
}

/// Weights in bf16 give the bits of the same values in f32, packed by the call or before it.
TEST_F(OpCheck, WeightsInBfloat16AreTheirValuesInF32) {
  constexpr int64_t M = 2, N = 5, K = 37, O = 21;
  const Tensor x = real({M, N, K}), w = real({M, O, K}), y = real({M, N, O}), dx = real({M, N, K});
  const Buffer narrow({M, O, K}, DType::bf16);
  for (int64_t i = 0; i < w.numel(); ++i) {
    x.as<float>()[i % x.numel()] = std::sin(static_cast<float>(i));
    narrow.tensor().as<bf16>()[i] = bf16(std::cos(static_cast<float>(i)));
    w.as<float>()[i] = static_cast<float>(narrow.tensor().as<bf16>()[i]);
  }
  matmul(ctx_, x, w, {}, y);
  const std::vector<float> want(y.as<float>(), y.as<float>() + y.numel());
  const Panels panels = {real({M, panel_elements_y(DType::f32, O, K)}),
                         real({M, panel_elements_dx(DType::f32, O, K)})};
  pack_panels(ctx_, narrow, panels);
  for (const Panels& p : {Panels{}, panels}) {
    y.zero();
    matmul(ctx_, x, narrow, {}, y, p);
    EXPECT_EQ(std::vector<float>(y.as<float>(), y.as<float>() + y.numel()), want);
  }
  matmul_vjp(ctx_, x, w, y, {dx, GradientMode::overwrite}, {}, {});
  const std::vector<float> back(dx.as<float>(), dx.as<float>() + dx.numel());
  matmul_vjp(ctx_, x, narrow, y, {dx, GradientMode::overwrite}, {}, {}, panels);
  EXPECT_EQ(std::vector<float>(dx.as<float>(), dx.as<float>() + dx.numel()), back);
  const Grad dw{real({M, O, K}), GradientMode::overwrite};
  EXPECT_THROW(matmul_vjp(ctx_, x, narrow, y, {}, dw, {}), Error);
}

}  // namespace
}  // namespace sv::ops

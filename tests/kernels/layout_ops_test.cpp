// The differentiable ops that move values, and the grouped product, through the tape: gradients
// against central differences where a value is used twice, lists of models, and what is refused.
#include <gtest/gtest.h>

#include <functional>

#include "core/rng.h"
#include "kernels/autograd/ops.h"

namespace sv {
namespace {

using Function = std::function<Var(Tape&, const std::vector<Var>&)>;

class LayoutOps : public testing::Test {
 protected:
  Tensor normal(const std::string& name, const Shape& shape) {
    const Tensor t = make_tensor(arena_, shape, DType::f64);
    const Rng rng(5, stream_of(name));
    for (int64_t i = 0; i < t.numel(); ++i) {
      t.as<double>()[i] = rng.normal(static_cast<uint64_t>(i));
    }
    return t;
  }
  Tensor ids(const Shape& shape, const std::vector<int32_t>& values) {
    const Tensor t = make_tensor(arena_, shape, DType::i32);
    std::copy(values.begin(), values.end(), t.as<int32_t>());
    return t;
  }
  Context context() { return {&arena_, 1, {}}; }

  /// sum of cotangent * f(inputs).
  double scalar(const Function& f, const std::vector<Tensor>& inputs) {
    Tape tape(context(), false);
    std::vector<Var> vars;
    for (const Tensor& t : inputs) {
      vars.push_back(tape.constant(t));
    }
    const Tensor y = f(tape, vars).value(), dy = normal("dy", y.shape);
    double total = 0;
    for (int64_t i = 0; i < y.numel(); ++i) {
      total += y.as<double>()[i] * dy.as<double>()[i];
    }
    return total;
  }
  std::vector<Tensor> gradients(const Function& f, const std::vector<Tensor>& inputs) {
    Tape tape(context(), true);
    std::vector<Var> vars;
    for (const Tensor& t : inputs) {
      vars.push_back(tape.input(t));
    }
    const Var y = f(tape, vars);
    tape.seed_grad(y, normal("dy", y.shape()));
    tape.backward();
    std::vector<Tensor> all;
    for (const Var& v : vars) {
      all.push_back(v->grad);
    }
    return all;
  }
  void expect_gradients(const Function& f, const std::vector<Tensor>& inputs) {
    const std::vector<Tensor> got = gradients(f, inputs);
    for (size_t k = 0; k < inputs.size(); ++k) {
      ASSERT_EQ(got[k].shape, inputs[k].shape);
      for (int64_t i = 0; i < inputs[k].numel(); ++i) {
        double& x = inputs[k].as<double>()[i];
        const double centre = x;
        x = centre + 1e-5;
        const double up = scalar(f, inputs);
        x = centre - 1e-5;
        const double down = scalar(f, inputs);
        x = centre;
        // All of these are linear in each input, so differences err by rounding alone.
        EXPECT_NEAR(got[k].as<double>()[i], (up - down) / 2e-5, 1e-8) << k << "[" << i << "]";
      }
    }
  }
  static std::string message(const std::function<void()>& f) {
    try {
      f();
    } catch (const Error& e) {
      return e.what();
    }
    return "nothing was thrown";
  }
  void expect_refused(const Function& f, const std::vector<Tensor>& inputs, const char* part) {
    const std::string text = message([&] { scalar(f, inputs); });
    EXPECT_NE(text.find(part), std::string::npos) << text;
  }

  Arena arena_;
};

TEST_F(LayoutOps, PositionsHaveTheirGradients) {
  const Tensor x = normal("x", {2, 2, 5, 3}), rows = normal("rows", {2, 2, 2, 3});
  expect_gradients(
      [](Tape& t, const std::vector<Var>& v) { return ad::slice_positions(t, v[0], 1, 3); }, {x});
  expect_gradients(
      [](Tape& t, const std::vector<Var>& v) { return ad::put_positions(t, v[0], v[1], 2); },
      {x, rows});
  expect_gradients([](Tape& t, const std::vector<Var>& v) { return ad::shift(t, v[0], -2); }, {x});
  expect_gradients(
      [](Tape& t, const std::vector<Var>& v) { return ad::concat_positions(t, v[0], v[1]); },
      {normal("prefix", {2, 1, 2, 3}), x});
}

TEST_F(LayoutOps, AValueThatIsUsedTwiceGetsBothGradients) {
  const Tensor x = normal("x", {2, 2, 4, 3});
  expect_gradients(
      [](Tape& t, const std::vector<Var>& v) { return ad::concat_positions(t, v[0], v[0]); }, {x});
  expect_gradients(
      [](Tape& t, const std::vector<Var>& v) { return ad::put_positions(t, v[0], v[0], 0); }, {x});
  const Tensor list = ids({1, 2, 4}, {3, 0, 1, 2, 1, 2, 3, 0});
  expect_gradients(
      [&](Tape& t, const std::vector<Var>& v) {
        return ad::scatter_positions(t, v[0], v[0], list);
      },
      {x});
  expect_gradients(
      [](Tape& t, const std::vector<Var>& v) {
        const Var head = ad::slice_positions(t, v[0], 0, 2);
        const Var tail = ad::slice_positions(t, v[0], 1, 2);
        return ad::add(t, ad::slice_columns(t, head, 0, 2), ad::slice_columns(t, tail, 1, 2));
      },
      {x});
}

TEST_F(LayoutOps, ChosenPositionsHaveTheirGradients) {
  const Tensor x = normal("x", {2, 2, 4, 3}), chosen = normal("chosen", {2, 2, 3, 3});
  const Tensor list = ids({2, 2, 3}, {0, -1, 3, 2, 1, 0, -1, -1, -1, 3, 2, 1});
  expect_gradients(
      [&](Tape& t, const std::vector<Var>& v) { return ad::gather_positions(t, v[0], list); }, {x});
  expect_gradients(
      [&](Tape& t, const std::vector<Var>& v) {
        return ad::scatter_positions(t, v[0], v[1], list);
      },
      {x, chosen});
}

TEST_F(LayoutOps, ColumnsPatchesAndTransposeHaveTheirGradients) {
  const Tensor x = normal("x", {2, 2, 6, 3});
  const int columns[] = {2, 0, 2, 1};
  expect_gradients(
      [&](Tape& t, const std::vector<Var>& v) { return ad::select_columns(t, v[0], columns); },
      {x});
  expect_gradients([](Tape& t, const std::vector<Var>& v) { return ad::transpose(t, v[0]); }, {x});
  expect_gradients([](Tape& t, const std::vector<Var>& v) { return ad::unfold(t, v[0], 2, 3, 3); },
                   {x});
}

TEST_F(LayoutOps, AGroupedProductHasItsGradients) {
  expect_gradients(
      [](Tape& t, const std::vector<Var>& v) { return ad::grouped_matmul(t, v[0], v[1], v[2]); },
      {normal("x", {2, 3, 2, 4}), normal("w", {2, 2, 5, 4}), normal("bias", {2, 2, 5})});
}

TEST_F(LayoutOps, RotationFromAnyPlaceHasItsGradient) {
  const Tensor x = normal("x", {1, 2, 3, 8});
  expect_gradients(
      [](Tape& t, const std::vector<Var>& v) {
        return ad::rope(t, v[0], 2, 100.0, 5, ops::RopeLayout::interleaved);
      },
      {x});
}

/// A sequence at once, and its last position alone behind what came before.
TEST_F(LayoutOps, RotationAndAttentionOfOnePositionHaveTheBitsOfTheWholeSequence) {
  const Tensor x = normal("x", {2, 2, 6, 8}), keys = normal("k", {2, 2, 6, 8});
  Tape tape(context(), false);
  const auto attend = [&](Var q, int offset) {
    ops::AttentionMask mask{ops::AttentionMask::Kind::causal, {}, {}, offset};
    const Var k = ad::rope(tape, tape.constant(keys), 2, 100.0);
    return ad::attention_fused(tape, ad::rope(tape, q, 2, 100.0, offset), k, k, mask, 2, 2, 0.5);
  };
  const Var whole = attend(tape.constant(x), 0);
  for (int t = 0; t < 6; ++t) {
    const Var one = attend(ad::slice_positions(tape, tape.constant(x), t, 1), t);
    const Tensor expected = ad::slice_positions(tape, whole, t, 1).value();
    EXPECT_EQ(std::memcmp(one.value().data, expected.data, expected.bytes()), 0) << t;
  }
}

/// unfold and matmul against the definition of a convolution, y_rc = sum w_ij x_(r+i-1, c+j-1).
TEST_F(LayoutOps, UnfoldAndMatmulAreAConvolution) {
  const int64_t H = 3, W = 4, D = 2, O = 3;
  const Tensor x = normal("x", {1, 1, H * W, D}), w = normal("w", {1, O, 9 * D});
  Tape tape(context(), false);
  const Var patches = ad::unfold(tape, tape.constant(x), 3, 4, 3);
  const Tensor y = ad::matmul(tape, patches, tape.constant(w)).value();
  for (int64_t r = 0; r < H; ++r) {
    for (int64_t c = 0; c < W; ++c) {
      for (int64_t o = 0; o < O; ++o) {
        double sum = 0;
        for (int64_t i = std::max<int64_t>(0, r - 1); i <= std::min(H - 1, r + 1); ++i) {
          for (int64_t j = std::max<int64_t>(0, c - 1); j <= std::min(W - 1, c + 1); ++j) {
            for (int64_t d = 0; d < D; ++d) {
              const int64_t tap = (i - r + 1) * 3 + j - c + 1;
              sum += w.as<double>()[(o * 9 + tap) * D + d] * x.as<double>()[(i * W + j) * D + d];
            }
          }
        }
        EXPECT_NEAR(y.as<double>()[(r * W + c) * O + o], sum, 1e-12);
      }
    }
  }
}

TEST_F(LayoutOps, OtherModelsGetNoGradient) {
  const Tensor x = normal("x", {3, 2, 4, 3});
  const int live[] = {1};
  Context ctx = context();
  ctx.models = live;
  Tape tape(ctx, true);
  const Var v = tape.input(x);
  const Var y = ad::unfold(tape, ad::transpose(tape, ad::shift(tape, v, 1)), 1, 3, 3);
  tape.seed_grad(y);
  tape.backward();
  const double* grad = v->grad.as<double>();
  for (int64_t i = 0; i < x.numel(); ++i) {
    EXPECT_TRUE(i / 24 == 1 || grad[i] == 0) << i;
  }
  EXPECT_NE(grad[24], 0);
}

TEST_F(LayoutOps, WhatIsOutsideIsRefusedWithItsNumbers) {
  const Tensor x = normal("x", {2, 2, 4, 3});
  expect_refused(
      [](Tape& t, const std::vector<Var>& v) { return ad::slice_positions(t, v[0], 2, 3); },
      {x},
      "slice_positions: [2, 5) is not within the 4 positions");
  expect_refused(
      [](Tape& t, const std::vector<Var>& v) { return ad::put_positions(t, v[0], v[0], 1); },
      {x},
      "put_positions: [1, 5) is not within the 4 positions");
  expect_refused(
      [](Tape& t, const std::vector<Var>& v) { return ad::slice_columns(t, v[0], -1, 2); },
      {x},
      "slice_columns: [-1, 1) is not within the 3 columns");
  expect_refused(
      [](Tape& t, const std::vector<Var>& v) {
        static constexpr int kColumns[] = {0, 3};
        return ad::select_columns(t, v[0], kColumns);
      },
      {x},
      "columns[1] = 3, there are 3 columns");
  expect_refused([](Tape& t, const std::vector<Var>& v) { return ad::unfold(t, v[0], 2, 2, 4); },
                 {x},
                 "odd kernel, so that a patch has a centre; it is 4, the next is 5");
  expect_refused([](Tape& t, const std::vector<Var>& v) { return ad::unfold(t, v[0], 2, 3, 3); },
                 {x},
                 "a grid of 2 x 3 does not have the 4 positions of x");
  expect_refused(
      [](Tape& t, const std::vector<Var>& v) { return ad::concat_positions(t, v[0], v[1]); },
      {normal("a", {2, 3, 1, 3}), x},
      "a has shape (2, 3, 1, 3), expected (2, 2, 1, 3)");
}

TEST_F(LayoutOps, IdsThatAreWrongAreNamed) {
  const Tensor x = normal("x", {2, 2, 4, 3}), chosen = normal("chosen", {2, 2, 2, 3});
  const Tensor outside = ids({2, 2, 2}, {0, 1, 2, 3, 0, 4, 1, 2});
  expect_refused(
      [&](Tape& t, const std::vector<Var>& v) { return ad::gather_positions(t, v[0], outside); },
      {x},
      "ids[1, 0, 1] = 4, there are 4 positions");
  const Tensor twice = ids({2, 2, 2}, {0, 1, 1, -1, -1, -1, 2, 2});
  expect_refused(
      [&](Tape& t, const std::vector<Var>& v) {
        return ad::scatter_positions(t, v[0], v[1], twice);
      },
      {x, chosen},
      "ids[1, 1, 1] = 2 was named before in its row");
}

}  // namespace
}  // namespace sv

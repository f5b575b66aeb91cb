// linear_xent on the tape against the two ops that it replaces.
#include "kernels/ops/linear_xent/linear_xent.h"

#include <gtest/gtest.h>

#include "core/rng.h"
#include "kernels/autograd/ops.h"

namespace sv {
namespace {

struct Result {
  std::vector<double> loss, nll, dx, dw, dbias;
};

std::vector<double> values_of(const Tensor& t) {
  return {t.as<double>(), t.as<double>() + t.numel()};
}

Tensor normal(Arena& arena, const Shape& shape, uint32_t stream) {
  const Tensor t = make_tensor(arena, shape, DType::f64);
  for (int64_t i = 0; i < t.numel(); ++i) {
    t.as<double>()[i] = Rng(1, stream).normal(static_cast<uint64_t>(i));
  }
  return t;
}

/// M 2, B 20, T 9, D 6, V 1100: more rows than one block of logits.
Result run(bool fused) {
  Arena arena;
  Tape tape({&arena, 2, {}}, true);
  const Var x = tape.input(normal(arena, {2, 20, 9, 6}, 1));
  const Var w = tape.input(normal(arena, {2, 1100, 6}, 2));
  const Var bias = tape.input(normal(arena, {2, 1100}, 3));
  const Tensor weight = normal(arena, {1, 20, 9}, 4);
  const Tensor targets = make_tensor(arena, {2, 20, 9}, DType::i32);
  for (int64_t i = 0; i < targets.numel(); ++i) {
    targets.as<int32_t>()[i] =
        static_cast<int32_t>(Rng(1, 5).below(static_cast<uint64_t>(i), 1101)) - 1;
  }
  Tensor nll;
  const Var loss =
      fused ? ad::linear_xent(tape, x, w, bias, targets, weight, &nll)
            : ad::softmax_xent(tape, ad::matmul(tape, x, w, bias), targets, weight, &nll);
  tape.seed_grad(loss);
  tape.backward();
  return {values_of(loss.value()),
          values_of(nll),
          values_of(x->grad),
          values_of(w->grad),
          values_of(bias->grad)};
}

void expect_near(const std::vector<double>& got, const std::vector<double>& expected) {
  ASSERT_EQ(got.size(), expected.size());
  for (size_t i = 0; i < got.size(); ++i) {
    // Sums of 180 rows and 1100 classes of size 1, in double.
    ASSERT_NEAR(got[i], expected[i], 1e-11) << i;
  }
}

TEST(LinearXent, IsMatmulThenSoftmaxCrossEntropy) {
  const Result fused = run(true), apart = run(false);
  expect_near(fused.loss, apart.loss);
  expect_near(fused.nll, apart.nll);
  expect_near(fused.dx, apart.dx);
  expect_near(fused.dw, apart.dw);
  expect_near(fused.dbias, apart.dbias);
}

}  // namespace
}  // namespace sv

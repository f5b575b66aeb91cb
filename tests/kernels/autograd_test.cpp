// The differentiable wrappers on a tape: gradients against central differences, an argument that is
// used twice, listed models, and values that want no gradient.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <functional>

#include "core/rng.h"
#include "kernels/autograd/ops.h"

namespace sv::ad {
namespace {

using Function = std::function<Var(Tape&, Var x, Var other)>;

/// f of two inputs in double, its value weighted and summed, so that every output element counts.
class Expression {
 public:
  Expression(Shape x, Shape other, Function f) : f_(std::move(f)) {
    for (const Shape& shape : {x, other}) {
      values_.emplace_back(shape, DType::f64);
      const Tensor& t = values_.back();
      for (int64_t i = 0; i < t.numel(); ++i) {
        t.as<double>()[i] = Rng(3, static_cast<uint32_t>(values_.size())).normal(i);
      }
    }
  }
  /// Value per model and, where asked for, the gradients.
  std::vector<double> run(std::vector<Buffer>* gradients = nullptr) {
    Arena arena;
    const Context ctx{&arena, 1, models};
    Tape tape(ctx, gradients != nullptr);
    std::vector<Var> in;
    for (size_t i = 0; i < values_.size(); ++i) {
      in.push_back(gradients ? tape.parameter(values_[i], (*gradients)[i])
                             : tape.constant(values_[i]));
    }
    const Var y = f_(tape, in[0], in[1]);
    const Tensor weight = make_tensor(arena, y.shape(), DType::f64);
    for (int64_t i = 0; i < weight.numel(); ++i) {
      weight.as<double>()[i] = Rng(4, 0).normal(i);
    }
    const Var total = sum(tape, mul(tape, y, tape.constant(weight)));
    if (gradients) {
      tape.seed_grad(total);
      tape.backward();
    }
    const auto* v = total.value().as<double>();
    return {v, v + total.value().numel()};
  }
  void check() {
    std::vector<Buffer> gradients;
    for (const Buffer& v : values_) {
      gradients.emplace_back(v.tensor().shape, DType::f64);
    }
    run(&gradients);
    const int64_t M = values_[0].tensor().dim(0);
    for (size_t k = 0; k < values_.size(); ++k) {
      const Tensor& t = values_[k];
      for (int64_t i = 0; i < t.numel(); ++i) {
        const auto m = static_cast<size_t>(i / (t.numel() / M));
        const bool live = models.empty() || std::ranges::find(models, int(m)) != models.end();
        const double want = live ? difference(t.as<double>()[i], m) : 0;
        EXPECT_NEAR(gradients[k].tensor().as<double>()[i], want, 1e-8 * (1 + std::abs(want)))
            << "input " << k << ", element " << i;
      }
    }
  }
  std::vector<int> models;

 private:
  double difference(double& x, size_t m) {
    constexpr double h = 1e-5;
    const double centre = x;
    x = centre + h;
    const double up = run()[m];
    x = centre - h;
    const double down = run()[m];
    x = centre;
    return (up - down) / (2 * h);
  }
  Function f_;
  std::vector<Buffer> values_;
};

struct Wrapper {
  std::string name;
  Shape x, other;
  Function f;
};

/// Targets i32 (1, B, T): a class, none, another class, ...
Tensor targets_of(Tape& tape, const Var& logits) {
  const Shape& s = logits.shape();
  const Tensor t = make_tensor(tape.arena(), {1, s[1], s[2]}, DType::i32);
  for (int64_t i = 0; i < t.numel(); ++i) {
    t.as<int32_t>()[i] = i % 3 == 1 ? -1 : static_cast<int32_t>(i % s[3]);
  }
  return t;
}

Function activation(ops::Activation kind) {
  return [=](Tape& t, Var x, Var) { return activate(t, kind, x); };
}
Function loss(ops::LossKind kind) {
  return [=](Tape& t, Var x, Var s) {
    return mul(t, nll(t, kind, x, targets_of(t, x)), s);  // weighted by another value
  };
}

std::vector<Wrapper> wrappers() {
  const Shape x = {2, 3, 2, 4}, rows = {2, 3, 2}, columns = {2, 4};
  return {
      {"softplus", x, columns, activation(ops::Activation::softplus)},
      {"exp", x, columns, activation(ops::Activation::exp)},
      {"relusquared", x, columns, activation(ops::Activation::relu_squared)},
      {"affine", x, columns, [](Tape& t, Var a, Var) { return affine(t, a, -1.5, 0.25); }},
      {"mulrows", x, rows, mul_rows},
      {"mulcolumns", x, columns, mul_columns},
      {"addcolumns", x, columns, add_columns},
      {"mulcolumnsbyitself",
       columns,
       columns,
       [](Tape& t, Var a, Var) { return mul_columns(t, a, a); }},
      {"addcolumnstoitself",
       columns,
       columns,
       [](Tape& t, Var a, Var) { return add_columns(t, a, a); }},
      {"softmax", x, columns, [](Tape& t, Var a, Var) { return softmax(t, a); }},
      {"sum", x, columns, [](Tape& t, Var a, Var) { return sum(t, a); }},
      {"sumlast", x, rows, [](Tape& t, Var a, Var s) { return mul(t, sum_last(t, a), s); }},
      {"softmaxloss", x, rows, loss(ops::LossKind::softmax)},
      {"stablemaxloss", x, rows, loss(ops::LossKind::stablemax)},
  };
}

class Wrappers : public testing::TestWithParam<Wrapper> {};

TEST_P(Wrappers, HaveTheGradientOfCentralDifferences) {
  Expression e(GetParam().x, GetParam().other, GetParam().f);
  e.check();
}

TEST_P(Wrappers, GiveListedModelsTheirGradientAndOthersNone) {
  Expression e(GetParam().x, GetParam().other, GetParam().f);
  e.models = {1};
  e.check();
}

INSTANTIATE_TEST_SUITE_P(Ops, Wrappers, testing::ValuesIn(wrappers()), [](const auto& tested) {
  return tested.param.name;
});

TEST(LossOfATokenWithoutTarget, IsZeroAndHasNoGradientEvenWhereItsLogitsAreNan) {
  Arena arena;
  const Context ctx{&arena, 1, {}};
  for (const ops::LossKind kind : {ops::LossKind::softmax, ops::LossKind::stablemax}) {
    Tape tape(ctx, true);
    const Tensor logits = make_tensor(arena, {1, 1, 2, 3}, DType::f32);
    std::fill_n(logits.as<float>(), 6, 0.5f);
    logits.as<float>()[1] = NAN;
    const Tensor targets = make_tensor(arena, {1, 1, 2}, DType::i32);
    targets.as<int32_t>()[0] = -1;
    targets.as<int32_t>()[1] = 2;
    const Var x = tape.input(logits);
    const Var token = nll(tape, kind, x, targets);
    tape.seed_grad(token);
    tape.backward();
    EXPECT_EQ(token.value().as<float>()[0], 0.0f);
    EXPECT_FLOAT_EQ(token.value().as<float>()[1], std::log(3.0f));
    for (int i = 0; i < 3; ++i) {
      EXPECT_EQ(x->grad.as<float>()[i], 0.0f);
    }
    logits.as<float>()[4] = NAN;
    EXPECT_TRUE(std::isnan(nll(tape, kind, x, targets).value().as<float>()[1]));
  }
}

}  // namespace
}  // namespace sv::ad

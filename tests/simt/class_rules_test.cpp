// What ops over classes do on a device with values that a host would refuse or that no case holds:
// targets that are no class, NaN logits, and draws that must be the CPU's to the bit.
#include <gtest/gtest.h>

#include <cmath>

#include "core/rng.h"
#include "kernels/ops/linear_xent/linear_xent.h"
#include "kernels/ops/readout_stats/readout_stats.h"
#include "kernels/ops/sample/sample.h"
#include "kernels/ops/softmax_xent/softmax_xent.h"
#include "kernels/simt/simt_device.h"

namespace sv {
namespace {

class ClassRules : public testing::Test {
 protected:
  template <class T>
  Tensor put(const Shape& shape, const std::vector<T>& values) {
    const Tensor t = make_tensor(arena_, shape, dtype_of<T>);
    device_.to_device(t.data, values.data(), t.bytes());
    return t;
  }
  Tensor normal(const Shape& shape) {
    std::vector<float> values(static_cast<size_t>(shape.numel()));
    for (size_t i = 0; i < values.size(); ++i) {
      values[i] = static_cast<float>(Rng(3, stream_of("values")).normal(i));
    }
    return put(shape, values);
  }
  template <class T>
  std::vector<T> get(const Tensor& t) {
    std::vector<T> values(static_cast<size_t>(t.numel()));
    device_.to_host(values.data(), t.data, t.bytes());
    return values;
  }
  Tensor empty(const Shape& shape, DType type = DType::f32) {
    return make_tensor(arena_, shape, type);
  }

  simt::SimtDevice device_;
  Arena arena_{device_, 1};
  Context ctx_{&arena_, 1, {}, &device_};
};

/// Rows 1 and 3 of 4 have a target that is no class.
void expect_marked(const std::vector<float>& rows, size_t width, const char* what) {
  for (size_t i = 0; i < rows.size(); ++i) {
    EXPECT_EQ(std::isnan(rows[i]), i / width % 2 == 1) << what << "[" << i << "]";
  }
}

TEST_F(ClassRules, ATargetThatIsNoClassGivesNaNInItsRowAndInTheLoss) {
  const Tensor targets = put<int32_t>({1, 1, 4}, {2, 5, -1, -2});
  const Tensor weight = put<float>({1, 1, 4}, {1, 1, 1, 1}), dloss = put<float>({1}, {1});
  const Tensor logits = normal({1, 1, 4, 5}), dlogits = empty({1, 1, 4, 5});
  const Tensor loss = empty({1}), nll = empty({1, 1, 4}), logz = empty({1, 1, 4});
  ops::softmax_xent(ctx_, logits, targets, weight, loss, nll, logz);
  ops::softmax_xent_vjp(
      ctx_, logits, targets, weight, logz, dloss, {dlogits, GradientMode::overwrite});
  expect_marked(get<float>(nll), 1, "nll");
  expect_marked(get<float>(dlogits), 5, "dlogits");
  EXPECT_TRUE(std::isnan(get<float>(loss)[0]));

  const Tensor x = normal({1, 1, 4, 3}), dx = empty({1, 1, 4, 3});
  const ops::LinearXentInputs in{x, normal({1, 5, 3}), {}, targets, weight};
  ops::linear_xent(ctx_, in, loss, nll, logz);
  ops::linear_xent_vjp(ctx_, in, logz, dloss, {dx, GradientMode::overwrite}, {}, {});
  expect_marked(get<float>(nll), 1, "nll");
  expect_marked(get<float>(dx), 3, "dx");
  EXPECT_TRUE(std::isnan(get<float>(loss)[0]));
}

TEST_F(ClassRules, ArgmaxPassesOverNaNLikeTheCpu) {
  for (const int V : {3, 7, 40, 1030}) {
    std::vector<float> values(static_cast<size_t>(4 * V), 1.0f);
    values[0] = NAN;                                    // nothing is larger than a first NaN
    values[static_cast<size_t>(V + 1)] = NAN;           // passed over
    values[static_cast<size_t>(2 * V + V - 1)] = 2.0f;  // the last class
    for (int v = 0; v < V; ++v) {
      values[static_cast<size_t>(3 * V + v)] = -INFINITY;
    }
    const Tensor out = empty({1, 1, 4}, DType::i32);
    ops::argmax(ctx_, put({1, 1, 4, V}, values), out);
    EXPECT_EQ(get<int32_t>(out), (std::vector<int32_t>{0, 0, V - 1, 0})) << V;
  }
}

TEST_F(ClassRules, DrawsAreThoseOfTheCpu) {
  Arena arena;
  const Context cpu{&arena, 1, {}};
  for (const int V : {2, 13, 300}) {
    const Tensor logits = normal({2, 10, 8, V}), keys = put<int32_t>({2, 2}, {1, 2, -3, 4});
    const Tensor drawn = empty({2, 10, 8}, DType::i32);
    const ops::SampleDraw draw{stream_of("draw"), 7, 1.5};
    ops::sample(ctx_, logits, keys, draw, drawn);
    std::vector<float> host_logits = get<float>(logits);
    std::vector<int32_t> host_keys = get<int32_t>(keys), expected(160);
    ops::sample(cpu,
                {logits.shape, DType::f32, host_logits.data()},
                {keys.shape, DType::i32, host_keys.data()},
                draw,
                {drawn.shape, DType::i32, expected.data()});
    EXPECT_EQ(get<int32_t>(drawn), expected) << V;
  }
}

/// 20000 draws of four classes: each within five standard deviations of its expected count.
TEST(Sample, DrawsFollowTheSoftmax) {
  constexpr int kDraws = 20000;
  Arena arena;
  const Context ctx{&arena, 1, {}};
  const double p[4] = {0.5, 0.3, 0.15, 0.05};
  const Tensor logits = make_tensor(arena, {1, kDraws, 1, 4}, DType::f32);
  for (int i = 0; i < 4 * kDraws; ++i) {
    logits.as<float>()[i] = static_cast<float>(2 * std::log(p[i % 4]));
  }
  const Tensor keys = make_tensor(arena, {1, 2}, DType::i32);
  keys.zero();
  const Tensor out = make_tensor(arena, {1, kDraws, 1}, DType::i32);
  ops::sample(ctx, logits, keys, {.stream = 1, .step = 0, .temperature = 2}, out);
  int count[4] = {};
  for (int i = 0; i < kDraws; ++i) {
    ++count[out.as<int32_t>()[i]];
  }
  for (int v = 0; v < 4; ++v) {
    EXPECT_NEAR(count[v], kDraws * p[v], 5 * std::sqrt(kDraws * p[v] * (1 - p[v]))) << v;
  }
}

}  // namespace
}  // namespace sv

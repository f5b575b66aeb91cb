// Optimisers against PyTorch's formulas in double, step after step; what they leave alone; and how
// parameters start.
#include "models/train/optimiser.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>

#include "core/check.h"
#include "core/rng.h"

namespace sv {
namespace {

const std::vector<uint64_t> kSeeds = {3, 7};
constexpr int64_t kRows = 5, kWidth = 4, kSteps = 6;

/// A matrix with decay, a gain without, a table that is updated by signs; gradients by step.
struct Net {
  explicit Net(const std::vector<uint64_t>& seeds = kSeeds) : params(seeds, DType::f64) {
    params.add("matrix", {kRows, kWidth}, Init::normal(1), true);
    params.add("gain", {kWidth}, Init::ones());
    const ParamId table = params.add("table", {kRows, kWidth}, Init::normal(1));
    params[table].sparse_sign = true;
  }
  /// Draws of step `step`; of the table only row (step + m) mod rows is used, and one element of it
  /// is not.
  void draw_gradients(int64_t step) {
    for (size_t p = 0; p < params.size(); ++p) {
      const Tensor& grad = params[static_cast<ParamId>(p)].grad;
      const int64_t size = grad.numel() / params.models();
      for (int64_t i = 0; i < grad.numel(); ++i) {
        const int64_t m = i / size, row = i % size / kWidth;
        const Rng rng(11, static_cast<uint32_t>(p), static_cast<uint64_t>(step));
        const bool used = p != 2 || (row == (step + m) % kRows && i % kWidth != 1);
        grad.as<double>()[i] = used ? rng.normal(static_cast<uint64_t>(i)) : 0;
      }
    }
  }
  std::vector<double> all(int m) const {
    std::vector<double> out;
    for (const Param& p : params) {
      const Tensor part = p.value.tensor().slice(m, 1);
      out.insert(out.end(), part.as<double>(), part.as<double>() + part.numel());
    }
    return out;
  }
  Params params;
};

OptimiserSettings settings_of(OptimiserKind kind) {
  OptimiserSettings s;
  s.kind = kind;
  s.lr = 0.02;
  s.weight_decay = 0.3;
  s.clip = 2.5;  // cuts some steps
  s.warmup = 3;
  s.embedding_lr = 0.05;
  s.embedding_weight_decay = 0.2;
  return s;
}

/// One element of a model: its weight and its two moments.
struct Element {
  double w = 0, first = 0, second = 0;

  void adam(const OptimiserSettings& s, double lr, double decay, double g, int64_t t) {
    w -= lr * decay * w;
    first = s.beta1 * first + (1 - s.beta1) * g;
    second = s.beta2 * second + (1 - s.beta2) * g * g;
    const double step = static_cast<double>(t + 1);
    const double size = lr / (1 - std::pow(s.beta1, step));
    const double root = std::sqrt(second) / std::sqrt(1 - std::pow(s.beta2, step));
    w -= size * (s.kind == OptimiserKind::adamw ? first / (root + s.eps) : std::atan2(first, root));
  }
  void sgd(const OptimiserSettings& s, double lr, double decay, double g) {
    w -= lr * decay * w;
    first = s.beta1 * first + g;
    w -= lr * first;
  }
};

/// Model m of a Net, updated by plain loops over its elements.
class PlainModel {
 public:
  PlainModel(const Net& net, int m) : m_(m) {
    for (const double w : net.all(m)) {
      elements_.push_back({w});
    }
  }
  void step(const Net& net, const OptimiserSettings& s, int64_t t) {
    std::vector<double> grad;
    for (const Param& p : net.params) {
      const Tensor part = p.grad.tensor().slice(m_, 1);
      grad.insert(grad.end(), part.as<double>(), part.as<double>() + part.numel());
    }
    double squares = 0;
    for (const double g : grad) {
      squares += g * g;
    }
    const double scale = std::min(1.0, s.clip / std::sqrt(squares));
    const double share = t < s.warmup ? static_cast<double>(t + 1) / s.warmup : 1;
    const int64_t matrix = kRows * kWidth, table = matrix + kWidth;
    const int64_t used = table + (t + m_) % kRows * kWidth;
    for (int64_t i = 0; i < table; ++i) {
      const double decay = i < matrix ? s.weight_decay : 0, g = scale * grad[i];
      if (s.kind == OptimiserKind::sgd) {
        elements_[i].sgd(s, s.lr * share, decay, g);
      } else {
        elements_[i].adam(s, s.lr * share, decay, g, t);
      }
    }
    for (int64_t i = used; i < used + kWidth; ++i) {
      const double lr = s.embedding_lr * share, g = grad[i];
      double& w = elements_[i].w;
      w = w * (1 - lr * s.embedding_weight_decay) - lr * (g > 0 ? 1 : g < 0 ? -1 : 0);
    }
  }
  const std::vector<Element>& elements() const { return elements_; }

 private:
  int m_;
  std::vector<Element> elements_;
};

class EveryOptimiser : public testing::TestWithParam<OptimiserKind> {};

TEST_P(EveryOptimiser, FollowsItsFormulaStepAfterStep) {
  Net net;
  const OptimiserSettings s = settings_of(GetParam());
  Optimiser optimiser(net.params, s);
  std::vector<PlainModel> plain = {{net, 0}, {net, 1}};
  Arena arena;
  const Context ctx{&arena, 1, {}};
  int cut = 0;
  for (int64_t t = 0; t < kSteps; ++t) {
    net.draw_gradients(t);
    optimiser.measure(ctx);
    optimiser.step(ctx, t);
    for (PlainModel& model : plain) {
      model.step(net, s, t);
    }
    cut += optimiser.grad_norm()[0] > s.clip ? 1 : 0;
  }
  EXPECT_GT(cut, 0) << "no step was clipped";
  for (int m = 0; m < 2; ++m) {
    const std::vector<double> got = net.all(m);
    for (size_t i = 0; i < got.size(); ++i) {
      EXPECT_NEAR(got[i], plain[m].elements()[i].w, 1e-13) << "model " << m << ", element " << i;
    }
  }
}

TEST_P(EveryOptimiser, LeavesModelsThatAreNotListedAlone) {
  Net net;
  OptimiserSettings s = settings_of(GetParam());
  s.ema = 0.5;
  Optimiser optimiser(net.params, s);
  const std::vector<double> other = net.all(0), own = net.all(1);
  const std::vector<int> live = {1};
  Arena arena;
  for (int64_t t = 0; t < kSteps; ++t) {
    net.draw_gradients(t);
    optimiser.measure({&arena, 1, live});
    optimiser.step({&arena, 1, live}, t);
  }
  EXPECT_EQ(net.all(0), other);
  EXPECT_NE(net.all(1), own);
  for (const Optimiser::Moments& m : optimiser.moments()) {
    for (const Buffer* b : {&m.first, &m.second}) {
      const Tensor part = b->tensor().slice(0, 1);
      EXPECT_TRUE(std::all_of(
          part.as<double>(), part.as<double>() + part.numel(), [](double x) { return x == 0; }));
    }
  }
  optimiser.swap_average();
  EXPECT_EQ(net.all(0), other);
}

TEST_P(EveryOptimiser, GivesAModelAloneTheBitsItHasInThePack) {
  Net pack, alone({kSeeds[1]});
  const OptimiserSettings s = settings_of(GetParam());
  Optimiser both(pack.params, s), one(alone.params, s);
  Arena arena;
  const Context ctx{&arena, 1, {}};
  for (int64_t t = 0; t < kSteps; ++t) {
    pack.draw_gradients(t);
    for (size_t p = 0; p < pack.params.size(); ++p) {
      const auto id = static_cast<ParamId>(p);
      const Tensor from = pack.params[id].grad.tensor().slice(1, 1);
      std::copy_n(from.as<double>(), from.numel(), alone.params[id].grad.tensor().as<double>());
    }
    both.measure(ctx), one.measure(ctx);
    both.step(ctx, t), one.step(ctx, t);
  }
  EXPECT_EQ(alone.all(0), pack.all(1));
}

INSTANTIATE_TEST_SUITE_P(Kinds,
                         EveryOptimiser,
                         testing::Values(OptimiserKind::adamw,
                                         OptimiserKind::adam_atan2,
                                         OptimiserKind::sgd),
                         [](const auto& tested) {
                           std::string name = optimiser_names()[static_cast<size_t>(tested.param)];
                           std::erase(name, '_');
                           return name;
                         });

TEST(SparseSign, ARowWithoutGradientDoesNotEvenDecay) {
  Net net;
  Optimiser optimiser(net.params, settings_of(OptimiserKind::adamw));
  Arena arena;
  const Context ctx{&arena, 1, {}};
  const Tensor table = net.params[2].value;
  const std::vector<double> before(table.as<double>(), table.as<double>() + table.numel());
  net.draw_gradients(0);
  optimiser.measure(ctx);
  optimiser.step(ctx, 0);
  for (int64_t i = 0; i < table.numel(); ++i) {
    const bool used = i / kWidth % kRows == i / (kRows * kWidth);  // row m of model m at step 0
    EXPECT_EQ(table.as<double>()[i] != before[static_cast<size_t>(i)], used) << i;
  }
}

TEST(OptimiserName, EachIsItsKindAndAnotherIsRefusedWithTheNearest) {
  EXPECT_EQ(parse_optimiser("adamw"), OptimiserKind::adamw);
  EXPECT_EQ(parse_optimiser("adam_atan2"), OptimiserKind::adam_atan2);
  EXPECT_EQ(parse_optimiser("sgd"), OptimiserKind::sgd);
  try {
    parse_optimiser("adam_atan");
    ADD_FAILURE() << "'adam_atan' is taken";
  } catch (const Error& e) {
    EXPECT_NE(std::string(e.what()).find("did you mean 'adam_atan2'?"), std::string::npos)
        << e.what();
  }
}

/// Standard deviation, largest size and share below `below` of the draws of one parameter.
struct Spread {
  double std_dev = 0, largest = 0, share = 0;
};
Spread spread_of(const Init& init, double below) {
  Params params({5}, DType::f64);
  const Tensor x = params[params.add("w", {200, 500}, init)].value;
  Spread s;
  for (int64_t i = 0; i < x.numel(); ++i) {
    const double v = x.as<double>()[i];
    s.std_dev += v * v;
    s.largest = std::max(s.largest, std::abs(v));
    s.share += v < below ? 1 : 0;
  }
  const auto count = static_cast<double>(x.numel());
  return {std::sqrt(s.std_dev / count), s.largest, s.share / count};
}

double normal_cdf(double x) {
  return 0.5 * std::erfc(-x / std::sqrt(2.0));
}

TEST(TruncatedNormal, HasTheTailsCutAndTheSpreadThatIsLeft) {
  EXPECT_NEAR(truncated_std(2), 0.87962566103423978, 1e-15);  // the constant of jax.nn.initializers
  const Spread cut = spread_of(Init::truncated_normal(0.5, 2), 0.5);
  EXPECT_LE(cut.largest, 1.0);
  EXPECT_GT(cut.largest, 0.999);
  // 100 000 draws: the standard error of the deviation is 0.001, of a share 0.0016; five of them.
  EXPECT_NEAR(cut.std_dev, 0.5 * truncated_std(2), 0.005);
  EXPECT_NEAR(
      cut.share, (normal_cdf(1) - normal_cdf(-2)) / (normal_cdf(2) - normal_cdf(-2)), 0.008);
}

TEST(TruncatedNormal, CorrectedHasTheDeviationThatWasAskedFor) {
  const Spread cut = spread_of(Init::truncated_normal(0.5, 2, true), 0);
  EXPECT_NEAR(cut.std_dev, 0.5, 0.005);
  EXPECT_LE(cut.largest, 1.0 / truncated_std(2));
  EXPECT_NEAR(cut.share, 0.5, 0.008);
}

TEST(TruncatedNormal, IsKeyedByTheModelAndTheName) {
  const Init init = Init::truncated_normal(1, 1.5);
  Params pack({5, 9}), alone({9});
  const Tensor a = pack[pack.add("w", {30}, init)].value.tensor().slice(1, 1);
  const Tensor b = alone[alone.add("w", {30}, init)].value;
  const Tensor other = alone[alone.add("v", {30}, init)].value;
  EXPECT_TRUE(std::equal(a.as<float>(), a.as<float>() + 30, b.as<float>()));
  EXPECT_FALSE(std::equal(a.as<float>(), a.as<float>() + 30, other.as<float>()));
  EXPECT_THROW(Init::truncated_normal(1, 0.1), Error);
}

}  // namespace
}  // namespace sv

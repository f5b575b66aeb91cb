// kernels/math/point.h against the C library in double (long double for the double versions).
#include "kernels/math/point.h"

#include <gtest/gtest.h>

#include <functional>

#include "kernels/math/atan.h"

namespace sv::point {
namespace {

/// |got - expected| in units of the last place of `expected` in float.
double ulps(float got, long double expected) {
  const float nearest = static_cast<float>(expected);
  const float step =
      std::nextafter(std::abs(nearest), std::numeric_limits<float>::infinity()) - std::abs(nearest);
  return static_cast<double>(std::abs(static_cast<long double>(got) - expected) / step);
}

double worst_ulps(float low,
                  float high,
                  const std::function<float(float)>& f,
                  const std::function<double(double)>& expected) {
  double worst = 0;
  constexpr int kSteps = 400000;
  for (int i = 0; i <= kSteps; ++i) {
    const float x = low + (high - low) * static_cast<float>(i) / kSteps;
    worst = std::max(worst, ulps(f(x), expected(x)));
  }
  return worst;
}

double worst_relative(double low,
                      double high,
                      const std::function<double(double)>& f,
                      const std::function<long double(long double)>& expected) {
  double worst = 0;
  constexpr int kSteps = 200000;
  for (int i = 0; i <= kSteps; ++i) {
    const double x = low + (high - low) * i / kSteps;
    const long double e = expected(x);
    if (e != 0) {
      worst = std::max(worst, static_cast<double>(std::abs((f(x) - e) / e)));
    }
  }
  return worst;
}

TEST(Point, ExpIsWithinTwoUlpInFloat) {
  const auto reference = [](double x) { return std::exp(x); };
  EXPECT_LE(worst_ulps(-87.3f, 88.7f, exp_poly<float>, reference), 2.0);
  EXPECT_LE(worst_ulps(-1.0f, 1.0f, exp_poly<float>, reference), 2.0);
}

TEST(Point, ExpIsWithinFifteenDigitsInDouble) {
  EXPECT_LE(worst_relative(-700, 700, exp_poly<double>, [](long double x) { return std::exp(x); }),
            1e-15);
}

template <class T>
void exp_edges() {
  constexpr T inf = std::numeric_limits<T>::infinity();
  EXPECT_EQ(exp_poly(T{0}), T{1});
  EXPECT_EQ(exp_poly(inf), inf);
  EXPECT_EQ(exp_poly(T{1000}), inf);
  EXPECT_EQ(exp_poly(-inf), T{0});
  EXPECT_EQ(exp_poly(T{-1000}), T{0});
  EXPECT_TRUE(std::isnan(exp_poly(std::numeric_limits<T>::quiet_NaN())));
}

TEST(Point, ExpHasItsLimits) {
  exp_edges<float>();
  exp_edges<double>();
}

TEST(Point, LogIsWithinTwoUlpInFloat) {
  const auto reference = [](double x) { return std::log(x); };
  EXPECT_LE(worst_ulps(1e-3f, 4.0f, log_poly<float>, reference), 2.0);
  EXPECT_LE(worst_ulps(1.0f, 1000.0f, log_poly<float>, reference), 2.0);
  EXPECT_LE(worst_ulps(1e-37f, 1e-30f, log_poly<float>, reference), 2.0);
  EXPECT_LE(worst_ulps(1e30f, 3e38f, log_poly<float>, reference), 2.0);
}

TEST(Point, LogIsWithinFifteenDigitsInDouble) {
  const auto reference = [](long double x) { return std::log(x); };
  EXPECT_LE(worst_relative(1e-3, 4, log_poly<double>, reference), 1e-15);
  EXPECT_LE(worst_relative(1, 1e9, log_poly<double>, reference), 1e-15);
}

template <class T>
void log_edges() {
  constexpr T inf = std::numeric_limits<T>::infinity();
  EXPECT_EQ(log_poly(T{1}), T{0});
  EXPECT_EQ(log_poly(T{0}), -inf);
  EXPECT_EQ(log_poly(inf), inf);
  EXPECT_TRUE(std::isnan(log_poly(T{-1})));
  EXPECT_TRUE(std::isnan(log_poly(std::numeric_limits<T>::quiet_NaN())));
}

TEST(Point, LogHasItsLimits) {
  log_edges<float>();
  log_edges<double>();
}

TEST(Point, TanhIsCloseAndOdd) {
  EXPECT_LE(worst_ulps(-12, 12, tanh<float>, [](double x) { return std::tanh(x); }), 3.0);
  EXPECT_LE(worst_relative(-20, 20, tanh<double>, [](long double x) { return std::tanh(x); }),
            1e-15);
  for (const float x : {1e-6f, 0.3f, 0.624f, 0.626f, 5.0f, 100.0f}) {
    EXPECT_EQ(tanh(-x), -tanh(x));
  }
}

TEST(Point, SigmoidAndSiluAreClose) {
  const auto sigmoid_reference = [](double x) { return 1 / (1 + std::exp(-x)); };
  EXPECT_LE(worst_ulps(-80, 80, sigmoid<float>, sigmoid_reference), 4.0);
  EXPECT_LE(worst_ulps(-80, 80, silu<float>, [&](double x) { return x * sigmoid_reference(x); }),
            4.0);
}

TEST(Point, SigmoidHasItsLimitsAndKeepsNan) {
  EXPECT_EQ(sigmoid(200.0f), 1.0f);
  EXPECT_EQ(sigmoid(-1e30f), 0.0f);
  EXPECT_EQ(sigmoid(-1e300), 0.0);
  EXPECT_GE(sigmoid(-86.9f), std::numeric_limits<float>::min());
  EXPECT_TRUE(std::isnan(sigmoid(std::numeric_limits<float>::quiet_NaN())));
  EXPECT_TRUE(std::isnan(silu(std::numeric_limits<double>::quiet_NaN())));
}

TEST(Point, GeluIsTheTanhForm) {
  const auto reference = [](long double x) {
    const long double inner = std::sqrt(2 / 3.14159265358979323846L) * (x + 0.044715L * x * x * x);
    return 0.5L * x * (1 + std::tanh(inner));
  };
  for (double x = -6; x <= 6; x += 0.01) {
    EXPECT_NEAR(gelu(x), static_cast<double>(reference(x)), 1e-14);
    EXPECT_NEAR(gelu(static_cast<float>(x)), static_cast<double>(reference(x)), 2e-6);
  }
}

TEST(Point, DerivativesMatchCentralDifferences) {
  const double h = 1e-5;
  for (double x = -8; x <= 8; x += 0.013) {
    EXPECT_NEAR(silu_derivative(x), (silu(x + h) - silu(x - h)) / (2 * h), 1e-9);
    EXPECT_NEAR(gelu_derivative(x), (gelu(x + h) - gelu(x - h)) / (2 * h), 1e-9);
  }
}

TEST(Point, SoftplusNeitherOverflowsNorLosesItsTail) {
  for (double x = -30; x <= 30; x += 0.037) {
    EXPECT_NEAR(softplus(x), std::log1p(std::exp(x)), 1e-14 * (1 + std::abs(x)));
  }
  EXPECT_EQ(softplus(1e6f), 1e6f);
  EXPECT_EQ(softplus(-1e6f), 0.0f);
}

TEST(Point, TheAngleOfAPointIsClose) {
  for (const double x : {1e-3, 0.4, 1.0, 7.0}) {
    const auto single = [&](float y) { return angle(y, static_cast<float>(x)); };
    const double rounded = static_cast<double>(static_cast<float>(x));
    EXPECT_LE(worst_ulps(-9, 9, single, [&](double y) { return std::atan2(y, rounded); }), 3.0);
    EXPECT_LE(worst_relative(
                  -9,
                  9,
                  [&](double y) { return angle(y, x); },
                  [&](long double y) { return std::atan2(y, static_cast<long double>(x)); }),
              1e-15);
  }
}

template <class T>
void angle_edges() {
  constexpr T inf = std::numeric_limits<T>::infinity(), nan = std::numeric_limits<T>::quiet_NaN();
  EXPECT_EQ(angle(T{0}, T{0}), T{0});
  EXPECT_EQ(angle(T{0}, T{2}), T{0});
  EXPECT_EQ(angle(T{3}, T{0}), std::atan2(T{3}, T{0}));
  EXPECT_EQ(angle(T{-3}, T{0}), std::atan2(T{-3}, T{0}));
  EXPECT_EQ(angle(T{5}, inf), T{0});
  EXPECT_EQ(angle(inf, T{5}), std::atan2(inf, T{5}));
  EXPECT_TRUE(std::isnan(angle(nan, T{1})) && std::isnan(angle(T{1}, nan)));
}

TEST(Point, TheAngleHasItsLimitsAndKeepsNan) {
  angle_edges<float>();
  angle_edges<double>();
}

TEST(Point, SineAndCosineAreRightUpToAMillion) {
  for (const double scale : {1.0, 100.0, 1e4, 1e6}) {
    double worst = 0;
    for (int i = -20000; i <= 20000; ++i) {
      const double x = scale * i / 20000;
      double s = 0, c = 0;
      sine_cosine(x, s, c);
      worst = std::max({worst, std::abs(s - std::sin(x)), std::abs(c - std::cos(x))});
    }
    EXPECT_LE(worst, 1e-15) << "up to " << scale;
  }
}

}  // namespace
}  // namespace sv::point

// The matrix kernels of every instruction set that this machine has, against the chain they
// promise.
#include "kernels/cpu/gemm.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <tuple>
#include <vector>

#include "core/check.h"
#include "core/rng.h"
#include "kernels/cpu/isa.h"

namespace sv::cpu {
namespace {

struct Size {
  int64_t rows, k, n;
};

// Tails of every tile height (4, 6, 14) and panel width (4 to 32), one to three blocks of k, and
// nothing at all.
const Size kSizes[] = {{1, 1, 1},
                       {2, 3, 5},
                       {5, 7, 4},
                       {6, 16, 16},
                       {7, 9, 17},
                       {13, 12, 12},
                       {14, 48, 32},
                       {15, 33, 31},
                       {27, 5, 49},
                       {36, 12, 36},
                       {3, 256, 8},
                       {9, 257, 20},
                       {17, 600, 33},
                       {98, 64, 40},
                       {4, 0, 3},
                       {1, 300, 200},
                       {1, 5, 64}};

std::vector<Isa> sets() {
  std::vector<Isa> out;
  for (const Isa isa : {Isa::portable, Isa::avx2, Isa::avx512}) {
    if (has_isa(isa)) {
      out.push_back(isa);
    }
  }
  return out;
}

template <class T>
std::vector<T> random(int64_t count, uint32_t stream) {
  std::vector<T> x(static_cast<size_t>(count));
  const Rng rng(5, stream);
  for (size_t i = 0; i < x.size(); ++i) {
    x[i] = static_cast<T>(rng.normal(i));
  }
  return x;
}

/// A product with all strides in play: a or its transpose in memory, b or its transpose, c wider
/// than n.
template <class T>
struct Product {
  static constexpr T kUntouched = T{-77};
  Size size;
  bool a_transposed, b_transposed, accumulate;
  std::vector<T> a = random<T>(size.rows * size.k, 1), b = random<T>(size.k * size.n, 2);
  std::vector<T> start = random<T>(size.rows * size.n, 3);

  int64_t c_row() const { return size.n + 3; }
  View<T> left() const {
    return a_transposed ? View<T>{a.data(), 1, size.rows} : View<T>{a.data(), size.k, 1};
  }
  View<T> right() const {
    return b_transposed ? View<T>{b.data(), 1, size.k} : View<T>{b.data(), size.n, 1};
  }
  /// The first `rows` rows of c, with kUntouched between them and after them.
  std::vector<T> run(Isa isa, int64_t rows) const {
    const Gemm<T> gemm(isa);
    std::vector<T> packed(static_cast<size_t>(gemm.packed_size(size.k, size.n)), T{-99});
    gemm.pack(right(), size.k, size.n, packed.data());
    std::vector<T> c(static_cast<size_t>((size.rows + 1) * c_row()), kUntouched);
    for (int64_t i = 0; i < rows * size.n && accumulate; ++i) {
      c[static_cast<size_t>(i / size.n * c_row() + i % size.n)] = start[static_cast<size_t>(i)];
    }
    gemm.run(left(), rows, size.k, size.n, packed.data(), c.data(), c_row(), accumulate);
    return c;
  }
  std::vector<T> run(Isa isa) const { return run(isa, size.rows); }

  /// Element (i, j) as the header promises it: step(a, b, sum) over k ascending.
  template <class Step>
  T chain(int64_t i, int64_t j, Step step) const {
    T sum = accumulate ? start[static_cast<size_t>(i * size.n + j)] : T{0};
    for (int64_t k = 0; k < size.k; ++k) {
      const View<T> l = left(), r = right();
      sum = step(l.data[i * l.row + k * l.col], r.data[k * r.row + j * r.col], sum);
    }
    return sum;
  }
};

/// f(product, isa) over all sizes, orientations and instruction sets.
template <class T, class F>
void each_product(F&& f) {
  for (const Size& size : kSizes) {
    for (int flags = 0; flags < 8; ++flags) {
      const Product<T> product{size, (flags & 1) != 0, (flags & 2) != 0, (flags & 4) != 0};
      for (const Isa isa : sets()) {
        SCOPED_TRACE(testing::Message() << isa_name(isa) << ", rows " << size.rows << ", k "
                                        << size.k << ", n " << size.n << ", flags " << flags);
        f(product, isa);
      }
    }
  }
}

template <class T>
class Gemms : public testing::Test {};
using Types = testing::Types<float, double>;
TYPED_TEST_SUITE(Gemms, Types);

TYPED_TEST(Gemms, MatchPlainLoopsInDouble) {
  using T = TypeParam;
  each_product<T>([](const Product<T>& p, Isa isa) {
    const std::vector<T> c = p.run(isa);
    // sqrt(k) half-ulps of a sum of that size; 4 leaves room for the largest of some thousand
    // elements.
    const double tolerance =
        4 * (std::is_same_v<T, float> ? 6e-8 : 1.2e-16) * (1 + static_cast<double>(p.size.k));
    for (int64_t i = 0; i < p.size.rows; ++i) {
      for (int64_t j = 0; j < p.size.n; ++j) {
        double sum = p.accumulate ? static_cast<double>(p.start[i * p.size.n + j]) : 0.0;
        const View<T> l = p.left(), r = p.right();
        for (int64_t k = 0; k < p.size.k; ++k) {
          sum += static_cast<double>(l.data[i * l.row + k * l.col]) *
                 static_cast<double>(r.data[k * r.row + j * r.col]);
        }
        ASSERT_NEAR(c[i * p.c_row() + j], sum, tolerance) << i << ", " << j;
      }
    }
  });
}

TYPED_TEST(Gemms, ElementIsOneChainOverAscendingK) {
  using T = TypeParam;
  each_product<T>([](const Product<T>& p, Isa isa) {
    const std::vector<T> c = p.run(isa);
    for (int64_t i = 0; i < p.size.rows; ++i) {
      for (int64_t j = 0; j < p.size.n; ++j) {
        const T expected = isa == Isa::portable
                               ? p.chain(i, j, [](T a, T b, T sum) { return a * b + sum; })
                               : p.chain(i, j, [](T a, T b, T sum) { return std::fma(a, b, sum); });
        ASSERT_EQ(c[i * p.c_row() + j], expected) << i << ", " << j;
      }
    }
  });
}

TYPED_TEST(Gemms, Avx2AndAvx512GiveTheSameBits) {
  using T = TypeParam;
  if (!has_isa(Isa::avx512)) {
    GTEST_SKIP() << "this machine has no AVX-512";
  }
  each_product<T>([](const Product<T>& p, Isa isa) {
    if (isa == Isa::avx512) {
      const std::vector<T> wide = p.run(isa), narrow = p.run(Isa::avx2);
      EXPECT_EQ(std::memcmp(wide.data(), narrow.data(), wide.size() * sizeof(T)), 0);
    }
  });
}

TYPED_TEST(Gemms, RowsDoNotDependOnTheRowsAfterThem) {
  using T = TypeParam;
  each_product<T>([](const Product<T>& p, Isa isa) {
    const std::vector<T> all = p.run(isa);
    for (const int64_t rows : {int64_t{1}, p.size.rows / 2, p.size.rows - 1}) {
      const std::vector<T> some = p.run(isa, rows);
      for (int64_t i = 0; i < rows; ++i) {
        EXPECT_EQ(std::memcmp(&some[i * p.c_row()], &all[i * p.c_row()], p.size.n * sizeof(T)), 0)
            << "row " << i << " of " << rows;
      }
    }
  });
}

TYPED_TEST(Gemms, NothingIsWrittenBesideTheColumns) {
  using T = TypeParam;
  each_product<T>([](const Product<T>& p, Isa isa) {
    const std::vector<T> c = p.run(isa);
    for (int64_t at = 0; at < static_cast<int64_t>(c.size()); ++at) {
      if (at / p.c_row() == p.size.rows || at % p.c_row() >= p.size.n) {
        ASSERT_EQ(c[at], Product<T>::kUntouched) << "offset " << at;
      }
    }
  });
}

TYPED_TEST(Gemms, PanelsPackedOneByOneAreThePanelsPackedAtOnce) {
  using T = TypeParam;
  each_product<T>([](const Product<T>& p, Isa isa) {
    const Gemm<T> gemm(isa);
    const auto count = static_cast<size_t>(gemm.packed_size(p.size.k, p.size.n));
    std::vector<T> at_once(count), one_by_one(count);
    gemm.pack(p.right(), p.size.k, p.size.n, at_once.data());
    for (int64_t panel = gemm.panels(p.size.n) - 1; panel >= 0; --panel) {
      gemm.pack(p.right(), p.size.k, p.size.n, panel, panel + 1, one_by_one.data());
    }
    EXPECT_EQ(at_once, one_by_one);
  });
}

TEST(Isa, TheOneInUseIsThere) {
  EXPECT_TRUE(has_isa(Isa::portable));
  EXPECT_TRUE(has_isa(isa()));
}

/// In a process of its own, since a process chooses once.
void exit_with_choice(const char* asked, Isa want) {
  setenv("SV_ISA", asked, 1);
  std::exit(isa() == want ? 0 : 1);
}

TEST(IsaChoice, IsTheBestOfTheMachineUpToTheOneAskedFor) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  Isa best = Isa::portable;
  for (const Isa set : sets()) {
    best = set;
    const std::string name(isa_name(set));
    EXPECT_EXIT(exit_with_choice(name.c_str(), set), testing::ExitedWithCode(0), "") << name;
  }
  EXPECT_EXIT(exit_with_choice("", best), testing::ExitedWithCode(0), "");
}

TEST(IsaChoice, AnUnknownNameIsRefusedWithTheKnownOnes) {
  GTEST_FLAG_SET(death_test_style, "threadsafe");
  const auto ask = [] {
    try {
      exit_with_choice("avx3", Isa::portable);
    } catch (const Error& e) {
      std::fputs(e.what(), stderr);
      std::exit(7);
    }
  };
  EXPECT_EXIT(ask(), testing::ExitedWithCode(7), "SV_ISA=avx3, known are portable, avx2, avx512");
}

}  // namespace
}  // namespace sv::cpu

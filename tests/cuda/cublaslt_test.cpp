// Products by cuBLASLt, on a stand-in for it (fake_cublaslt.h): how it is found, asked and given
// up.
#include "kernels/cuda/cublaslt.h"

#include <dlfcn.h>
#include <gtest/gtest.h>

#include <cstdlib>

#include "core/rng.h"
#include "cuda/fake_cublaslt.h"

namespace sv::cuda {
namespace {

class CublasLtTest : public testing::Test {
 protected:
  // Opened here too, so that its state outlives what is tested.
  void SetUp() override {
    setenv("SV_CUBLASLT", SV_FAKE_CUBLASLT, 1);
    library_ = dlopen(SV_FAKE_CUBLASLT, RTLD_NOW);
    ASSERT_NE(library_, nullptr) << dlerror();
    lt_ = reinterpret_cast<fake::Lt* (*)()>(dlsym(library_, "sv_fake_lt"))();
    *lt_ = {};
  }
  void TearDown() override {
    EXPECT_EQ(lt_->handles, 0);
    EXPECT_EQ(lt_->descriptors, 0);
    dlclose(library_);
    unsetenv("SV_CUBLASLT");
  }
  std::unique_ptr<CublasLt> open() {
    std::string why;
    auto opened = CublasLt::open(13, why);
    EXPECT_NE(opened, nullptr) << why;
    return opened;
  }
  std::string why_not() {
    std::string why;
    EXPECT_EQ(CublasLt::open(13, why), nullptr);
    return why;
  }

  void* library_ = nullptr;
  fake::Lt* lt_ = nullptr;
};

std::vector<float> normal(int64_t n, uint32_t stream) {
  std::vector<float> x(static_cast<size_t>(n));
  for (size_t i = 0; i < x.size(); ++i) {
    x[i] = static_cast<float>(Rng(3, stream).normal(i));
  }
  return x;
}

/// A product with its arguments.
struct Product {
  Product(int64_t R, int64_t C, int64_t depth, bool wide_a, bool wide_b, bool with_bias, bool adds)
      : a(normal(R * depth, 1)),
        b(normal(C * depth, 2)),
        bias(normal(C, 3)),
        out(normal(R * C, 4)) {
    call = {.a = a.data(),
            .b = b.data(),
            .bias = with_bias ? bias.data() : nullptr,
            .out = out.data(),
            .R = R,
            .C = C,
            .depth = depth,
            .wide_a = wide_a,
            .wide_b = wide_b,
            .adds = adds};
  }
  std::vector<double> expected() const {
    std::vector<double> e;
    for (int64_t r = 0; r < call.R; ++r) {
      for (int64_t c = 0; c < call.C; ++c) {
        const auto at = static_cast<size_t>(r * call.C + c);
        double sum = call.adds ? static_cast<double>(out[at]) : 0;
        for (int64_t k = 0; k < call.depth; ++k) {
          const int64_t i = call.wide_a ? k * call.R + r : r * call.depth + k;
          const int64_t j = call.wide_b ? k * call.C + c : c * call.depth + k;
          sum += static_cast<double>(a[static_cast<size_t>(i)]) *
                 static_cast<double>(b[static_cast<size_t>(j)]);
        }
        e.push_back(sum + (call.bias ? static_cast<double>(bias[static_cast<size_t>(c)]) : 0));
      }
    }
    return e;
  }
  std::vector<float> a, b, bias, out;
  LargeProduct call;
};

TEST_F(CublasLtTest, ComputesEveryOrderOfItsOperands) {
  const auto lt = open();
  for (const bool wide_a : {false, true}) {
    for (const bool wide_b : {false, true}) {
      for (const bool with_bias : {false, true}) {
        for (const bool adds : {false, true}) {
          Product p(5, 7, 3, wide_a, wide_b, with_bias, adds);
          const std::vector<double> want = p.expected();
          ASSERT_TRUE(lt->multiply(p.call, nullptr, nullptr));
          for (size_t i = 0; i < want.size(); ++i) {
            // One rounding of numbers of size 10.
            ASSERT_NEAR(p.out[i], want[i], 1e-6) << wide_a << wide_b << with_bias << adds;
          }
        }
      }
    }
  }
  EXPECT_EQ(lt->calls(), 16);
  EXPECT_EQ(lt_->products, 16);
}

TEST_F(CublasLtTest, AsksForAnAlgorithmOncePerShape) {
  const auto lt = open();
  Product p(4, 6, 8, false, false, true, false), other(4, 6, 9, false, false, true, false);
  for (int i = 0; i < 3; ++i) {
    lt->multiply(p.call, nullptr, nullptr);
  }
  EXPECT_EQ(lt_->heuristics, 1);
  p.call.adds = true;  // and with another bias: the same shape
  p.call.bias = other.bias.data();
  lt->multiply(p.call, nullptr, nullptr);
  EXPECT_EQ(lt_->heuristics, 1);
  lt->multiply(other.call, nullptr, nullptr);
  p.call.alignment = 16;
  lt->multiply(p.call, nullptr, nullptr);
  p.call.precision = Precision::bf16;
  lt->multiply(p.call, nullptr, nullptr);
  EXPECT_EQ(lt_->alignments, (std::vector<unsigned>{4, 4, 16, 16}));
}

TEST_F(CublasLtTest, PassesPrecisionStreamAndScratchOn) {
  const auto lt = open();
  Product p(2, 2, 2, false, false, false, false);
  int scratch = 0, stream = 0;
  lt->multiply(p.call, &scratch, &stream);
  EXPECT_EQ(lt_->compute, lt::kCompute32FTf32);
  EXPECT_EQ(lt_->workspace, &scratch);
  EXPECT_EQ(lt_->stream, &stream);
  p.call.precision = Precision::bf16;
  lt->multiply(p.call, &scratch, &stream);
  EXPECT_EQ(lt_->compute, lt::kCompute32FBf16);
}

TEST_F(CublasLtTest, LeavesWhatTheLibraryHasNoAlgorithmFor) {
  Product p(2, 3, 4, false, false, false, false);
  const std::vector<float> before = p.out;
  for (const int status : {lt::kSuccess, lt::kNotSupported}) {
    lt_->has_algorithm = false;
    lt_->heuristic_status = status;
    const auto lt = open();
    EXPECT_FALSE(lt->multiply(p.call, nullptr, nullptr));
    EXPECT_FALSE(lt->multiply(p.call, nullptr, nullptr));
    EXPECT_EQ(lt->calls(), 0);
  }
  EXPECT_EQ(p.out, before);
}

TEST_F(CublasLtTest, AProductThatFailsIsNamed) {
  const auto lt = open();
  Product p(2, 3, 4, false, false, false, false);
  lt_->matmul_status = 13;
  try {
    lt->multiply(p.call, nullptr, nullptr);
    FAIL();
  } catch (const Error& e) {
    const std::string text = e.what();
    EXPECT_NE(text.find("failed with status 13 for 2 x 3 over 4"), std::string::npos) << text;
    EXPECT_EQ(e.exit, Exit::environment);
  }
}

TEST_F(CublasLtTest, AnErrorOfTheHeuristicIsNotTakenForNoAlgorithm) {
  const auto lt = open();
  Product p(2, 3, 4, false, false, false, false);
  lt_->heuristic_status = 7;
  EXPECT_THROW(lt->multiply(p.call, nullptr, nullptr), Error);
}

TEST_F(CublasLtTest, SaysItsVersionAndWhereItLies) {
  EXPECT_EQ(open()->name(), std::string("cuBLASLt 12.4.5, ") + SV_FAKE_CUBLASLT);
}

TEST_F(CublasLtTest, SaysWhyThereIsNone) {
  setenv("SV_CUBLASLT", "/no/such/library.so", 1);
  EXPECT_NE(why_not().find("/no/such/library.so"), std::string::npos);
  setenv("SV_CUBLASLT", "libc.so.6", 1);
  EXPECT_EQ(why_not(), "libc.so.6: has no cublasLtCreate");
  setenv("SV_CUBLASLT", SV_FAKE_CUBLASLT, 1);
  lt_->create_status = 1;
  EXPECT_NE(why_not().find("cublasLtCreate failed with status 1"), std::string::npos);
}

TEST_F(CublasLtTest, WithoutANameItLooksForTheReleasesLibraries) {
  unsetenv("SV_CUBLASLT");
  std::string why;
  if (CublasLt::open(13, why)) {
    GTEST_SKIP() << "there is one, and a GPU for it";
  }
  EXPECT_NE(why.find("libcublasLt.so.13"), std::string::npos) << why;
  EXPECT_NE(why.find("libcublasLt.so.12"), std::string::npos) << why;
}

}  // namespace
}  // namespace sv::cuda

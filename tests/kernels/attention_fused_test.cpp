// attention_fused against attention_pattern and attention_mix: the same bits forward and backward,
// for every mask and any threads.
#include <gtest/gtest.h>

#include <cstring>

#include "core/rng.h"
#include "kernels/autograd/ops.h"

namespace sv {
namespace {

using Kind = ops::AttentionMask::Kind;

struct Sizes {
  int64_t M, B, T, S, H, G, K;
  Kind kind;
  bool padded;
};

// The last one is enough work for several threads.
const std::vector<Sizes> kSizes = {{2, 2, 5, 7, 2, 1, 3, Kind::causal, false},
                                   {2, 3, 9, 9, 4, 2, 4, Kind::prefix, true},
                                   {1, 2, 7, 4, 3, 3, 5, Kind::causal, true},
                                   {3, 1, 20, 33, 2, 1, 17, Kind::bidirectional, true},
                                   {2, 8, 36, 36, 4, 4, 12, Kind::bidirectional, false}};

/// o and the gradients of q, k and v, by one op or by two.
template <class T>
class Run {
 public:
  Run(const Sizes& z, bool fused, int threads) : tape_({&arena_, threads, {}}, true), z_(z) {
    const Var q = leaf("q", {z.M, z.B, z.T, z.H * z.K});
    const Var k = leaf("k", {z.M, z.B, z.S, z.G * z.K});
    const Var v = leaf("v", {z.M, z.B, z.S, z.G * z.K});
    const int heads = static_cast<int>(z.H), groups = static_cast<int>(z.G);
    const ops::AttentionMask seen = mask();
    Var o;
    if (fused) {
      o = ad::attention_fused(tape_, q, k, v, seen, heads, groups, kScale);
    } else {
      const Var p = ad::attention_pattern(tape_, q, k, seen, heads, groups, kScale);
      o = ad::attention_mix(tape_, p, v, heads, groups);
    }
    tape_.seed_grad(o, values("do", o.shape()));
    tape_.backward();
    results_ = {o.value(), q->grad, k->grad, v->grad};
  }
  const std::vector<Tensor>& results() const { return results_; }

 private:
  static constexpr double kScale = 0.41;

  Tensor values(const char* name, const Shape& shape) {
    const Tensor t = make_tensor(arena_, shape, dtype_of<T>);
    const Rng rng(5, stream_of(name));
    for (int64_t i = 0; i < t.numel(); ++i) {
      t.as<T>()[i] = static_cast<T>(rng.normal(static_cast<uint64_t>(i)));
    }
    return t;
  }
  Var leaf(const char* name, const Shape& shape) { return tape_.input(values(name, shape)); }
  Tensor counts(const char* name) {
    const Tensor t = make_tensor(arena_, {z_.M, z_.B}, DType::i32);
    for (int64_t i = 0; i < t.numel(); ++i) {
      t.as<int32_t>()[i] = static_cast<int32_t>(
          Rng(6, stream_of(name)).below(static_cast<uint64_t>(i), static_cast<uint32_t>(z_.S + 1)));
    }
    return t;
  }
  ops::AttentionMask mask() {
    return {z_.kind,
            z_.padded ? counts("lengths") : Tensor{},
            z_.kind == Kind::prefix ? counts("prefix") : Tensor{},
            z_.S - z_.T};
  }

  Arena arena_;
  Tape tape_;
  Sizes z_;
  std::vector<Tensor> results_;
};

template <class T>
void expect_same_bits(const Sizes& z, int threads) {
  const Run<T> one(z, true, threads), two(z, false, 1);
  const char* names[] = {"o", "dq", "dk", "dv"};
  for (size_t i = 0; i < 4; ++i) {
    const Tensor &a = one.results()[i], &b = two.results()[i];
    ASSERT_EQ(a.shape, b.shape);
    EXPECT_EQ(std::memcmp(a.data, b.data, a.bytes()), 0)
        << names[i] << " of M" << z.M << " T" << z.T << " S" << z.S << ", threads " << threads;
  }
}

TEST(AttentionFused, HasTheBitsOfPatternAndMix) {
  for (const Sizes& z : kSizes) {
    for (const int threads : {1, 2}) {
      expect_same_bits<float>(z, threads);
      expect_same_bits<double>(z, threads);
    }
  }
}

}  // namespace
}  // namespace sv

// The fused block against the same block op by op: the same bits, for every mask, norm and MLP, any
// threads, stripes and pack.
#include <gtest/gtest.h>

#include <cstring>

#include "core/rng.h"
#include "kernels/fused/block.h"
#include "kernels/ops/activate/activate.h"
#include "kernels/ops/elementwise/elementwise.h"
#include "kernels/ops/layernorm/layernorm.h"
#include "kernels/ops/matmul/matmul.h"
#include "kernels/ops/rmsnorm/rmsnorm.h"
#include "kernels/ops/rope/rope.h"
#include "kernels/ops/silu_gate/silu_gate.h"

namespace sv {
namespace {

using Kind = ops::AttentionMask::Kind;

struct BlockCase {
  std::string name;
  int64_t M, B, T, D, F;
  int heads, kv_heads;
  bool gated, rope, layer, bias;
  bool before, behind;  // norms before and behind attention and MLP
  Kind mask;
  bool padded;
  int64_t offset = 0;
};

// The last ones have several stripes of rows, a product deeper than a block of 256, and enough work
// for one sequence on several threads.
// clang-format off
const std::vector<BlockCase> kBlockCases = {
    // M, B, T, D, F, heads, kv heads, gated, rope, layernorm, bias, norms before and behind
    {"small", 2, 3, 5, 8, 7, 2, 1, true, true, false, false, true, false, Kind::bidirectional, false},
    {"padded_causal", 3, 2, 9, 12, 20, 3, 3, false, true, true, true, true, false, Kind::causal, true},
    {"prefix", 2, 2, 11, 16, 24, 4, 2, true, false, false, false, false, true, Kind::prefix, true},
    {"sandwich", 1, 7, 16, 32, 40, 4, 4, true, true, true, false, true, true, Kind::bidirectional, true},
    {"no_norm", 2, 1, 6, 8, 8, 1, 1, false, false, false, true, false, false, Kind::causal, false},
    {"offset", 2, 2, 9, 16, 24, 2, 1, true, true, false, false, true, false, Kind::causal, true, 3},
    {"one_sequence", 1, 1, 57, 64, 168, 4, 2, true, true, false, false, true, false, Kind::causal, true},
    {"deep", 1, 2, 19, 48, 300, 4, 4, false, true, true, true, true, true, Kind::bidirectional, false},
    {"stripes", 1, 1, 130, 64, 96, 4, 4, true, true, false, false, false, true, Kind::prefix, false}};
// clang-format on

/// Inputs, weights and masks of a case; all random, keyed by name.
template <class T>
class BlockRun {
 public:
  explicit BlockRun(const BlockCase& c) : c_(c) {
    x_ = normal("x", {c.M, c.B, c.T, c.D});
    const int64_t kv = c.D / c.heads * c.kv_heads, up = c.gated ? 2 * c.F : c.F;
    q_ = weight("q", c.D, c.D), k_ = weight("k", kv, c.D), v_ = weight("v", kv, c.D);
    out_ = weight("out", c.D, c.D), up_ = weight("up", up, c.D), down_ = weight("down", c.D, c.F);
    if (c.bias) {
      up_bias_ = normal("up_bias", {c.M, up}), down_bias_ = normal("down_bias", {c.M, c.D});
    }
    fused::NormWeights* norms[] = {&attn_in_, &attn_out_, &mlp_in_, &mlp_out_};
    for (int i = 0; i < 4; ++i) {
      if (i % 2 == 0 ? c.before : c.behind) {
        *norms[i] = {normal("gain" + std::to_string(i), {c.M, c.D}),
                     c.layer ? normal("bias" + std::to_string(i), {c.M, c.D}) : Tensor{},
                     c.layer,
                     1e-5};
      }
    }
    mask_.kind = c.mask;
    mask_.offset = c.offset;
    mask_.lengths = c.padded ? counts(c.T) : Tensor{};
    mask_.prefix = c.mask == Kind::prefix ? counts(3) : Tensor{};
  }

  Tensor fused(int threads, std::span<const int> models = {}) {
    const Tensor y = make_tensor(arena_, x_.shape, dtype_of<T>);
    std::memset(y.data, 0x5a, y.bytes());
    const Context ctx{&arena_, threads, models};
    const auto panels = [&](const Tensor& w) {
      const int64_t O = w.dim(1), K = w.dim(2);
      const ops::Panels p = {
          make_tensor(arena_, {c_.M, ops::panel_elements_y(w.dtype, O, K)}, w.dtype),
          make_tensor(arena_, {c_.M, ops::panel_elements_dx(w.dtype, O, K)}, w.dtype)};
      ops::pack_panels({&arena_, 1, {}}, w, p);
      return p.y;
    };
    const fused::BlockWeights w = {attn_in_,
                                   attn_out_,
                                   mlp_in_,
                                   mlp_out_,
                                   panels(q_),
                                   panels(k_),
                                   panels(v_),
                                   panels(out_),
                                   panels(up_),
                                   panels(down_),
                                   up_bias_,
                                   down_bias_};
    fused::block(ctx, {c_.heads, c_.kv_heads, c_.F, c_.gated, c_.rope, 10000.0}, w, mask_, x_, y);
    return y;
  }

  Tensor plain() {
    const Tensor a = norm(attn_out_, add(x_, attention(norm(attn_in_, x_))));
    return norm(mlp_out_, add(a, mlp(norm(mlp_in_, a))));
  }

 private:
  Tensor like(const Shape& shape) { return make_tensor(arena_, shape, dtype_of<T>); }
  Tensor normal(const std::string& name, const Shape& shape, double scale = 1) {
    const Tensor x = like(shape);
    const Rng rng(5, stream_of(name));
    for (int64_t i = 0; i < x.numel(); ++i) {
      x.as<T>()[i] = static_cast<T>(scale * rng.normal(static_cast<uint64_t>(i)));
    }
    return x;
  }
  Tensor weight(const std::string& name, int64_t out, int64_t in) {
    return normal(name, {c_.M, out, in}, 1 / std::sqrt(static_cast<double>(in)));
  }
  Tensor counts(int64_t most) {
    const Tensor x = make_tensor(arena_, {1, c_.B}, DType::i32);
    for (int64_t b = 0; b < c_.B; ++b) {
      x.as<int32_t>()[b] = static_cast<int32_t>(most - b % 3);
    }
    return x;
  }
  Tensor norm(const fused::NormWeights& w, const Tensor& x) {
    if (!w.gain) {
      return x;
    }
    const Tensor y = like(x.shape);
    if (w.layer) {
      ops::layernorm(ctx_, x, w.gain, w.bias, w.eps, y, like({c_.M, c_.B * c_.T, 2}));
    } else {
      ops::rmsnorm(ctx_, x, w.gain, w.eps, y, like({c_.M, c_.B * c_.T}));
    }
    return y;
  }
  Tensor linear(const Tensor& x, const Tensor& w, const Tensor& bias = {}) {
    const Tensor y = like(x.shape.with(-1, w.dim(1)));
    ops::matmul(ctx_, x, w, bias, y);
    return y;
  }
  Tensor rope(const Tensor& x, int heads) {
    const Tensor y = like(x.shape);
    ops::rope(ctx_, x, {heads, 10000.0}, false, y);
    return c_.rope ? y : x;
  }
  Tensor add(const Tensor& a, const Tensor& b) {
    const Tensor y = like(a.shape);
    ops::add(ctx_, a, b, y);
    return y;
  }
  Tensor attention(const Tensor& x) {
    const Tensor q = rope(linear(x, q_), c_.heads), k = rope(linear(x, k_), c_.kv_heads);
    const Tensor p = like({c_.M, c_.B, c_.heads, c_.T, c_.T}), o = like(x.shape);
    const double scale = 1 / std::sqrt(static_cast<double>(c_.D / c_.heads));
    ops::attention_pattern(ctx_, q, k, mask_, c_.heads, c_.kv_heads, scale, p);
    ops::attention_mix(ctx_, p, linear(x, v_), c_.heads, c_.kv_heads, o);
    return linear(o, out_);
  }
  Tensor mlp(const Tensor& x) {
    const Tensor up = linear(x, up_, up_bias_), hidden = like(x.shape.with(-1, c_.F));
    if (c_.gated) {
      ops::silu_gate(ctx_, up, hidden);
    } else {
      ops::activate(ctx_, ops::Activation::gelu, up, hidden);
    }
    return linear(hidden, down_, down_bias_);
  }

  const BlockCase& c_;
  Arena arena_;
  Context ctx_{&arena_, 1, {}};
  Tensor x_, q_, k_, v_, out_, up_, down_, up_bias_, down_bias_;
  fused::NormWeights attn_in_, attn_out_, mlp_in_, mlp_out_;
  ops::AttentionMask mask_;
};

bool same_bits(const Tensor& a, const Tensor& b) {
  return a.bytes() == b.bytes() && std::memcmp(a.data, b.data, a.bytes()) == 0;
}

class FusedBlock : public testing::TestWithParam<BlockCase> {};

TEST_P(FusedBlock, HasTheBitsOfItsOps) {
  BlockRun<float> single(GetParam());
  BlockRun<double> twice(GetParam());
  const Tensor want = single.plain(), want_double = twice.plain();
  for (const int threads : {1, 2, 3, 4}) {
    EXPECT_TRUE(same_bits(single.fused(threads), want)) << threads << " threads";
    EXPECT_TRUE(same_bits(twice.fused(threads), want_double)) << threads << " threads, f64";
  }
}

TEST_P(FusedBlock, LeavesOtherModelsAlone) {
  BlockRun<float> run(GetParam());
  const Tensor want = run.plain();
  const int last = static_cast<int>(GetParam().M) - 1;
  const Tensor got = run.fused(2, {&last, 1});
  EXPECT_TRUE(same_bits(got.slice(last, 1), want.slice(last, 1)));
  const auto* bytes = static_cast<const unsigned char*>(got.data);
  for (size_t i = 0; last > 0 && i < got.slice(0, last).bytes(); ++i) {
    ASSERT_EQ(bytes[i], 0x5a) << "byte " << i;
  }
}

INSTANTIATE_TEST_SUITE_P(Cases, FusedBlock, testing::ValuesIn(kBlockCases), [](const auto& tested) {
  return tested.param.name;
});

TEST(FusedBlockChecks, WrongShapesAreRefusedWithBothSides) {
  Arena arena;
  const Context ctx{&arena, 1, {}};
  const Tensor x = make_tensor(arena, {1, 1, 4, 8}, DType::f32);
  const Tensor y = make_tensor(arena, {1, 1, 4, 8}, DType::f32);
  const fused::BlockSizes sizes = {2, 2, 8, true, true, 10000.0};
  fused::BlockWeights w;
  w.q = make_tensor(arena, {1, 3}, DType::f32);
  try {
    fused::block(ctx, sizes, w, {}, x, y);
    ADD_FAILURE() << "panels of another matrix were taken";
  } catch (const Error& e) {
    EXPECT_NE(std::string(e.what()).find("q"), std::string::npos) << e.what();
  }
  EXPECT_THROW(fused::block(ctx, {3, 3, 8, true, true, 1.0}, w, {}, x, y), Error);
  EXPECT_THROW(fused::block(ctx, sizes, w, {}, x, x), Error);
}

}  // namespace
}  // namespace sv

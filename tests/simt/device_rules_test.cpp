// Rules of the host side of device ops: what is refused, what does not depend on pointers, and what
// happens to memory.
#include <gtest/gtest.h>

#include <algorithm>
#include <numeric>

#include "core/rng.h"
#include "kernels/ops/attention_fused/attention_fused.h"
#include "kernels/ops/embed/embed.h"
#include "kernels/ops/rmsnorm/rmsnorm.h"
#include "kernels/ops/rows/rows.h"
#include "kernels/simt/memory_faults.h"
#include "kernels/simt/simt_device.h"
#include "simt/device_case.h"
#include "simt/device_ops.h"
#include "simt/device_shapes.h"

namespace sv::cases {
namespace {

/// The message of the Error that f throws.
template <class F>
std::string error_of(F&& f) {
  try {
    f();
  } catch (const Error& e) {
    return e.what();
  }
  return "no error";
}

/// Whether `text` holds `part`.
testing::AssertionResult holds(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos
             ? testing::AssertionSuccess()
             : testing::AssertionFailure() << "'" << part << "' is not in: " << text;
}

TEST(DeviceRules, DoubleIsRefused) {
  simt::SimtDevice device;
  for (const DeviceOp& op : device_ops()) {
    if (op.op == "rows" || op.op == "compact") {
      continue;  // copies, of f64 too
    }
    CaseRun host(device_cases(op.op)[0], DType::f64);
    EXPECT_TRUE(holds(error_of([&] { run_on_device(device, host, {}); }), "takes f32, got f64"))
        << op.op;
    EXPECT_EQ(device.memory().count(), 0u) << op.op;
  }
}

TEST(DeviceRules, EveryOpHasKernelsOrIsListedAsOneWithout) {
  std::vector<std::string> listed = host_ops(), all;
  for (const DeviceOp& op : device_ops()) {
    listed.push_back(op.op);
  }
  for (const OpCases& op : all_cases()) {
    all.push_back(op.op);
  }
  std::ranges::sort(listed);
  EXPECT_EQ(listed, all);
}

TEST(DeviceRules, AnOpWithoutKernelsSaysSo) {
  simt::SimtDevice device;
  for (const std::string& op : host_ops()) {
    for (const Case& c : device_cases(op)) {
      CaseRun host(c, DType::f32);
      EXPECT_TRUE(holds(error_of([&] { run_on_device(device, host, {}); }),
                        "has no kernels for a device yet"))
          << op << ": " << c.name;
      EXPECT_EQ(device.memory().count(), 0u) << op;
    }
  }
}

TEST(DeviceRules, RowsOfDoublesAreCopied) {
  simt::SimtDevice device;
  for (const Case& c : device_cases("rows")) {
    CaseRun host(c, DType::f64);
    const DeviceResult got = run_on_device(device, host, {});
    host.forward(1);
    const Guarded& expected = host.outputs()[0];
    EXPECT_EQ(std::memcmp(got.outputs[0].data(), expected.tensor().data, got.outputs[0].size()), 0)
        << c.name;
  }
}

/// Runs gather_rows or scatter_rows on (M 2, B 5) with the numbers, models 0 and 1 or only 1.
std::string rows_error(const std::vector<int>& rows, bool scatter, bool only_second = false) {
  simt::SimtDevice device;
  Arena arena(device, 1);
  const std::vector<int> list = {1};
  const Context ctx{
      &arena, 1, only_second ? std::span<const int>(list) : std::span<const int>(), &device};
  const auto chosen = static_cast<int64_t>(rows.size()) / 2;
  const Tensor numbers = make_tensor(arena, {2, chosen}, DType::i32);
  device.to_device(numbers.data, rows.data(), numbers.bytes());
  const Tensor x = make_tensor(arena, {2, 5, 3}, DType::f32);
  const Tensor y = make_tensor(arena, {2, chosen, 3}, DType::f32);
  return error_of([&] {
    scatter ? ops::scatter_rows(ctx, y, numbers, x) : ops::gather_rows(ctx, x, numbers, y);
  });
}

TEST(DeviceRules, RowsOutsideTheBatchAreRefused) {
  EXPECT_EQ(rows_error({0, 4, -1, 3, 2, 1}, false), "no error");
  EXPECT_TRUE(holds(rows_error({0, 5, -1, 3, 2, 1}, false), "rows[0, 1] is outside [-1, 5)"));
  EXPECT_TRUE(holds(rows_error({0, 4, -1, 3, 2, -2}, true), "rows[1, 2] is outside [-1, 5)"));
  EXPECT_EQ(rows_error({0, 5, -1, 3, 2, 1}, false, true), "no error") << "model 0 is not listed";
}

TEST(DeviceRules, ARowIsScatteredToOnce) {
  EXPECT_EQ(rows_error({0, 4, -1, -1, 2, -1}, true), "no error");
  EXPECT_EQ(rows_error({0, 0, -1, 3, 2, 1}, false), "no error") << "gathered as often as one likes";
  EXPECT_TRUE(holds(rows_error({0, 4, 1, 3, 2, 3}, true), "rows[1, 0] is named more than once"));
}

TEST(DeviceRules, RopeHasTheBitsOfTheCpu) {
  simt::SimtDevice device;
  for (const Case& c : device_cases("rope")) {
    CaseRun host(c, DType::f32);
    const DeviceResult got = run_on_device(device, host, {});
    host.forward(1);
    const Tensor& expected = host.outputs()[0].tensor();
    EXPECT_EQ(std::memcmp(got.outputs[0].data(), expected.data, expected.bytes()), 0) << c.name;
  }
}

/// y of embed and dtable of its VJP (dy = 1) for a table (1, 3, 2) of ones.
std::pair<std::vector<float>, std::vector<float>> embed_of(const std::vector<int>& ids) {
  simt::SimtDevice device;
  Arena arena(device, 1);
  const Context ctx{&arena, 1, {}, &device};
  const auto T = static_cast<int64_t>(ids.size());
  const Tensor numbers = make_tensor(arena, {1, 1, T}, DType::i32);
  device.to_device(numbers.data, ids.data(), numbers.bytes());
  const Tensor table = make_tensor(arena, {1, 3, 2}, DType::f32);
  const Tensor y = make_tensor(arena, {1, 1, T, 2}, DType::f32);
  std::vector<float> rows(static_cast<size_t>(2 * T), 1.0f), sums(6, 1.0f);
  device.to_device(table.data, sums.data(), table.bytes());
  ops::embed(ctx, numbers, table, y);
  std::vector<float> got(rows.size());
  device.to_host(got.data(), y.data, y.bytes());
  device.to_device(y.data, rows.data(), y.bytes());
  ops::embed_vjp(ctx, numbers, y, {table, GradientMode::overwrite});
  device.to_host(sums.data(), table.data, table.bytes());
  return {got, sums};
}

TEST(DeviceRules, AnIdOutsideTheTableGivesNanAndNoGradient) {
  const auto [y, dtable] = embed_of({2, 3, -1, 0, 2, 1 << 30});
  for (size_t i = 0; i < y.size(); ++i) {
    const size_t t = i / 2;
    EXPECT_EQ(std::isnan(y[i]), t == 1 || t == 2 || t == 5) << t;
  }
  EXPECT_EQ(dtable, (std::vector<float>{1, 1, 0, 0, 2, 2}));
}

/// o of attention_fused (1, 1, T, 2 x 4) whose sequence has `length` keys in use, in S = T places
/// that hold `rest` behind them; the pattern's own o if not fused.
std::vector<float> attention_of(int64_t T, int length, float rest, bool fused) {
  simt::SimtDevice device;
  Arena arena(device, 1);
  const Context ctx{&arena, 1, {}, &device};
  const auto rows = [&](uint32_t stream) {
    const Tensor t = make_tensor(arena, {1, 1, T, 8}, DType::f32);
    std::vector<float> values(static_cast<size_t>(t.numel()), rest);
    for (size_t i = 0; i < static_cast<size_t>(8 * length); ++i) {
      values[i] = static_cast<float>(Rng(2, stream).normal(i));
    }
    device.to_device(t.data, values.data(), t.bytes());
    return t;
  };
  const Tensor q = rows(1), k = rows(2), v = rows(3), o = make_tensor(arena, q.shape, DType::f32);
  const Tensor lengths = make_tensor(arena, {1, 1}, DType::i32);
  device.to_device(lengths.data, &length, sizeof length);
  const ops::AttentionMask mask{ops::AttentionMask::Kind::bidirectional, lengths, {}};
  if (fused) {
    const Tensor stats = make_tensor(arena, {1, 1, 2, T, 2}, DType::f32);
    ops::attention_fused(ctx, {q, k, v, mask, 2, 2, 0.5}, o, stats);
  } else {
    const Tensor p = make_tensor(arena, {1, 1, 2, T, T}, DType::f32);
    ops::attention_pattern(ctx, q, k, mask, 2, 2, 0.5, p);
    ops::attention_mix(ctx, p, v, 2, 2, o);
  }
  std::vector<float> got(static_cast<size_t>(8 * length));
  device.to_host(got.data(), o.data, got.size() * sizeof(float));
  return got;
}

TEST(DeviceRules, PaddingBehindTheLengthsChangesNoBitOfAttention) {
  for (const bool fused : {false, true}) {
    for (const int length : {13, 70}) {
      const std::vector<float> alone = attention_of(length, length, 0.0f, fused);
      for (const int64_t T : {length + 1, length + 30, 131}) {
        EXPECT_EQ(attention_of(T, length, 3.0f, fused), alone)
            << fused << " " << length << " " << T;
      }
    }
  }
}

TEST(DeviceRules, CountsOutsideTheKeysAreTakenAsTheNearestInside) {
  simt::SimtDevice device;
  Arena arena(device, 1);
  const Context ctx{&arena, 1, {}, &device};
  const Tensor x = make_tensor(arena, {1, 2, 3, 4}, DType::f32);
  const std::vector<float> ones(24, 1.0f);
  device.to_device(x.data, ones.data(), x.bytes());
  const Tensor lengths = make_tensor(arena, {1, 2}, DType::i32);
  const int counts[] = {-5, 1 << 30};
  device.to_device(lengths.data, counts, sizeof counts);
  const Tensor p = make_tensor(arena, {1, 2, 1, 3, 3}, DType::f32);
  ops::attention_pattern(
      ctx, x, x, {ops::AttentionMask::Kind::bidirectional, lengths, {}}, 1, 1, 1.0, p);
  std::vector<float> got(18);
  device.to_host(got.data(), p.data, p.bytes());
  for (size_t i = 0; i < got.size(); ++i) {
    EXPECT_FLOAT_EQ(got[i], i < 9 ? 0.0f : 1.0f / 3) << i;
  }
}

TEST(DeviceRules, ALongListOfModelsIsRefused) {
  std::vector<int> list(LiveModels::kMost + 1);
  std::iota(list.begin(), list.end(), 0);
  Context ctx;
  ctx.models = list;
  EXPECT_TRUE(holds(error_of([&] { live_models(ctx, 1000); }), "at most 512 models, got 513"));
  ctx.models = ctx.models.first(LiveModels::kMost);
  EXPECT_EQ(live_models(ctx, 1000).model(511), 511);
  ctx.models = {};
  EXPECT_EQ(live_models(ctx, 1000).count, 1000) << "all of them need no list";
  EXPECT_EQ(live_models(ctx, 1000).model(999), 999);
}

/// y of rmsnorm with every tensor `shift` floats past an alignment of 256 bytes.
std::vector<float> rmsnorm_at(int64_t D, int64_t shift) {
  simt::SimtDevice device;
  Arena arena(device, 1);
  const Context ctx{&arena, 1, {}, &device};
  const auto shifted = [&](const Shape& shape, uint32_t stream) {
    const Tensor whole = make_tensor(arena, {shape.numel() + shift}, DType::f32);
    std::vector<float> values(static_cast<size_t>(whole.numel()));
    for (int64_t i = shift; i < whole.numel(); ++i) {
      values[static_cast<size_t>(i)] =
          static_cast<float>(Rng(1, stream).normal(static_cast<uint64_t>(i - shift)));
    }
    device.to_device(whole.data, values.data(), whole.bytes());
    return Tensor{shape, DType::f32, static_cast<float*>(whole.data) + shift};
  };
  const Tensor x = shifted({2, 3, D}, 1), gain = shifted({2, D}, 2), y = shifted({2, 3, D}, 3),
               inv = shifted({2, 3}, 4);
  ops::rmsnorm(ctx, x, gain, 1e-5, y, inv);
  std::vector<float> got(static_cast<size_t>(y.numel()));
  device.to_host(got.data(), y.data, y.bytes());
  return got;
}

TEST(DeviceRules, BitsDoNotDependOnTheAlignmentOfPointers) {
  for (const int64_t D : {8, 100, 1032}) {
    EXPECT_EQ(rmsnorm_at(D, 0), rmsnorm_at(D, 1)) << D;
  }
}

TEST(DeviceRules, ASteadyStateAllocatesNothing) {
  simt::SimtDevice device;
  {
    Arena arena(device, 4096);
    for (int step = 0; step < 3; ++step) {
      const ArenaScope scope(arena);
      arena.alloc(3000);
      arena.alloc(3000);
      arena.alloc(10000);
      EXPECT_EQ(arena.system_allocations(), 3u);
    }
    EXPECT_EQ(device.memory().count(), 3u);
  }
  EXPECT_EQ(device.memory().count(), 0u);
}

}  // namespace
}  // namespace sv::cases

// A million updates: flat memory, nothing that is not finite, and what the state does meanwhile.
#include <algorithm>
#include <cmath>
#include <cstdio>

#include "models/model_fixture.h"
#include "resident.h"
#include "sanitizers.h"

namespace sv::models_test {
namespace {

constexpr int kUpdates = 1'000'000;

/// One block of width 64 with input injection and a normalised state. Attention and MLP start weak,
/// so the update is a contraction: the state settles.
std::unique_ptr<Reasoner> contraction() {
  ModelSettings s;
  s.width = 64;
  s.heads = 4;
  s.hidden = 160;
  return make_reasoner({s, tiny_task(), {3}, DType::f32});
}

TEST(AMillionUpdates, KeepMemoryFlatAndTheStateBounded) {
  const auto model = contraction();
  const Data data({3}, 1);
  std::vector<double> curve;  // residual after 1, 10, ... updates
  double largest = 0;
  size_t early = 0;
  Plan plan = plan_of(std::to_string(kUpdates), SaveAt::Readouts::none);
  plan.save.residual = true;
  int next = 1;
  plan.on_update = [&](const Update& u) {
    if (u.r == next) {
      curve.push_back(static_cast<double>(u.residual.as<float>()[0]));
      std::printf("update %8d  residual %.3g\n", u.r, curve.back());
      next *= 10;
    }
    early = u.r == 10'000 ? resident_bytes() : early;
    const Tensor h = u.h[0].value();
    const float* x = h.as<float>();
    for (int64_t i = 0; i < h.numel(); ++i) {
      // Not std::max: that would drop a NaN.
      largest = std::abs(static_cast<double>(x[i])) <= largest
                    ? largest
                    : std::abs(static_cast<double>(x[i]));
    }
  };
  ModelRun run(*model);
  EXPECT_EQ(run.forward(data.inputs(), plan).updates_run, kUpdates);
  if (!kSanitized) {
    EXPECT_LE(resident_bytes(), early + (size_t{1} << 20));
  }
  ASSERT_EQ(curve.size(), 7u);
  EXPECT_LE(largest, 64.0)
      << "a normalised state of width 64 has no element above 8 times its gain";
  EXPECT_LT(curve.back(), 1e-5) << "the state has not settled";
  EXPECT_LT(curve[2], curve[0]);
}

}  // namespace
}  // namespace sv::models_test

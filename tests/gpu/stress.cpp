#include "gpu/stress.h"

#include <algorithm>
#include <memory>
#include <vector>

#include "core/rng.h"
#include "gpu/op_check.h"
#include "kernels/ops/case_run.h"
#include "kernels/ops/sized_case.h"
#include "simt/device_case.h"
#include "simt/device_ops.h"

namespace sv::gpu {

using cases::CaseRun;

namespace {

/// A size from 1 to `most`, small ones as often as large ones.
int64_t size_of(RngCursor& rng, int64_t most) {
  int64_t bits = 0;
  while ((int64_t{1} << (bits + 1)) <= most) {
    ++bits;
  }
  const int64_t top = int64_t{1} << rng.below(static_cast<uint32_t>(bits + 1));
  return std::min(most, top + rng.below(static_cast<uint32_t>(top)));
}

cases::SizedDims dims_of(RngCursor& rng, int64_t most) {
  cases::SizedDims d;
  d.M = size_of(rng, 4);
  d.B = size_of(rng, 8);
  d.T = size_of(rng, most);
  d.heads = size_of(rng, 4);
  d.d = 2 * d.heads * size_of(rng, most / 8);  // rope turns pairs
  d.out = size_of(rng, most);
  d.hidden = size_of(rng, most);
  d.vocab = size_of(rng, most);
  return d;
}

/// A call with its arguments on the device and the bits it must leave there.
struct Call {
  Call(Device& device, const cases::Case& c) : host(c, DType::f32), on(device, host) {}
  CaseRun host;
  cases::DeviceCase on;
  cases::DeviceResult first;
};

class Stress {
 public:
  Stress(Recorder& device, const StressOptions& options)
      : device_(device), options_(options), arena_(device, size_t{1} << 20) {}

  std::string run(Runs& runs) {
    RngCursor rng(Rng(options_.seed, 21));
    const auto& ops = cases::device_ops();
    for (int i = 0; i < options_.calls; ++i) {
      const cases::DeviceOp& op = ops[rng.below(static_cast<uint32_t>(ops.size()))];
      const cases::Case c = cases::sized_case(op.op, dims_of(rng, options_.most));
      const CaseResult judged = check_case(
          device_, c, {.vjp_tolerance = op.vjp_tolerance, .repeats = 0, .reference = false});
      for (const PartResult* part : {&judged.forward, &judged.vjp}) {
        if (!part->problem.empty()) {
          return op.op + ": " + part->problem;
        }
      }
      calls_.push_back(std::make_unique<Call>(device_, c));
      launch(*calls_.back());
      calls_.back()->first = result(*calls_.back());
    }
    device_.take();
    int64_t done = 0;
    while (done < options_.launches) {
      std::vector<Call*> flying;
      for (int i = 0; i < options_.together; ++i) {
        Call& call = *calls_[rng.below(static_cast<uint32_t>(calls_.size()))];
        launch(call);
        flying.push_back(&call);
      }
      done += static_cast<int64_t>(device_.take().size());
      for (Call* call : flying) {
        if (result(*call) != call->first) {
          return call->host.description().name + " has other bits after " + std::to_string(done) +
                 " launches";
        }
      }
    }
    runs.add("stress.launches", static_cast<double>(done));
    return "";
  }

 private:
  void launch(Call& call) {
    const ArenaScope scope(arena_);
    const Context ctx{&arena_, 1, {}, &device_};
    call.on.poison();
    call.on.forward(ctx);
    if (call.host.description().vjp) {
      call.on.backward(ctx, GradientMode::overwrite);
    }
  }
  static cases::DeviceResult result(const Call& call) {
    return {call.on.outputs(), call.on.gradients()};
  }

  Recorder& device_;
  const StressOptions& options_;
  Arena arena_;
  std::vector<std::unique_ptr<Call>> calls_;
};

}  // namespace

std::string stress(Recorder& device, const StressOptions& options, Runs& runs) {
  return Stress(device, options).run(runs);
}

}  // namespace sv::gpu

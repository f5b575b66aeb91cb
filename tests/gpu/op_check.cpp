#include "gpu/op_check.h"

#include <cmath>
#include <cstring>

#include "simt/device_case.h"

namespace sv::gpu {

using cases::Array;
using cases::Arrays;
using cases::Case;
using cases::CaseRun;
using cases::DeviceResult;

namespace {

template <class T>
Array widened(const std::vector<std::byte>& bytes) {
  std::vector<T> typed(bytes.size() / sizeof(T));
  if (!typed.empty()) {  // memcpy takes no null pointer, not even for nothing
    std::memcpy(typed.data(), bytes.data(), typed.size() * sizeof(T));
  }
  return Array(typed.begin(), typed.end());
}

Array as_array(const std::vector<std::byte>& bytes, DType dtype) {
  return dtype == DType::f32   ? widened<float>(bytes)
         : dtype == DType::f64 ? widened<double>(bytes)
                               : widened<int32_t>(bytes);
}

/// Collects the worst error of a case. NaN stands for NaN, an infinity for itself.
class Judge {
 public:
  explicit Judge(PartResult& result) : result_(result) {}

  void compare(const Array& got, const Array& expected, double tolerance, const std::string& what) {
    double scale = 1;
    for (const double e : expected) {
      scale = std::isfinite(e) ? std::max(scale, std::abs(e)) : scale;
    }
    for (size_t i = 0; i < expected.size(); ++i) {
      const double a = got[i], b = expected[i];
      if (a == b || (std::isnan(a) && std::isnan(b))) {
        continue;
      }
      const double error = std::abs(a - b) / scale;
      const double share = error <= tolerance  ? error / tolerance
                           : std::isnan(error) ? 1e30
                                               : std::min(error / std::max(tolerance, 1e-30), 1e30);
      result_.error = std::max(result_.error, share);
      if (!(error <= tolerance) && result_.problem.empty()) {
        result_.problem = detail::concat(
            what, "[", i, "] is ", a, ", expected ", b, ", allowed ", tolerance, " of ", scale);
      }
    }
  }

 private:
  PartResult& result_;
};

Arrays expected_of(const Case& c) {
  Arrays in, expected;
  for (const cases::Input& input : c.inputs) {
    in.push_back(input.values);
  }
  for (const cases::Output& output : c.outputs) {
    expected.push_back(output.starts_as < 0 ? Array(static_cast<size_t>(output.shape.numel()))
                                            : in[static_cast<size_t>(output.starts_as)]);
  }
  c.reference(in, expected);
  return expected;
}

void judge_outputs(Judge& judge,
                   CaseRun& host,
                   const DeviceResult& got,
                   const CaseOptions& options) {
  const Case& c = host.description();
  const Arrays expected = options.reference ? expected_of(c) : Arrays{};
  host.forward(options.threads);
  for (size_t i = 0; i < got.outputs.size(); ++i) {
    const Array values = as_array(got.outputs[i], host.outputs()[i].tensor().dtype);
    if (options.reference) {
      judge.compare(values, expected[i], c.tolerance.f32, c.outputs[i].name + " (reference)");
    }
    // Both are within the tolerance of the reference, so of each other within two.
    judge.compare(
        values, host.outputs()[i].read(), 2 * c.tolerance.f32, c.outputs[i].name + " (CPU)");
  }
}

void judge_gradients(Judge& judge,
                     CaseRun& host,
                     const DeviceResult& got,
                     GradientMode mode,
                     const CaseOptions& options) {
  const Case& c = host.description();
  host.backward(options.threads, mode);
  for (size_t i = 0; i < c.inputs.size(); ++i) {
    if (c.inputs[i].differentiable) {
      judge.compare(as_array(got.gradients[i], DType::f32),
                    host.gradients()[i].read(),
                    options.vjp_tolerance * std::max(c.tolerance.f32, 1e-7),
                    "d" + c.inputs[i].name + (mode == GradientMode::accumulate ? " (added)" : ""));
    }
  }
}

void add_names(std::set<std::string>& names, const std::vector<Launch>& launches, size_t from) {
  for (size_t i = from; i < launches.size(); ++i) {
    names.insert(launches[i].kernel);
  }
}

void count_repeat(PartResult& part, bool same, int done, int wanted) {
  if (same) {
    ++part.repeats;
  } else if (part.problem.empty()) {
    part.problem =
        detail::concat("run ", done + 1, " of ", wanted, " gives other bits than the first");
  }
}

/// Again and again in the same memory, poisoned before each run.
void repeat(Recorder& device,
            const CaseRun& host,
            const DeviceResult& first,
            int repeats,
            CaseResult& result) {
  const cases::DeviceCase on(device, host);
  Arena arena(device, size_t{1} << 20);
  const Context ctx{&arena, 1, {}, &device};
  for (int i = 0; i < repeats; ++i) {
    const ArenaScope scope(arena);
    on.poison();
    on.forward(ctx);
    if (host.description().vjp) {
      on.backward(ctx, GradientMode::overwrite);
    }
    device.synchronise();  // names a kernel that failed
    if (host.description().vjp) {
      count_repeat(result.vjp, on.gradients() == first.gradients, i, repeats);
    }
    count_repeat(result.forward, on.outputs() == first.outputs, i, repeats);
    device.take();
  }
}

}  // namespace

CaseResult check_case(Recorder& device, const Case& c, const CaseOptions& options) {
  CaseResult result;
  PartResult &forward = result.forward, &vjp = result.vjp;
  CaseRun host(c, DType::f32);
  Judge judge_forward(forward), judge_vjp(vjp);
  device.take();
  DeviceResult first = run_on_device(device, host, {.backward = false});
  const std::vector<Launch> launches = device.take();
  add_names(forward.kernels, launches, 0);
  judge_outputs(judge_forward, host, first, options);
  for (const GradientMode mode : {GradientMode::accumulate, GradientMode::overwrite}) {
    if (c.vjp) {
      first = run_on_device(device, host, {.mode = mode});
      // The VJP's launches follow those of another forward call.
      add_names(vjp.kernels, device.take(), launches.size());
      judge_gradients(judge_vjp, host, first, mode, options);
    }
  }
  repeat(device, host, first, options.repeats, result);
  return result;
}

}  // namespace sv::gpu

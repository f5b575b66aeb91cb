// gpu_bench: how fast a GPU is, and how near the kernels come to it (./run gpu-check). A goal that
// is not met is no failure. Exit codes: 0 measured, 1 a kernel gives a wrong result, 2 bad
// arguments, 3 no GPU.
#include <cstdio>

#include "core/check.h"
#include "gpu/arguments.h"
#include "gpu/cuda_limits.h"
#include "gpu/limits_cuda.h"
#include "gpu/packing.h"
#include "gpu/rows.h"
#include "kernels/memory/open_device.h"
#include "simt/device_ops.h"

namespace sv::gpu {

namespace {

const std::string kUsage =
    "usage: gpu_bench [--part NAME] [--device cuda[:INDEX]] [--only OP] [--out FILE]\n"
    "  --part NAME  limits, ops or pack; all of them, one after the other, if not given\n"
    "  --out FILE   adds the rows for kernels/gpu_validated.json to a file\n"
    "  --help\n";

void print_calls(const OpTime& time, const Limits& limits) {
  for (const CallTime& call : time.calls) {
    std::printf("%-28s %10.1f us %9.1f GB/s (%3.0f %% of copy) %10.1f GFLOP/s\n",
                call.name.c_str(),
                call.seconds * 1e6,
                call.bytes / call.seconds * 1e-9,
                100 * call.bytes / call.seconds / limits.copy,
                call.flops / call.seconds * 1e-9);
  }
  std::fflush(stdout);
}

/// Times every op by our kernels, then the large products by the library, if there is one.
void time_ops(Device& device, const Arguments& a, const Limits& limits, Runs& runs, Rows& rows) {
  const TimeOptions options;
  Recorder recorder(device);
  for (const cases::DeviceOp& op : cases::device_ops()) {
    if (!a.only.empty() && op.op != a.only) {
      continue;
    }
    const OpTime time = time_op(recorder, op.op, options);
    print_calls(time, limits);
    for (const CallTime& call : time.calls) {
      add_rate(call, limits, runs);
    }
    rows.put(time.kernels, limits.copy);
  }
  const auto with_library = open_device(a.device);
  Recorder library(*with_library);
  for (const CallTime& call : time_library(library, options)) {
    add_rate(call, limits, runs);
  }
  std::printf("large products: %s\n", with_library->products().c_str());
}

int run(int argc, char** argv) {
  const Arguments a = parse_arguments(argc, argv, kUsage, {"limits", "ops", "pack"});
  if (a.help) {
    std::fputs(kUsage.c_str(), stdout);
    return 0;
  }
  const int index = device_index(a.device);
  SV_CHECK(index >= 0, "gpu_bench needs a GPU, not '", a.device, "'");
  const cuda::KernelTable more = cuda_limit_kernels();
  const auto device = open_device(a.device, {.cublaslt = false, .more = &more});
  const Stamp stamp = stamp_of(device->name(), cuda::versions());
  std::printf("%s, CUDA %s\n", device->name().c_str(), stamp.toolkit.c_str());
  Rows rows = a.out.empty() ? Rows() : Rows::load(a.out);
  Runs runs;
  const auto wanted = [&](const char* part) { return a.part.empty() || a.part == part; };
  if (wanted("limits") || wanted("ops")) {
    const Limits limits = measure_rates(*device, {}, runs);
    if (wanted("limits")) {
      measure_latencies(*device, {}, runs);
      measure_cuda_limits(index, runs);
    }
    if (wanted("ops")) {
      time_ops(*device, a, limits, runs, rows);
    }
  }
  if (wanted("pack")) {
    measure_packing(*device, {}, runs);
  }
  std::fputs(runs.table().c_str(), stdout);
  rows.put(runs, stamp);
  if (!a.out.empty()) {
    rows.save(a.out);
  }
  return 0;
}

}  // namespace
}  // namespace sv::gpu

int main(int argc, char** argv) {
  return sv::gpu::exit_code_of("gpu_bench", sv::gpu::run, argc, argv);
}

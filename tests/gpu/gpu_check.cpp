// gpu_check: whether what the kernels compute on a GPU is right (./run gpu-check). Exit codes: 0
// all pass, 1 a check failed, 2 bad arguments, 3 no GPU.
#include <algorithm>
#include <cstdio>
#include <thread>

#include "core/check.h"
#include "gpu/arguments.h"
#include "gpu/rows.h"
#include "gpu/stress.h"
#include "gpu/train_check.h"
#include "kernel_states_values.h"
#include "kernels/memory/open_device.h"
#include "simt/tensor_products.h"

namespace sv::gpu {

namespace {

const std::string kUsage =
    "usage: gpu_check [--part NAME] [--device cuda[:INDEX]] [--only OP] [--repeats N] [--tiny]\n"
    "                 [--out FILE]\n"
    "  --part NAME  ops, products, stress or train; all of them, one after the other, if not "
    "given\n"
    "  --tiny       the smallest case of each op and a step of training: for compute-sanitizer\n"
    "  --out FILE   adds the rows for kernels/gpu_validated.json to a file\n"
    "  --list       the kernels of this build and their source hashes; needs no GPU\n"
    "  --help\n";

int threads() {
  return static_cast<int>(std::max(1u, std::thread::hardware_concurrency()));
}

/// True where the part passes.
bool check_ops(Device& device, const Arguments& a, Runs& runs, Rows& rows, const Stamp& stamp) {
  CheckOptions options;
  options.only = a.only;
  options.repeats = a.tiny ? 1 : a.repeats;
  options.tiny = a.tiny;
  options.large = !a.tiny;
  options.threads = threads();
  const Report report = check_device(device, options, runs);
  std::fputs(report_table(report).c_str(), stdout);
  rows.put(report, stamp);
  return report.passed();
}

bool check_products(Device& device, Runs& runs) {
  double of_plain = 0;
  bool bound = true;
  for (const Precision p : {Precision::tf32, Precision::bf16}) {
    for (const auto& [N, K, O] : {std::array<int64_t, 3>{70, 65, 67}, {33, 128, 64}}) {
      const cases::TensorErrors e = cases::tensor_errors(device, p, N, K, O);
      std::printf(
          "%s, x (%ld, %ld) with w (%ld, %ld): %.2f of the bound of its sums, %.2f times "
          "the error of a plain program\n",
          p == Precision::tf32 ? "tf32" : "bf16",
          static_cast<long>(N),
          static_cast<long>(K),
          static_cast<long>(O),
          static_cast<long>(K),
          e.of_bound,
          e.of_plain);
      bound = bound && e.of_bound <= 1;
      of_plain = p == Precision::bf16 ? std::max(of_plain, e.of_plain) : of_plain;
    }
  }
  runs.add("check.bf16_error", of_plain);
  return bound;
}

bool check_stress(Device& device, Runs& runs) {
  Recorder recorder(device);
  const std::string problem = stress(recorder, {}, runs);
  std::printf("stress: %s\n", problem.empty() ? "every result is right" : problem.c_str());
  return problem.empty();
}

bool check_training(Device& device, const Arguments& a, Runs& runs) {
  TrainOptions options;
  options.threads = threads();
  if (a.tiny) {
    options.steps = options.leg = 1;
    options.setup = models_test::tiny_case();
  }
  check_curves(device, options, runs);
  check_crossings(device, options, runs);
  return true;  // judged by the goals
}

int run(int argc, char** argv) {
  const std::vector<std::string> parts = {"ops", "products", "stress", "train"};
  const Arguments a = parse_arguments(argc, argv, kUsage, parts);
  if (a.help) {
    std::fputs(kUsage.c_str(), stdout);
    return 0;
  }
  if (a.list) {
    for (const kernel_states::Row& k : kernel_states::kRows) {
      std::printf("%s  %s\n", k.source, k.kernel);
    }
    return 0;
  }
  SV_CHECK(device_index(a.device) >= 0, "gpu_check needs a GPU, not '", a.device, "'");
  // Our kernels are what is checked.
  const auto device = open_device(a.device, {.cublaslt = false});
  const Stamp stamp = stamp_of(device->name(), cuda::versions());
  std::printf("%s, CUDA %s\n", device->name().c_str(), stamp.toolkit.c_str());
  Rows rows = a.out.empty() ? Rows() : Rows::load(a.out);
  Runs runs;
  bool passed = true;
  const auto wanted = [&](const char* part, bool in_tiny) {
    return a.part == part || (a.part.empty() && (!a.tiny || in_tiny) && a.only.empty());
  };
  if (wanted("ops", true) || (a.part.empty() && !a.only.empty())) {
    passed = check_ops(*device, a, runs, rows, stamp);
  }
  if (wanted("products", false)) {
    passed = check_products(*device, runs) && passed;
  }
  if (wanted("stress", false)) {
    passed = check_stress(*device, runs) && passed;
  }
  if (wanted("train", true)) {
    passed = check_training(*device, a, runs) && passed;
  }
  std::fputs(runs.table().c_str(), stdout);
  rows.put(runs, stamp);
  if (!a.out.empty()) {
    rows.save(a.out);
  }
  passed = passed && runs.met();
  std::printf("%s\n", passed ? "PASS" : "FAIL");
  return passed ? 0 : static_cast<int>(Exit::failed);
}

}  // namespace
}  // namespace sv::gpu

int main(int argc, char** argv) {
  return sv::gpu::exit_code_of("gpu_check", sv::gpu::run, argc, argv);
}

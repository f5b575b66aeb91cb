// gpu_check: runs every op's kernels on a GPU (./run gpu-check). Exit codes: 0 all pass, 1 a check
// failed, 2 bad arguments, 3 no GPU.
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <ctime>
#include <fstream>
#include <thread>

#include "core/check.h"
#include "gpu/report.h"
#include "kernel_states_values.h"
#include "kernels/memory/open_device.h"

namespace sv::gpu {

namespace {

constexpr const char* kUsage =
    "usage: gpu_check [--device cuda[:INDEX]] [--only OP] [--repeats N] [--tiny] [--no-times]\n"
    "                 [--out FILE]\n"
    "  --tiny      the smallest case of each op, once, without times: for compute-sanitizer\n"
    "  --out FILE  the rows for kernels/gpu_validated.json\n"
    "  --list      the kernels of this build and their source hashes; needs no GPU\n";

struct Arguments {
  CheckOptions check;
  std::string device = "cuda", out;
  bool list = false, help = false;
};

Arguments parse(int argc, char** argv) {
  Arguments a;
  for (int i = 1; i < argc; ++i) {
    const std::string word = argv[i];
    const auto value = [&]() -> std::string {
      SV_CHECK(i + 1 < argc, word, " needs a value\n", kUsage);
      return argv[++i];
    };
    if (word == "--device") {
      a.device = value();
    } else if (word == "--only") {
      a.check.only = value();
    } else if (word == "--out") {
      a.out = value();
    } else if (word == "--repeats") {
      const std::string text = value();
      char* end = nullptr;
      a.check.repeats = static_cast<int>(std::strtol(text.c_str(), &end, 10));
      SV_CHECK(*end == '\0' && a.check.repeats > 0, "--repeats takes a number, got '", text, "'");
    } else if (word == "--tiny") {
      a.check.tiny = true;
      a.check.timed = false;
      a.check.repeats = 1;
    } else if (word == "--no-times") {
      a.check.timed = false;
    } else if (word == "--list") {
      a.list = true;
    } else if (word == "--help" || word == "-h") {
      a.help = true;
    } else {
      fail("gpu_check does not know '", word, "'\n", kUsage);
    }
  }
  return a;
}

std::string today() {
  const std::time_t now = std::time(nullptr);
  std::tm utc{};
  gmtime_r(&now, &utc);
  char text[16];
  std::strftime(text, sizeof text, "%Y-%m-%d", &utc);
  return text;
}

int run(int argc, char** argv) {
  Arguments a = parse(argc, argv);
  if (a.help) {
    std::fputs(kUsage, stdout);
    return 0;
  }
  if (a.list) {
    for (const kernel_states::Row& k : kernel_states::kRows) {
      std::printf("%s  %s\n", k.source, k.kernel);
    }
    return 0;
  }
  SV_CHECK(device_index(a.device) >= 0, "gpu_check needs a GPU, not '", a.device, "'");
  const auto device = open_device(a.device);
  const std::string name = device->name();
  a.check.threads = static_cast<int>(std::max(1u, std::thread::hardware_concurrency()));
  std::printf("%s, CUDA %s\n", name.c_str(), cuda::versions().c_str());
  const Report report = check_device(*device, a.check);
  std::fputs(report_table(report).c_str(), stdout);
  std::printf("copies within the device: %.1f GB/s\n", report.copy_gbs);
  if (!a.out.empty()) {
    std::ofstream file(a.out);
    // "cuda:0 NVIDIA H100" without the place it has on this machine.
    file << report_json(report, name.substr(name.find(' ') + 1), cuda::versions(), today());
    file.close();
    SV_CHECK(file.good(), "could not write ", a.out);
  }
  std::printf("%s\n", report.passed() ? "PASS" : "FAIL");
  return report.passed() ? 0 : static_cast<int>(Exit::failed);
}

}  // namespace
}  // namespace sv::gpu

int main(int argc, char** argv) {
  try {
    return sv::gpu::run(argc, argv);
  } catch (const sv::Error& e) {
    std::fprintf(stderr, "gpu_check: %s\n", e.what());
    return static_cast<int>(e.exit);
  } catch (const std::exception& e) {
    std::fprintf(stderr, "gpu_check: %s\n", e.what());
    return static_cast<int>(sv::Exit::environment);
  }
}

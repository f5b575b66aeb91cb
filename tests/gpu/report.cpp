#include "gpu/report.h"

#include <algorithm>
#include <cstdio>
#include <nlohmann/json.hpp>

#include "core/check.h"
#include "kernel_states_values.h"
#include "kernels/ops/all_cases.h"
#include "simt/device_ops.h"

namespace sv::gpu {

namespace {

using cases::Case;

std::vector<Case> cases_of(const std::string& op, bool tiny) {
  for (const cases::OpCases& entry : cases::all_cases()) {
    if (entry.op == op) {
      std::vector<Case> list = entry.make();
      if (tiny) {
        const auto smallest = std::ranges::min_element(list, {}, &Case::bytes);
        list = {*smallest};
      }
      return list;
    }
  }
  fail("no op called ", op, " has cases");
}

class Check {
 public:
  Check(Device& device, const CheckOptions& options) : device_(device), options_(options) {
    for (const kernel_states::Row& row : kernel_states::kRows) {
      KernelReport& k = kernels_[row.kernel];
      k.kernel = row.kernel;
      k.op = row.op;
      k.source = row.source;
    }
  }

  Report run() {
    if (options_.timed) {
      report_.copy_gbs = copy_rate(device_, options_.time) * 1e-9;
    }
    bool found = false;
    for (const cases::DeviceOp& op : cases::device_ops()) {
      if (options_.only.empty() || options_.only == op.op) {
        found = true;
        if (!check_op(op)) {
          break;
        }
      }
    }
    SV_CHECK(found, "no op called '", options_.only, "' has device kernels");
    for (auto& [name, kernel] : kernels_) {
      if (kernel.cases > 0) {
        report_.kernels.push_back(kernel);
      } else if (options_.only.empty() && !options_.tiny && report_.problems.empty()) {
        report_.problems.push_back("no case runs the kernel " + name);
      }
    }
    return std::move(report_);
  }

 private:
  KernelReport& of(const std::string& kernel) {
    const auto found = kernels_.find(kernel);
    SV_CHECK(found != kernels_.end(), "kernel_states.py does not know the kernel ", kernel);
    return found->second;
  }

  /// False where the device can no longer be used.
  bool check_op(const cases::DeviceOp& op) {
    int done = 0;
    CaseOptions how{.vjp_tolerance = op.vjp_tolerance, .repeats = options_.repeats};
    try {
      for (const Case& c : cases_of(op.op, options_.tiny)) {
        take(op.op, c.name, check_case(device_, c, how));
        ++done;
      }
      if (options_.timed) {
        // The size that is timed fills the chip; what is wrong only there, shows here.
        how.reference = false;
        how.repeats = std::min(how.repeats, 3);
        how.threads = options_.threads;
        take(op.op,
             "the timed shape",
             check_case(device_, cases::sized_case(op.op, options_.time.dims), how));
        const OpTime time = time_op(device_, op.op, options_.time);
        for (const auto& [name, kernel] : time.kernels) {
          of(name).time = kernel;
        }
        std::printf("%-20s %d cases, forward %.1f us, VJP %.1f us\n",
                    op.op.c_str(),
                    done,
                    time.forward * 1e6,
                    time.vjp * 1e6);
      } else {
        std::printf("%-20s %d cases\n", op.op.c_str(), done);
      }
      std::fflush(stdout);
      return true;
    } catch (const std::exception& e) {
      for (const Launch& launch : device_.take()) {
        KernelReport& k = of(launch.kernel);
        k.cases = std::max(k.cases, 1);
        k.problem = e.what();
      }
      report_.problems.push_back(op.op + ": " + e.what());
      return false;
    }
  }

  void take(const std::string& op, const std::string& name, const CaseResult& result) {
    if (result.forward.kernels.empty()) {
      report_.problems.push_back(op + ": " + name + " launched nothing");
    }
    std::set<std::string> seen;
    for (const PartResult* part : {&result.forward, &result.vjp}) {
      for (const std::string& kernel : part->kernels) {
        KernelReport& k = of(kernel);
        k.repeats = std::max(k.repeats, part->repeats);
        k.cases += seen.insert(kernel).second ? 1 : 0;
        k.error = std::max(k.error, part->error);
        if (!part->problem.empty() && k.problem.empty()) {
          k.problem = op + ": " + name + ": " + part->problem;
        }
      }
    }
  }

  Recorder device_;
  const CheckOptions& options_;
  std::map<std::string, KernelReport> kernels_;
  Report report_;
};

}  // namespace

bool Report::passed() const {
  return problems.empty() && !kernels.empty() &&
         std::ranges::all_of(kernels, [](const KernelReport& k) { return k.problem.empty(); });
}

Report check_device(Device& device, const CheckOptions& options) {
  return Check(device, options).run();
}

std::string report_table(const Report& report) {
  char line[256];
  std::string text;
  std::snprintf(line,
                sizeof line,
                "%-28s %6s %8s %9s %10s %8s %8s %9s %8s\n",
                "kernel",
                "cases",
                "repeats",
                "error",
                "us",
                "GB/s",
                "of copy",
                "GF/s",
                "of rate");
  text += line;
  for (const KernelReport& k : report.kernels) {
    std::snprintf(line,
                  sizeof line,
                  "%-28s %6d %8d %9.3f %10.1f %8.1f %7.0f%% %9.1f %7.0f%%%s\n",
                  k.kernel.c_str(),
                  k.cases,
                  k.repeats,
                  k.error,
                  k.time.seconds * 1e6,
                  k.time.gbs,
                  report.copy_gbs > 0 ? 100 * k.time.gbs / report.copy_gbs : 0.0,
                  k.time.gflops,
                  100 * k.time.of_rate,
                  k.problem.empty() ? "" : "  FAILS");
    text += line;
  }
  for (const KernelReport& k : report.kernels) {
    if (!k.problem.empty()) {
      text += k.kernel + ": " + k.problem + "\n";
    }
  }
  for (const std::string& problem : report.problems) {
    text += problem + "\n";
  }
  return text;
}

std::string report_json(const Report& report,
                        const std::string& gpu,
                        const std::string& driver,
                        const std::string& date) {
  nlohmann::json doc = {{"schema", 1}, {"kernels", nlohmann::json::array()}};
  for (const KernelReport& k : report.kernels) {
    doc["kernels"].push_back(
        {{"kernel", k.kernel},
         {"source", k.source},
         {"gpu", gpu},
         {"driver", driver},
         {"date", date},
         {"result", k.problem.empty() ? "pass" : "fail"},
         {"cases", k.cases},
         {"repeats", k.repeats},
         {"error", k.error},
         {"microseconds", k.time.seconds * 1e6},
         {"gbs", k.time.gbs},
         {"of_copy", report.copy_gbs > 0 ? k.time.gbs / report.copy_gbs : 0.0}});
  }
  return doc.dump(1) + "\n";
}

}  // namespace sv::gpu

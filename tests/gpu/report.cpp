#include "gpu/report.h"

#include <algorithm>
#include <cstdio>
#include <map>

#include "core/check.h"
#include "kernel_states_values.h"
#include "simt/device_ops.h"
#include "simt/device_shapes.h"

namespace sv::gpu {

namespace {

using cases::Case;

std::vector<Case> cases_of(const std::string& op, bool tiny) {
  std::vector<Case> list = cases::device_cases(op);
  if (tiny) {
    const auto smallest = std::ranges::min_element(list, {}, &Case::bytes);
    list = {*smallest};
  }
  return list;
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

  Report run(Runs& runs) {
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
    if (options_.only.empty() && !options_.tiny && report_.passed()) {
      runs.add("check.repeats",
               std::ranges::min(report_.kernels, {}, &KernelReport::repeats).repeats);
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
      // Ops that cut their work by the size of the device: as on a small one, and on a large one.
      for (const int processors : op.cut ? std::vector<int>{1, 1 << 20} : std::vector<int>{0}) {
        device_.pretend(processors);
        for (const Case& c : cases_of(op.op, options_.tiny)) {
          take(op.op, c.name, check_case(device_, c, how));
          ++done;
        }
      }
      device_.pretend(0);
      if (options_.large) {
        // What is wrong only where the chip is full, shows here.
        how.reference = false;
        how.repeats = std::min(how.repeats, 3);
        how.threads = options_.threads;
        take(op.op,
             "the large shape",
             check_case(device_, cases::sized_case(op.op, options_.dims), how));
        ++done;
      }
      std::printf("%-20s %d cases\n", op.op.c_str(), done);
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

Report check_device(Device& device, const CheckOptions& options, Runs& runs) {
  return Check(device, options).run(runs);
}

std::string report_table(const Report& report) {
  char line[256];
  std::snprintf(line, sizeof line, "%-28s %6s %8s %9s\n", "kernel", "cases", "repeats", "error");
  std::string text = line;
  for (const KernelReport& k : report.kernels) {
    std::snprintf(line,
                  sizeof line,
                  "%-28s %6d %8d %9.3f%s\n",
                  k.kernel.c_str(),
                  k.cases,
                  k.repeats,
                  k.error,
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

}  // namespace sv::gpu

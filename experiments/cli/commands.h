// The commands of `subvocal`: what the command line became, and one function per command.
#pragma once
#include <memory>
#include <string>
#include <vector>

#include "kernels/memory/device.h"

namespace sv::cli {

struct Arguments {
  std::vector<std::string> argv;  // as given
  std::string command;
  std::string target;                  // RUN folder, or what is listed, described or timed
  std::string config;                  // TOML file of `train`
  std::vector<std::string> files;      // further words of a command that takes several files
  std::vector<std::string> overrides;  // key=value
  std::string out;                     // folder or file to write
  std::string layout;                  // of import and export
  int seeds = 0;                       // --seeds N: seeds 0 .. N-1; 0 = as set
  int threads = 0;                     // 0 = all cores
  std::string device = "auto";    // auto | cpu | cuda | cuda:INDEX; then as run.json records it
  std::string cublaslt = "auto";  // auto | off: for large products on a device
  Device* opened = nullptr;       // that device; null: the CPU
  bool quiet = false;
  bool reference = false;  // the portable kernels
  bool quick = false;      // demo
  bool full = false;       // demo
  double limit = 10;       // bench compare: percent slower that counts as a failure
};

int list(const Arguments&);
int describe(const Arguments&);
int train(const Arguments&);
int resume(const Arguments&);
int eval(const Arguments&);
int collect(const Arguments&);
int lens(const Arguments&);
int generate(const Arguments&);
int probe(const Arguments&);
int patch(const Arguments&);
int dynamics(const Arguments&);
int report(const Arguments&);
int demo(const Arguments&);
int import_run(const Arguments&);
int export_run(const Arguments&);
int bench(const Arguments&);

/// Parts of `list` that ask this machine (list_machine.cpp).
void list_devices();
void list_kernels();

/// Threads to use: --threads, or all cores of this process.
int thread_count(const Arguments&);

/// The device that a command computes on; null is the CPU. Refuses a device that is not there
/// (Exit::environment), and one that the command cannot use.
std::unique_ptr<Device> device_of(const Arguments&);

}  // namespace sv::cli

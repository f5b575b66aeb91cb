// Ctrl-C and its relatives ask a run to stop: the loop polls once per step, saves, and exits with
// code 4.
//
//   StopSignals stop;  // in main, before the run
//   while (step < steps) { train_step(); if (stop_requested()) { save(); fail_interrupted(run); } }
#pragma once
#include <string>

namespace sv {

/// Catches SIGINT, SIGTERM and SIGUSR1 while it lives and restores the former handlers after. A
/// second SIGINT ends the process at once: saving is crash-safe, so nothing but the steps since the
/// last checkpoint is lost.
class StopSignals {
 public:
  StopSignals();
  ~StopSignals();
  StopSignals(const StopSignals&) = delete;
  StopSignals& operator=(const StopSignals&) = delete;
};

/// For commands with nothing to save: SIGINT and SIGTERM end the process with exit code 4 and a
/// line that says that earlier results are intact (files are published whole). StopSignals takes
/// precedence while it lives.
void quit_on_signal();

/// Whether one of the signals has arrived since the StopSignals began. One atomic load: poll it
/// every step.
bool stop_requested();
/// "SIGINT", "SIGTERM" or "SIGUSR1"; empty when none arrived.
std::string stop_signal_name();
/// Throws the error (Exit::interrupted) that tells how to go on with `run_folder`.
[[noreturn]] void fail_interrupted(const std::string& run_folder);

}  // namespace sv

#include "experiments/signals.h"

#include <signal.h>
#include <unistd.h>

#include <array>
#include <atomic>

#include "core/check.h"

namespace sv {
namespace {

constexpr std::array<int, 3> kSignals{SIGINT, SIGTERM, SIGUSR1};

// A handler has no other way to speak to the program than a variable of the process.
std::atomic<int> received{0};
static_assert(std::atomic<int>::is_always_lock_free, "a handler may only touch lock-free atomics");
std::array<struct sigaction, kSignals.size()> former;

extern "C" void on_stop_signal(int number) {
  if (received.exchange(number) == SIGINT && number == SIGINT) {
    signal(SIGINT, SIG_DFL);
    raise(SIGINT);  // delivered when this handler returns
  }
}

extern "C" void on_quit_signal(int) {
  constexpr char kText[] = "\nsubvocal: interrupted; earlier results are as they were\n";
  [[maybe_unused]] const ssize_t written = write(STDERR_FILENO, kText, sizeof kText - 1);
  _exit(static_cast<int>(Exit::interrupted));
}

}  // namespace

void quit_on_signal() {
  struct sigaction action {};
  action.sa_handler = on_quit_signal;
  sigaction(SIGINT, &action, nullptr);
  sigaction(SIGTERM, &action, nullptr);
}

StopSignals::StopSignals() {
  received = 0;
  struct sigaction action {};
  action.sa_handler = on_stop_signal;
  action.sa_flags = SA_RESTART;  // reads and writes in progress go on
  for (size_t i = 0; i < kSignals.size(); ++i) {
    sigaction(kSignals[i], &action, &former[i]);
  }
}

StopSignals::~StopSignals() {
  for (size_t i = 0; i < kSignals.size(); ++i) {
    sigaction(kSignals[i], &former[i], nullptr);
  }
}

bool stop_requested() {
  return received.load(std::memory_order_relaxed) != 0;
}

std::string stop_signal_name() {
  switch (received.load()) {
    case SIGINT:
      return "SIGINT";
    case SIGTERM:
      return "SIGTERM";
    case SIGUSR1:
      return "SIGUSR1";
    default:
      return "";
  }
}

void fail_interrupted(const std::string& run_folder) {
  throw Error(detail::concat("stopped by ",
                             stop_signal_name(),
                             "; the last step is saved, go on with: subvocal resume ",
                             run_folder),
              Exit::interrupted);
}

}  // namespace sv

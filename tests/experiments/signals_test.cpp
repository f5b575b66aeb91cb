// Signals ask for a stop and nothing else; the second Ctrl-C ends the process.
#include "experiments/signals.h"

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "core/check.h"

namespace sv {
namespace {

class StopSignal : public testing::TestWithParam<int> {};

TEST_P(StopSignal, SetsTheFlagAndIsNamed) {
  const StopSignals stop;
  EXPECT_FALSE(stop_requested());
  EXPECT_EQ(stop_signal_name(), "");
  raise(GetParam());
  EXPECT_TRUE(stop_requested());
  EXPECT_EQ(stop_signal_name(), std::string("SIG") + sigabbrev_np(GetParam()));
  try {
    fail_interrupted("runs/demo");
  } catch (const Error& e) {
    EXPECT_EQ(e.exit, Exit::interrupted);
    EXPECT_NE(std::string(e.what()).find("subvocal resume runs/demo"), std::string::npos);
  }
}

INSTANTIATE_TEST_SUITE_P(All, StopSignal, testing::Values(SIGINT, SIGTERM, SIGUSR1));

TEST(StopSignals, ForgetAnEarlierSignal) {
  {
    const StopSignals stop;
    raise(SIGTERM);
  }
  const StopSignals stop;
  EXPECT_FALSE(stop_requested());
}

TEST(StopSignals, RestoreTheFormerHandlers) {
  signal(SIGUSR1, SIG_IGN);
  { const StopSignals stop; }
  EXPECT_EQ(signal(SIGUSR1, SIG_DFL), SIG_IGN);
}

/// How a child ends that gets the two signals: its status as waitpid gives it.
int status_after(int first, int second) {
  const pid_t child = fork();
  if (child == 0) {
    const StopSignals stop;
    raise(first);
    raise(second);
    _exit(stop_requested() ? 4 : 1);
  }
  int status = 0;
  waitpid(child, &status, 0);
  return status;
}

TEST(StopSignals, TheSecondInterruptEndsTheProcess) {
  const int status = status_after(SIGINT, SIGINT);
  ASSERT_TRUE(WIFSIGNALED(status));
  EXPECT_EQ(WTERMSIG(status), SIGINT);
}

TEST(StopSignals, OtherSecondSignalsDoNot) {
  const int status = status_after(SIGTERM, SIGTERM);
  ASSERT_TRUE(WIFEXITED(status));
  EXPECT_EQ(WEXITSTATUS(status), 4);
}

}  // namespace
}  // namespace sv

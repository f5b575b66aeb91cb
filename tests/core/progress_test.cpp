// The progress line with a clock and a stream of our own.
#include "core/progress.h"

#include <gtest/gtest.h>

#include <sstream>

namespace sv {
namespace {

struct Screen {
  std::ostringstream text;
  double now = 100;
  ProgressOutput output(bool terminal, int columns = 80) {
    return {&text, terminal, columns, [this] { return now; }};
  }
  std::string take() {
    std::string out = text.str();
    text.str("");
    return out;
  }
};

TEST(ClockText, ShowsHoursOnlyWhenThereAreAny) {
  EXPECT_EQ(clock_text(7.9), "0:07");
  EXPECT_EQ(clock_text(750), "12:30");
  EXPECT_EQ(clock_text(3 * 3600 + 131), "3:02:11");
  EXPECT_EQ(clock_text(-1), "0:00");
}

TEST(Progress, RedrawsOneLineOnATerminal) {
  Screen s;
  Progress p("train", 1000, "steps", s.output(true));
  s.now += 2;
  p.update(100, "loss 0.5");
  EXPECT_EQ(s.take(), "\r\x1b[Ktrain 100/1000 steps (10 %), 50 steps/s, 0:18 left, loss 0.5");
  s.now += 2;
  p.update(200, "loss 0.4");
  EXPECT_EQ(s.take(), "\r\x1b[Ktrain 200/1000 steps (20 %), 50 steps/s, 0:16 left, loss 0.4");
  s.now += 16;
  p.update(1000, "loss 0.1");
  s.take();
  p.done();
  EXPECT_EQ(s.take(), "\r\x1b[Ktrain 1000/1000 steps in 0:20, 50 steps/s, loss 0.1\n");
}

TEST(Progress, RedrawsATerminalAtMostTenTimesASecond) {
  Screen s;
  Progress p("train", 1000, "steps", s.output(true));
  p.update(1);
  EXPECT_NE(s.take(), "");
  s.now += 0.05;
  p.update(2);
  EXPECT_EQ(s.take(), "");
  s.now += 0.06;
  p.update(3);
  EXPECT_NE(s.take(), "");
}

TEST(Progress, WritesAPlainLineEveryTenSeconds) {
  Screen s;
  Progress p("train", 100, "steps", s.output(false));
  for (int step = 1; step <= 35; ++step) {
    s.now += 1;
    p.update(step);
  }
  EXPECT_EQ(s.take(),
            "train 10/100 steps (10 %), 1 steps/s, 1:30 left\n"
            "train 20/100 steps (20 %), 1 steps/s, 1:20 left\n"
            "train 30/100 steps (30 %), 1 steps/s, 1:10 left\n");
  p.done();
  EXPECT_EQ(s.take(), "train 35/100 steps in 0:35, 1 steps/s\n");
}

TEST(Progress, DoesNotCountWhatWasDoneBeforeAResume) {
  Screen s;
  Progress p("train", 1000, "steps", s.output(true), 900);
  s.now += 10;
  p.update(950);
  EXPECT_EQ(s.take(), "\r\x1b[Ktrain 950/1000 steps (95 %), 5 steps/s, 0:10 left");
}

TEST(Progress, CutsLinesToTheTerminalAndKeepsControlCharactersOut) {
  Screen s;
  Progress p("tr\x1b[2Jain", 10, "steps", s.output(true, 12));
  s.now += 1;
  p.update(1);
  EXPECT_EQ(s.take(), "\r\x1b[Ktr [2Jain 1");
  Progress q("\xc3\xa9\xc3\xa9\xc3\xa9\xc3\xa9", 10, "steps", s.output(true, 4));
  q.update(1);
  EXPECT_EQ(s.take(), "\r\x1b[K\xc3\xa9\xc3\xa9\xc3\xa9");
}

TEST(Progress, EndsItsLineWhenItIsGivenUp) {
  Screen s;
  {
    Progress p("train", 10, "steps", s.output(true));
    p.update(1);
    s.take();
  }
  EXPECT_EQ(s.take(), "\n");
}

TEST(Progress, HidesForOtherText) {
  Screen s;
  Progress p("train", 10, "steps", s.output(true));
  p.hide();
  EXPECT_EQ(s.take(), "");
  p.update(1);
  s.take();
  p.hide();
  EXPECT_EQ(s.take(), "\r\x1b[K");
}

TEST(Progress, IsSilentWithoutAStreamAndAfterItsEnd) {
  Progress quiet("train", 10, "steps", ProgressOutput::quiet());
  quiet.update(5);
  quiet.done();
  Screen s;
  Progress p("train", 10, "steps", s.output(true));
  p.done();
  s.take();
  s.now += 100;
  p.update(10);
  p.done();
  EXPECT_EQ(s.take(), "");
}

}  // namespace
}  // namespace sv

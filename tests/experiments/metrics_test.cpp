// metrics.jsonl: whole lines, and cut back on resume to what an uninterrupted run had written.
#include "experiments/metrics.h"

#include <gtest/gtest.h>

#include <fstream>
#include <sstream>

#include "core/check.h"
#include "data/temp_folder.h"

namespace sv {
namespace {

std::string content(const std::string& path) {
  std::ostringstream out;
  out << std::ifstream(path, std::ios::binary).rdbuf();
  return out.str();
}

void train(Metrics& metrics, int from, int to) {
  for (int step = from; step <= to; ++step) {
    for (const int seed : {1, 2}) {
      metrics.append("train", {{"step", step}, {"seed", seed}, {"loss", 1.0 / step}});
    }
  }
}

/// A process that resumes and writes nothing.
void open_and_close(const std::string& path, int64_t last_step) {
  const Metrics metrics(path, last_step);
}

TEST(Metrics, WritesOneJsonLinePerEvent) {
  const TempFolder folder;
  Metrics metrics(folder / "metrics.jsonl", -1);
  metrics.append("train", {{"step", 1}, {"loss", 0.5}});
  metrics.append_line(R"({"event":"end"})");
  EXPECT_EQ(content(folder / "metrics.jsonl"),
            "{\"event\":\"train\",\"step\":1,\"loss\":0.5}\n{\"event\":\"end\"}\n");
  EXPECT_THROW(metrics.append_line("{\n}"), Error);
}

TEST(Metrics, AfterAResumeEqualTheUninterruptedRun) {
  const TempFolder folder;
  Metrics whole(folder / "whole.jsonl", -1);
  train(whole, 1, 20);
  for (int killed = 0; killed <= 20; ++killed) {
    const std::string path = folder / ("killed" + std::to_string(killed) + ".jsonl");
    const int checkpoint = killed / 5 * 5;
    open_and_close(path, -1);
    {
      Metrics metrics(path, -1);
      train(metrics, 1, killed);
    }
    std::ofstream(path, std::ios::app) << R"({"event":"train","st)";  // the line it died in
    Metrics resumed(path, checkpoint);
    train(resumed, checkpoint + 1, 20);
    resumed.sync();
    EXPECT_EQ(content(path), content(folder / "whole.jsonl")) << "killed after step " << killed;
  }
}

TEST(Metrics, KeepLinesThatHaveNoStep) {
  const TempFolder folder;
  std::ofstream(folder / "m.jsonl") << "{\"event\":\"note\"}\n{\"step\":5}\n{\"step\":6}\n";
  open_and_close(folder / "m.jsonl", 5);
  EXPECT_EQ(content(folder / "m.jsonl"), "{\"event\":\"note\"}\n{\"step\":5}\n");
}

TEST(Metrics, NameTheLineThatIsDamagedAndLeaveTheFile) {
  const TempFolder folder;
  for (const std::string bad : {"{\"step\":", "[1]", "{\"a\":1}x", "{\"a\":1,\"a\":2}"}) {
    const std::string text = "{\"step\":1}\n" + bad + "\n{\"step\":2}\n";
    std::ofstream(folder / "m.jsonl") << text;
    try {
      open_and_close(folder / "m.jsonl", 2);
      ADD_FAILURE() << bad;
    } catch (const Error& e) {
      EXPECT_NE(std::string(e.what()).find("m.jsonl:2"), std::string::npos) << e.what();
    }
    EXPECT_EQ(content(folder / "m.jsonl"), text);
  }
}

TEST(Metrics, StartEmptyWhenToldSo) {
  const TempFolder folder;
  std::ofstream(folder / "m.jsonl") << "{\"step\":1}\n";
  open_and_close(folder / "m.jsonl", -1);
  EXPECT_EQ(content(folder / "m.jsonl"), "");
}

}  // namespace
}  // namespace sv

// Run folders: provenance, refusal of other settings, and one process at a time.
#include "experiments/run_folder.h"

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>
#include <optional>

#include "core/check.h"
#include "core/digest.h"
#include "data/temp_folder.h"

namespace sv {
namespace {

const std::string kSpec = "task = \"sudoku\"\n";
const std::string kDigest = sha256_hex(kSpec);
const RunStart kStart{.command = "train",
                      .argv = {"subvocal", "train"},
                      .isa = "avx2",
                      .threads = 2,
                      .seeds = {1, 2}};

RunFolder make(const std::string& path, const std::string& digest = kDigest) {
  return RunFolder::create(path, kStart, kSpec, digest);
}

nlohmann::json run_json(const std::string& path) {
  return nlohmann::json::parse(std::ifstream(path + "/run.json"));
}

struct Refusal {
  std::string text;
  Exit exit = Exit::ok;
};

Refusal refusal_of(auto&& action) {
  try {
    action();
  } catch (const Error& e) {
    return {e.what(), e.exit};
  }
  return {};
}

TEST(RunFolder, KeepsSpecAndProvenance) {
  const TempFolder folder;
  const std::string path = folder / "runs/demo";
  {
    RunFolder run = make(path);
    EXPECT_FALSE(run.existed());
    EXPECT_EQ(run_json(path)["starts"][0]["status"], "running");
    run.record("kernel.matmul", "avx2");
    run.record_start("products", "own kernels");
    run.finish("done");
  }
  const auto run = run_json(path);
  EXPECT_EQ(run["spec_digest"], kDigest);
  EXPECT_EQ(run["seeds"], (nlohmann::json{1, 2}));
  EXPECT_EQ(run["facts"]["kernel.matmul"], "avx2");
  const auto& start = run["starts"][0];
  EXPECT_EQ(start["argv"], (nlohmann::json{"subvocal", "train"}));
  EXPECT_EQ(start["status"], "done");
  EXPECT_EQ(start["products"], "own kernels");
  EXPECT_EQ(start["host"], host_name());
  EXPECT_EQ(start["started"].get<std::string>().size(), std::string("2026-01-31T12:00:00Z").size());
  EXPECT_TRUE(start.contains("ended"));
  EXPECT_FALSE(start["build"]["version"].get<std::string>().empty());
  EXPECT_FALSE(start["build"]["commit"].get<std::string>().empty());
  EXPECT_FALSE(std::filesystem::exists(path + "/lock"));
  EXPECT_EQ(run_spec_digest(path), kDigest);
}

TEST(RunFolder, GoesOnWithTheSameSettings) {
  const TempFolder folder;
  const std::string path = folder / "demo";
  make(path).finish("interrupted");
  {
    const RunFolder again = make(path);
    EXPECT_TRUE(again.existed());
  }
  RunFolder resumed = RunFolder::open(path, {.command = "resume"});
  EXPECT_TRUE(resumed.existed());
  EXPECT_EQ(resumed.spec_toml(), kSpec);
  EXPECT_EQ(resumed.spec_digest(), kDigest);
  resumed.finish("done");
  const auto starts = run_json(path)["starts"];
  ASSERT_EQ(starts.size(), 3u);
  EXPECT_EQ(starts[0]["status"], "interrupted");
  EXPECT_EQ(starts[1]["status"], "running");  // ended without a word, as after a kill
  EXPECT_EQ(starts[2]["command"], "resume");
}

TEST(RunFolder, RefusesOtherSettingsAndChangesNothing) {
  const TempFolder folder;
  const std::string path = folder / "demo";
  make(path).finish("done");
  const auto before = run_json(path);
  const Refusal refusal = refusal_of([&] { make(path, sha256_hex("other")); });
  EXPECT_EQ(refusal.exit, Exit::input);
  EXPECT_NE(refusal.text.find("other settings"), std::string::npos) << refusal.text;
  EXPECT_NE(refusal.text.find(kDigest.substr(0, 12)), std::string::npos) << refusal.text;
  EXPECT_EQ(run_json(path), before);
}

TEST(RunFolder, RefusesAFolderOfSomebodyElse) {
  const TempFolder folder;
  std::ofstream(folder / "thesis.tex") << "x";
  const Refusal refusal = refusal_of([&] { make(folder.path()); });
  EXPECT_EQ(refusal.exit, Exit::input);
  EXPECT_NE(refusal.text.find("thesis.tex"), std::string::npos) << refusal.text;
  EXPECT_TRUE(std::filesystem::exists(folder / "thesis.tex"));
  EXPECT_FALSE(std::filesystem::exists(folder / "run.json"));
}

TEST(RunFolder, StartsOverWhereAStartWasKilledBeforeItWasListed) {
  const TempFolder folder;
  std::ofstream(folder / "run.json") << "{\"half";
  std::ofstream(folder / "spec.toml") << "half";
  RunFolder run = make(folder.path());
  EXPECT_FALSE(run.existed());
  run.finish("done");
  EXPECT_EQ(run_spec_digest(folder.path()), kDigest);
}

TEST(RunFolder, CannotBeOpenedWhereNoneIs) {
  const TempFolder folder;
  EXPECT_EQ(refusal_of([&] { RunFolder::open(folder.path(), kStart); }).exit, Exit::input);
  EXPECT_EQ(refusal_of([&] { RunFolder::open(folder / "none", kStart); }).exit, Exit::input);
  EXPECT_FALSE(std::filesystem::exists(folder / "none"));
}

TEST(RunFolder, RefusesADamagedRunFile) {
  const TempFolder folder;
  const std::string path = folder / "demo";
  make(path).finish("done");
  std::ofstream(path + "/run.json", std::ios::app) << " ";
  EXPECT_NE(refusal_of([&] { RunFolder::open(path, kStart); }).text.find("run.json"),
            std::string::npos);
}

TEST(RunPath, TakesPlainNamesOnly) {
  EXPECT_EQ(run_path("runs", "sudoku-6x6_v1.2"), "runs/sudoku-6x6_v1.2");
  for (const std::string bad :
       {"", ".", "..", "../x", "a/b", "-rf", ".hidden", "a b", "a\nb", "\xc3\xa9"}) {
    EXPECT_THROW(run_path("runs", bad), Error) << bad;
  }
  EXPECT_THROW(run_path("runs", std::string(101, 'a')), Error);
}

TEST(FolderLock, RefusesASecondHolderAndNamesTheFirst) {
  const TempFolder folder;
  std::optional<FolderLock> first(folder.path());
  const Refusal refusal = refusal_of([&] { FolderLock second(folder.path()); });
  EXPECT_EQ(refusal.exit, Exit::environment);
  EXPECT_NE(refusal.text.find("process " + std::to_string(getpid()) + " on host " + host_name()),
            std::string::npos)
      << refusal.text;
  first.reset();
  EXPECT_NO_THROW(FolderLock(folder.path()));
}

TEST(FolderLock, IsTakenOverFromAKilledProcessWithAnExplanation) {
  const TempFolder folder;
  const pid_t child = fork();
  if (child == 0) {
    const FolderLock lock(folder.path());
    raise(SIGKILL);
  }
  waitpid(child, nullptr, 0);
  ASSERT_TRUE(std::filesystem::exists(folder / "lock"));
  const FolderLock lock(folder.path());
  EXPECT_EQ(lock.note(),
            "took over the lock of process " + std::to_string(child) +
                ", which has ended without releasing it");
}

TEST(FolderLock, IsNotTakenOverFromAnotherHost) {
  const TempFolder folder;
  std::ofstream(folder / "lock") << "pid 12 host elsewhere\n";
  const Refusal refusal = refusal_of([&] { FolderLock lock(folder.path()); });
  EXPECT_EQ(refusal.exit, Exit::environment);
  EXPECT_NE(refusal.text.find("process 12 on host elsewhere"), std::string::npos) << refusal.text;
  EXPECT_TRUE(std::filesystem::exists(folder / "lock"));
}

TEST(FolderLock, HasExactlyOneWinnerAmongRacingProcesses) {
  for (const bool stale : {false, true}) {
    const TempFolder folder;
    if (stale) {
      std::ofstream(folder / "lock") << "pid 999999999 host " << host_name() << "\n";
    }
    int gate[2], verdicts[2], hold[2];
    ASSERT_EQ(pipe(gate) | pipe(verdicts) | pipe(hold), 0);
    constexpr int kStarts = 20;
    for (int i = 0; i < kStarts; ++i) {
      if (fork() == 0) {
        close(gate[1]);
        close(hold[1]);
        char byte = 0;
        (void)!read(gate[0], &byte, 1);  // all start when the parent closes the gate
        try {
          const FolderLock lock(folder.path());
          (void)!write(verdicts[1], "w", 1);
          (void)!read(hold[0], &byte, 1);  // held until everybody has tried
        } catch (const Error&) {
          (void)!write(verdicts[1], "r", 1);
        }
        _exit(0);
      }
    }
    close(gate[1]);
    int winners = 0;
    for (int i = 0; i < kStarts; ++i) {
      char verdict = 0;
      ASSERT_EQ(read(verdicts[0], &verdict, 1), 1);
      winners += verdict == 'w' ? 1 : 0;
    }
    EXPECT_EQ(winners, 1);
    close(hold[1]);
    while (wait(nullptr) > 0) {
    }
    for (const int fd : {gate[0], verdicts[0], verdicts[1], hold[0]}) {
      close(fd);
    }
  }
}

}  // namespace
}  // namespace sv

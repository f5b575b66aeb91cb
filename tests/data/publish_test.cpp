// Publishing under faults: whatever call fails or is the last one, the newest or the previous state
// loads.
#include "data/io/publish.h"

#include <gtest/gtest.h>

#include <cerrno>
#include <optional>

#include "core/check.h"
#include "data/io/files_testing.h"
#include "data/io/safetensors.h"
#include "data/temp_folder.h"

namespace sv {
namespace {

std::string checkpoint_name(int step) {
  return "checkpoint-" + std::to_string(step) + ".safetensors";
}
std::string state_name(int step) {
  return "state-" + std::to_string(step) + ".json";
}

// A checkpoint of two files, as the trainer writes it: fresh names, the predecessor retired.
void save(const std::string& folder, int step, int retired, Files& files = real_files()) {
  const std::vector<float> w = {static_cast<float>(step), 2, 3};
  const std::vector<int64_t> n = {step};
  const std::string state = "{\"step\":" + std::to_string(step) + "}\n";
  std::vector<std::string> retire;
  if (retired > 0) {
    retire = {checkpoint_name(retired), state_name(retired)};
  }
  publish(
      folder,
      {safetensors_file(checkpoint_name(step),
                        {tensor_view("w", std::span(w), {3}), tensor_view("n", std::span(n), {1})}),
       {state_name(step), [&](ByteSink& sink) { sink.write(as_bytes(state)); }}},
      retire,
      files);
}

// The step of the newest listed checkpoint, which must load completely; 0 when none is listed.
int load(const std::string& folder, Files& files = real_files()) {
  const Manifest manifest = Manifest::load(folder, files);
  int newest = 0;
  for (int step = 1; step < 10; ++step) {
    newest = manifest.find(checkpoint_name(step)) ? step : newest;
  }
  if (newest > 0) {
    const auto file = Safetensors::read(join_path(folder, checkpoint_name(newest)), {}, files);
    EXPECT_EQ(file.at("n").values<int64_t>()[0], newest);
    EXPECT_EQ(file.at("w").values<float>()[0], static_cast<float>(newest));
    EXPECT_EQ(as_text(read_published(join_path(folder, state_name(newest)), files)),
              "{\"step\":" + std::to_string(newest) + "}\n");
  }
  return newest;
}

int count_files(const std::string& folder) {
  int n = 0;
  for ([[maybe_unused]] const auto& item : std::filesystem::directory_iterator(folder)) {
    ++n;
  }
  return n;
}

TEST(Publish, FilesAndManifestAppearTogetherAndPredecessorsGo) {
  const TempFolder folder;
  EXPECT_EQ(load(folder.path()), 0);
  save(folder.path(), 1, 0);
  EXPECT_EQ(load(folder.path()), 1);
  save(folder.path(), 2, 1);
  EXPECT_EQ(load(folder.path()), 2);
  EXPECT_EQ(count_files(folder.path()), 3);  // two files and the manifest
}

TEST(Publish, CallsComeInTheOrderThatSurvivesACrash) {
  const TempFolder folder;
  save(folder.path(), 1, 0);
  RecordingFiles recording;
  save(folder.path(), 2, 1, recording);
  std::string order;  // w write, s sync of a file, S sync of the folder, r rename, d removal
  for (const FileCall& call : recording.calls()) {
    const bool on_folder = call.path == folder.path();
    const char c = call.op == FileCall::Op::write    ? 'w'
                   : call.op == FileCall::Op::sync   ? (on_folder ? 'S' : 's')
                   : call.op == FileCall::Op::rename ? 'r'
                   : call.op == FileCall::Op::remove ? 'd'
                                                     : ' ';
    if (c != ' ' && (c != 'w' || order.empty() || order.back() != 'w')) {
      order += c;
    }
  }
  EXPECT_EQ(order, "wswsrrSwsrSddS");
}

TEST(Publish, StoppingAtAnyCallLeavesTheNewestOrThePreviousCheckpoint) {
  for (const auto kind : {Fault::Kind::stop, Fault::Kind::stop_torn}) {
    bool reached = true;
    int previous = 0;
    for (int n = 1; reached; ++n) {
      const TempFolder folder;
      save(folder.path(), 1, 0);
      FailingFiles failing(n, {kind});
      try {
        save(folder.path(), 2, 1, failing);
      } catch (const ProcessStopped&) {
      } catch (const Error&) {
      }
      reached = failing.reached();
      const int step = load(folder.path());
      EXPECT_TRUE(step == 1 || step == 2) << "stopped at call " << n;
      previous += step == 1;
      // The next process can go on: it clears what was left and saves again.
      remove_leftovers(folder.path());
      save(folder.path(), 3, step);
      EXPECT_EQ(load(folder.path()), 3) << "after a stop at call " << n;
    }
    EXPECT_GT(previous, 10);
  }
}

TEST(Publish, StoppingAtAnyCallOfAReplacementLeavesOneOfBothContents) {
  bool reached = true;
  int old_contents = 0;
  for (int n = 1; reached; ++n) {
    const TempFolder folder;
    publish_bytes(folder / "results", as_bytes("old"));
    FailingFiles failing(n, {Fault::Kind::stop});
    try {
      publish_bytes(folder / "results", as_bytes("new"), failing);
    } catch (const ProcessStopped&) {
    } catch (const Error&) {
    }
    reached = failing.reached();
    const auto bytes = read_published(folder / "results");
    EXPECT_TRUE(as_text(bytes) == "old" || as_text(bytes) == "new") << n;
    old_contents += as_text(bytes) == "old";
    publish_bytes(folder / "results", as_bytes("third"));
    EXPECT_EQ(as_text(read_published(folder / "results")), "third") << n;
    EXPECT_TRUE(Manifest::load(folder.path()).find("results")->also.empty());
  }
  EXPECT_GT(old_contents, 5);
}

TEST(Publish, FailureOfAnyCallIsReportedOrCarriedThroughAndKeepsAState) {
  const std::vector<std::pair<Fault, bool>> faults = {{{Fault::Kind::error, ENOSPC, true}, false},
                                                      {{Fault::Kind::error, EIO}, false},
                                                      {{Fault::Kind::error, EDQUOT}, false},
                                                      {{Fault::Kind::error, EINTR}, true},
                                                      {{Fault::Kind::short_count}, true}};
  for (const auto& [fault, harmless] : faults) {
    bool reached = true;
    for (int n = 1; reached; ++n) {
      const TempFolder folder;
      save(folder.path(), 1, 0);
      FailingFiles failing(n, fault);
      std::optional<Error> error;
      try {
        save(folder.path(), 2, 1, failing);
      } catch (const Error& caught) {
        error = caught;
      }
      reached = failing.reached();
      const int step = load(folder.path());
      EXPECT_TRUE(step == 1 || step == 2) << n;
      if (harmless) {
        EXPECT_FALSE(error) << "call " << n << ": " << error->what();
      }
      if (!error) {
        EXPECT_EQ(step, 2) << n;
        continue;
      }
      EXPECT_EQ(error->exit, Exit::environment) << error->what();
      EXPECT_NE(std::string(error->what()).find(folder.path()), std::string::npos) << error->what();
      if (fault.error == ENOSPC) {
        EXPECT_NE(std::string(error->what()).find("bytes are free"), std::string::npos)
            << error->what();
      }
    }
  }
}

TEST(Publish, FailureOfAnyCallOfALoadIsReportedOrCarriedThrough) {
  const TempFolder folder;
  save(folder.path(), 1, 0);
  for (const Fault fault : {Fault{Fault::Kind::error, EIO},
                            Fault{Fault::Kind::error, EINTR},
                            Fault{Fault::Kind::short_count}}) {
    bool reached = true;
    int errors = 0;
    for (int n = 1; reached; ++n) {
      FailingFiles failing(n, fault);
      try {
        EXPECT_EQ(load(folder.path(), failing), 1) << n;
      } catch (const Error& error) {
        EXPECT_EQ(error.exit, Exit::environment) << error.what();
        ++errors;
      }
      reached = failing.reached();
    }
    EXPECT_EQ(errors > 0, fault.error == EIO);
  }
}

TEST(Publish, UnlistedMissingAndMisnamedFilesAreRefused) {
  const TempFolder folder;
  OutFile out(real_files(), folder / "stray");
  out.write(as_bytes("x"));
  out.sync_and_close();
  EXPECT_THROW(read_published(folder / "stray"), Error);
  publish_bytes(folder / "listed", as_bytes("x"));
  std::filesystem::remove(folder / "listed");
  EXPECT_THROW(read_published(folder / "listed"), Error);
  for (const std::string name : {"", ".hidden", "manifest.jsonl", "a b", "a\\b", "a\nb"}) {
    EXPECT_THROW(publish(folder.path(), {{name, [](ByteSink&) {}}}), Error) << name;
  }
  EXPECT_THROW(publish(folder.path(), {}, {"../other"}), Error);
}

TEST(Publish, LeftoversAreRemovedAndNothingElse) {
  const TempFolder folder;
  save(folder.path(), 1, 0);
  OutFile out(real_files(), folder / ".x.partial");
  out.sync_and_close();
  EXPECT_EQ(remove_leftovers(folder.path()), 1);
  EXPECT_EQ(remove_leftovers(folder.path()), 0);
  EXPECT_EQ(load(folder.path()), 1);
}

TEST(Publish, SwappedFilesAreSeen) {
  const TempFolder folder;
  publish_bytes(folder / "a", as_bytes("one"));
  publish_bytes(folder / "b", as_bytes("two"));
  std::filesystem::rename(folder / "a", folder / "t");
  std::filesystem::rename(folder / "b", folder / "a");
  std::filesystem::rename(folder / "t", folder / "b");
  EXPECT_THROW(read_published(folder / "a"), Error);
  EXPECT_THROW(read_published(folder / "b"), Error);
}

TEST(Publish, ManifestRoundTrips) {
  const TempFolder folder;
  save(folder.path(), 1, 0);
  const Manifest manifest = Manifest::load(folder.path());
  ASSERT_EQ(manifest.entries().size(), 2u);
  EXPECT_EQ(manifest.entries()[0].sections.size(), 3u);
  EXPECT_EQ(Manifest::parse(manifest.text(), "memory").text(), manifest.text());
  EXPECT_EQ(Manifest::parse(Manifest().text(), "memory").entries().size(), 0u);
}

}  // namespace
}  // namespace sv

// Settings from files and overrides: what is read, what is refused, and that all problems come
// together.
#include "experiments/config.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>

#include "core/check.h"
#include "data/temp_folder.h"
#include "experiments/demo_settings.h"
#include "experiments/toml_scan.h"
#include "property.h"

namespace sv {
namespace {

void write(const std::string& path, const std::string& text) {
  std::filesystem::create_directories(std::filesystem::path(path).parent_path());
  std::ofstream(path, std::ios::binary) << text;
}

/// What load_settings says about a source; "" when it is content.
std::string message_of(const ConfigSource& source) {
  DemoSettings settings;
  try {
    load_settings(settings, source);
    return "";
  } catch (const Error& e) {
    EXPECT_EQ(e.exit, Exit::input) << e.what();
    EXPECT_EQ(settings_toml(settings), settings_toml(DemoSettings()))
        << "a failed load changed the settings";
    return e.what();
  }
}

std::string message_of_text(const std::string& toml) {
  DemoSettings settings;
  ConfigReader reader(fields_of(settings));
  reader.read_text(toml, "run.toml");
  try {
    reader.finish();
    return "";
  } catch (const Error& e) {
    return e.what();
  }
}

#define EXPECT_CONTAINS(text, part) EXPECT_NE((text).find(part), std::string::npos) << (text)

TEST(Config, ReadsAFileAndThenOverrides) {
  const TempFolder folder;
  write(folder / "run.toml",
        "task = 'addition'\nseeds = [5, 6]\n[train]\nsteps = 50\nlr = 1\n[depth]\ntest = '1..4'\n");
  DemoSettings s;
  const auto set_at = load_settings(
      s, {.file = folder / "run.toml", .overrides = {"train.steps=70", "depth.train=2,3..4"}});
  EXPECT_EQ(s.task, "addition");
  EXPECT_EQ(s.seeds, (std::vector<int>{5, 6}));
  EXPECT_EQ(s.train.steps, 70);
  EXPECT_EQ(s.train.lr, 1.0);
  EXPECT_EQ(s.depth_test, (std::vector<int>{1, 2, 3, 4}));
  EXPECT_EQ(s.depth_train, (std::vector<int>{2, 3, 4}));
  EXPECT_EQ(s.model.width, 64);
  EXPECT_EQ(set_at.at("train.steps"), "override 'train.steps=70'");
  EXPECT_EQ(set_at.at("train.lr"), folder / "run.toml:5:6");
  EXPECT_EQ(set_at.count("model.width"), 0u);
}

TEST(Config, ReportsAllProblemsTogether) {
  const TempFolder folder;
  write(folder / "run.toml",
        "task = 'sudokuu'\nsteps = 3\n[train]\nlr = 'fast'\nbatch = 0\nlast_only = "
        "1\n[modle]\nwidth = 9\n"
        "[model]\nwidth = 30\n");
  const std::string text = message_of(
      {.file = folder / "run.toml", .overrides = {"train.warmup=x", "nothing", "seds=1"}});
  const std::string at = "\n  " + folder.path() + "/run.toml:";
  EXPECT_EQ(text.find("10 problems in the settings:"), 0u) << text;
  EXPECT_CONTAINS(text,
                  at + "1:8: task is 'sudokuu', which is none of sudoku | linked_list | addition, "
                       "did you mean 'sudoku'?");
  EXPECT_CONTAINS(text, at + "2:1: unknown key 'steps', did you mean 'train.steps'?");
  EXPECT_CONTAINS(text, at + "4:6: train.lr expects float, got the text 'fast'");
  EXPECT_CONTAINS(text, at + "5:9: train.batch is 0, outside 1 .. 65536");
  EXPECT_CONTAINS(text, at + "6:13: train.last_only expects bool, got the int 1");
  EXPECT_CONTAINS(text, at + "8:1: unknown key 'modle.width', did you mean 'model.width'?");
  EXPECT_CONTAINS(text, "\n  override 'train.warmup=x': train.warmup expects int, got 'x'");
  EXPECT_CONTAINS(text, "\n  override 'nothing': an override has the form key=value");
  EXPECT_CONTAINS(text, "\n  override 'seds=1': unknown key 'seds', did you mean 'seeds'?");
  EXPECT_CONTAINS(text, "\n  default: model.heads must divide model.width = 30");
}

TEST(Config, ListsProblemsInTheOrderOfTheText) {
  const std::string text = message_of_text("zz = 1\n[train]\nsteps = 'x'\naa = 2\n");
  EXPECT_LT(text.find(":1:1:"), text.find(":3:9:"));
  EXPECT_LT(text.find(":3:9:"), text.find(":4:1:"));
}

TEST(Config, PlacesAConflictWhereTheKeyWasSet) {
  EXPECT_CONTAINS(message_of({.overrides = {"model.heads=5"}}),
                  "override 'model.heads=5': model.heads must divide model.width = 64");
}

TEST(Config, RefusesDuplicates) {
  EXPECT_CONTAINS(message_of_text("task = 'sudoku'\ntask = 'sudoku'\n"), "run.toml:2:");
  EXPECT_CONTAINS(message_of({.overrides = {"seeds=1", "seeds=2"}}),
                  "override 'seeds=2': 'seeds' is given twice");
}

TEST(Config, RefusesGroupsAsValuesAndValuesAsGroups) {
  EXPECT_CONTAINS(message_of_text("model = 3\n"),
                  "run.toml:1:1: 'model' is a group of keys, not a value");
  EXPECT_CONTAINS(message_of_text("[task]\nname = 'x'\n"), "task expects text, got a table");
  EXPECT_CONTAINS(message_of_text("train.steps = 1979-05-27\n"),
                  "train.steps expects int, got a date or time");
  EXPECT_CONTAINS(message_of_text("seeds = [[1]]\n"),
                  "seeds expects list of int, got a list in its list");
  EXPECT_CONTAINS(message_of_text("[empty]\n"), "unknown key 'empty'");
  EXPECT_EQ(message_of_text("[model]\n"), "");
}

TEST(Config, RefusesNumbersThatAreNotFinite) {
  EXPECT_CONTAINS(message_of_text("train.lr = nan\n"), "train.lr is not a finite number");
  EXPECT_CONTAINS(message_of_text("train.lr = inf\n"), "train.lr is not a finite number");
  EXPECT_CONTAINS(message_of_text("train.steps = 99999999999\n"),
                  "outside -2147483648 .. 2147483647");
}

TEST(Config, SaysWhereAFileDoesNotParse) {
  EXPECT_CONTAINS(message_of_text("task = 'sudoku'\nseeds = [1,\n"), "run.toml:");
  EXPECT_CONTAINS(message_of_text("\xff\xfe"), "run.toml:1:1");
}

TEST(Config, SaysWhichFileIsMissing) {
  EXPECT_CONTAINS(message_of({.file = "/nowhere/run.toml"}), "/nowhere/run.toml");
  const TempFolder folder;
  EXPECT_CONTAINS(message_of({.file = folder.path()}), folder.path());
}

TEST(Config, ExtendsAnotherFile) {
  const TempFolder folder;
  write(folder / "base/small.toml", "[train]\nsteps = 5\nbatch = 8\n");
  write(folder / "run.toml", "extends = 'base/small.toml'\ntrain.batch = 9\n");
  DemoSettings s;
  load_settings(s, {.file = folder / "run.toml", .overrides = {}});
  EXPECT_EQ(s.train.steps, 5);
  EXPECT_EQ(s.train.batch, 9);
}

TEST(Config, RefusesToExtendInCyclesTooDeepOrOutsideItsFolder) {
  const TempFolder folder;
  write(folder / "in/a.toml", "extends = 'b.toml'\n");
  write(folder / "in/b.toml", "extends = 'a.toml'\n");
  EXPECT_CONTAINS(message_of({.file = folder / "in/a.toml"}), "extends itself through");
  for (int i = 0; i < 10; ++i) {
    write(folder / ("in/d" + std::to_string(i) + ".toml"),
          "extends = 'd" + std::to_string(i + 1) + ".toml'\n");
  }
  write(folder / "in/d10.toml", "");
  EXPECT_CONTAINS(message_of({.file = folder / "in/d0.toml"}),
                  "more than 8 files extend each other");
  EXPECT_EQ(message_of({.file = folder / "in/d2.toml"}), "");
  write(folder / "out.toml", "");
  write(folder / "in/up.toml", "extends = '../out.toml'\n");
  EXPECT_CONTAINS(message_of({.file = folder / "in/up.toml"}),
                  "outside the folder of the first file");
  write(folder / "in/absolute.toml", "extends = '" + (folder / "in/a.toml") + "'\n");
  EXPECT_CONTAINS(message_of({.file = folder / "in/absolute.toml"}),
                  "outside the folder of the first file");
  std::filesystem::create_symlink("../out.toml", folder / "in/link.toml");
  write(folder / "in/sly.toml", "extends = 'link.toml'\n");
  EXPECT_CONTAINS(message_of({.file = folder / "in/sly.toml"}),
                  "outside the folder of the first file");
  write(folder / "in/number.toml", "extends = 3\n");
  EXPECT_CONTAINS(message_of({.file = folder / "in/number.toml"}),
                  "number.toml:1:11: extends expects the name of a file");
}

TEST(Config, RefusesFilesAboveTheLimits) {
  EXPECT_CONTAINS(message_of_text(std::string(static_cast<size_t>(kMaxConfigBytes) + 1, '\n')),
                  "at most 1048576");
  std::string keys;
  for (int i = 0; i <= kMaxConfigKeys; ++i) {
    keys += "k" + std::to_string(i) + " = 1\n";
  }
  EXPECT_CONTAINS(message_of_text(keys), "more than 10000 keys in one file");
  const std::vector<std::string> too_deep{"a = " + std::string(100000, '['),
                                          "a = " + std::string(17, '[') + std::string(17, ']'),
                                          std::string(100000, '{'),
                                          "a.b.c.d.e.f.g.h.i.j.k.l.m.n.o.p.q.r = 1"};
  for (const std::string& deep : too_deep) {
    EXPECT_CONTAINS(message_of_text(deep), "nested deeper than 16 levels");
  }
}

TEST(Config, ListsAtMostFiftyProblems) {
  std::string keys;
  for (int i = 0; i < 80; ++i) {
    keys += "k" + std::to_string(i) + " = 1\n";
  }
  EXPECT_CONTAINS(message_of_text(keys), "80 problems in the settings:");
  EXPECT_CONTAINS(message_of_text(keys), "and 30 more");
}

TEST(TomlNesting, SkipsStringsAndComments) {
  EXPECT_EQ(toml_nesting("a = 1.5\n"), 1);
  EXPECT_EQ(toml_nesting("# [[[[\na = '[[['\nb = \"[[\\\"[[\"\n"), 0);
  EXPECT_EQ(toml_nesting("a = '''\n[[['''\nb = [1]"), 1);
  EXPECT_EQ(toml_nesting("[a.b.c]\n"), 3);
  EXPECT_EQ(toml_nesting("a = [[1.0, 2.0], [3.0, 4.0]]"), 3);
}

TEST(TomlNesting, DoesNotLoseBracketsAfterQuotesThatEndAString) {
  EXPECT_EQ(toml_nesting("a = [\"\"\"x\"\"\"\", [[[["), 5);
  EXPECT_EQ(toml_nesting("a = [\"\"\"\"\"\", [[[["), 5);
  EXPECT_EQ(toml_nesting("a = ['''''', [[[["), 5);
}

TEST(Config, ResolvedSettingsReadBackToTheSameDigest) {
  DemoSettings s;
  s.train.lr = 0.1 + 0.2;
  s.seeds = {9, 8, 7};
  s.halt_rule = "entropy";
  DemoSettings back;
  ConfigReader reader(fields_of(back));
  reader.read_text(settings_toml(s), "spec.toml");
  reader.finish();
  EXPECT_EQ(settings_toml(back), settings_toml(s));
  EXPECT_EQ(settings_digest(back), settings_digest(s));
  back.threads = 7;
  EXPECT_EQ(settings_digest(back), settings_digest(s));
  back.train.batch = 65;
  EXPECT_NE(settings_digest(back), settings_digest(s));
}

TEST(Config, HelpShowsEveryKey) {
  DemoSettings s;
  const std::string help = settings_help<DemoSettings>();
  for (const std::string& key : keys_of(fields_of(s))) {
    EXPECT_CONTAINS(help, "\n" + key + " ");
  }
}

RC_GTEST_PROP(Config, AnyBytesAreTakenOrRefusedWithAnError, (const std::string& text)) {
  message_of_text(text);
  message_of_text("seeds = " + text);
  DemoSettings settings;
  ConfigReader reader(fields_of(settings));
  reader.read_override(text);
}

}  // namespace
}  // namespace sv

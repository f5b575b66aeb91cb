// Files of the user's own: what is written in them is what the task gives, in JSON lines and in
// HDF5, and every error names the place, the key and the value.
#include <gtest/gtest.h>

#include <fstream>
#include <map>

#include "core/check.h"
#include "core/digest.h"
#include "core/rng.h"
#include "data/dataset_io.h"
#include "data/split.h"
#include "data/task_of.h"
#include "data/tasks.h"
#include "data/temp_folder.h"
#include "data/written.h"

namespace sv {
namespace {

class FileTask : public ::testing::Test {
 protected:
  std::string write(const std::string& name, const std::string& text) {
    std::ofstream(folder_ / name, std::ios::binary) << text;
    return folder_ / name;
  }
  static std::shared_ptr<const Task> task(const std::string& file, TaskOptions o = {}) {
    o.file = file;
    return make_task("file", o);
  }
  /// All examples of train and test, by canonical form.
  static std::map<std::string, Example> examples(const Task& t) {
    std::map<std::string, Example> found;
    for (const Split split : {Split::train, Split::test}) {
      for (int64_t i = 0; i < t.count(split); ++i) {
        const Example e = t.example(split, 9, static_cast<uint64_t>(i));
        EXPECT_EQ(split_of(e.canonical), split);
        found.emplace(e.canonical, e);
      }
    }
    return found;
  }
  static std::string message(const std::string& file, const TaskOptions& o = {}) {
    try {
      task(file, o);
    } catch (const Error& e) {
      return e.what();
    }
    return "no error";
  }
  void expect(const std::string& line, const std::string& place, const std::string& what) {
    const std::string good = R"({"tokens": [1, 2], "targets": [-1, 0], "truths": {"sum": [1, 3]}})";
    const std::string file = write("bad.jsonl", good + "\n" + line + "\n");
    const std::string got = message(file);
    EXPECT_NE(got.find(file + place), std::string::npos) << got;
    EXPECT_NE(got.find(what), std::string::npos) << got;
  }

  TempFolder folder_;
};

const std::string kFirst =
    R"({"tokens": [3, 0, 7], "targets": [[-1, 2, 1], [0, 0, 0]], "difficulty": 4, )"
    R"("truths": {"sum": [3, 3, 10], "odd": [[1, 0, 1], [0, -1, 0]]}})";
const std::string kSecond =
    R"({"tokens": [1, 2, 5, 0], "length": 3, "targets": [[0, 1, 1, -1], [4, -1, -1, -1]], )"
    R"("mask": [1, 0, 1, 1], "position_difficulty": [1, 2, 3, -1], )"
    R"("truths": {"sum": [1, 3, 8, -1], "odd": [[1, 0, 1, -1], [1, 1, 1, -1]]}})";

TEST_F(FileTask, GivesWhatTheLinesSay) {
  const auto t = task(write("own.jsonl", "# two examples\n" + kFirst + "\n\n" + kSecond + "\n"));
  const TaskSpec& spec = t->spec();
  EXPECT_EQ(spec.positions, 4);
  EXPECT_EQ(spec.vocab, 8);
  EXPECT_EQ(spec.answers, 5);
  EXPECT_EQ(spec.target_steps, 2);
  EXPECT_EQ(spec.max_difficulty, 4);
  ASSERT_EQ(spec.truths.size(), 2u);
  EXPECT_EQ(spec.truths[0].name, "odd");
  EXPECT_EQ(spec.truths[0].classes, 2);
  EXPECT_EQ(spec.truths[0].steps, 2);
  EXPECT_EQ(spec.truths[1].name, "sum");
  EXPECT_EQ(spec.truths[1].classes, 11);
  const auto found = examples(*t);
  ASSERT_EQ(found.size(), 2u);
  const Example& a = found.at("3 0 7 ");
  EXPECT_EQ(a.tokens, (std::vector<int32_t>{3, 0, 7, 0}));
  EXPECT_EQ(a.targets, (std::vector<int32_t>{-1, 2, 1, -1, 0, 0, 0, -1}));
  EXPECT_EQ(a.length, 3);
  EXPECT_EQ(a.difficulty, 4);
  EXPECT_EQ(a.truths[0], (std::vector<int32_t>{1, 0, 1, -1, 0, -1, 0, -1}));
  EXPECT_EQ(a.truths[1], (std::vector<int32_t>{3, 3, 10, -1}));
  const Example& b = found.at("1 2 5 ");
  EXPECT_EQ(b.targets, (std::vector<int32_t>{0, -1, 1, -1, 4, -1, -1, -1}));  // masked at 1
  EXPECT_EQ(b.position_difficulty, (std::vector<int32_t>{1, 2, 3, -1}));
  EXPECT_EQ(b.length, 3);
}

TEST_F(FileTask, WritesSolutionsOut) {
  const auto t =
      task(write("own.jsonl",
                 R"({"question": [5, 2], "steps": [[7], [0, 1]], "answer": [9], "difficulty": 2})"
                 "\n"
                 R"({"question": [4], "answer": [9, 9]})"));
  EXPECT_EQ(t->spec().vocab, 14);
  EXPECT_EQ(t->spec().answers, 14);
  EXPECT_EQ(t->spec().positions, 9);
  EXPECT_EQ(t->spec().written_steps, 2);
  const Example e = examples(*t).at("5 2 ");
  std::string text;
  for (const int32_t token : e.tokens) {
    text += t->token_text(token) + " ";
  }
  EXPECT_EQ(text, "5 2 || 7 0 1 #### 9 end ");
  EXPECT_EQ(e.roles, (std::vector<int32_t>{0, 0, 0, 1, 2, 2, 3, 3, 3}));
  EXPECT_EQ(e.difficulty, 2);
}

TEST_F(FileTask, KeepsTheSizesThatAreAsked) {
  const std::string file = write("own.jsonl", kFirst + "\n" + kSecond);
  TaskOptions o;
  o.size = 10;
  o.vocab = 20;
  o.answers = 30;
  const TaskSpec spec = task(file, o)->spec();
  EXPECT_EQ(spec.positions, 10);
  EXPECT_EQ(spec.vocab, 20);
  EXPECT_EQ(spec.answers, 30);
  EXPECT_EQ(examples(*task(file, o)).at("3 0 7 ").targets.size(), 20u);
  o.vocab = 7;
  EXPECT_NE(message(file, o).find(file + ":1: 8 input symbols, more than vocab = 7"),
            std::string::npos)
      << message(file, o);
  o.vocab = 0;
  o.size = 3;
  EXPECT_NE(message(file, o).find(file + ":2: 4 positions, more than size = 3"), std::string::npos)
      << message(file, o);
}

TEST_F(FileTask, LeavesOutOfOodWhatTrainingHolds) {
  TaskOptions o;
  o.ood_file = write("ood.jsonl", kSecond + "\n" + kFirst);
  const auto t = task(write("own.jsonl", kFirst), o);
  EXPECT_EQ(t->count(Split::ood), 1);
  EXPECT_EQ(t->example(Split::ood, 0, 0).canonical, "1 2 5 ");
  EXPECT_EQ(t->spec().positions, 4);  // room for both files
  EXPECT_NE(t->notes().at(0).find("1 examples also stand in file"), std::string::npos);
  EXPECT_THROW(t->example(Split::ood, 0, 1), Error);
}

TEST_F(FileTask, ReadsTheHdf5FilesThatDataSetsAreWrittenTo) {
  for (const char* name : {"addition", "sudoku", "permutation_power"}) {
    SCOPED_TRACE(name);
    TaskOptions form;
    form.form = std::string(name) == "addition" ? "steps" : "";
    const Dataset data(make_task(name, form), Split::test, 3, 30);
    write_dataset(folder_ / "set.h5", data, {});
    const auto t = task(folder_ / "set.h5");
    EXPECT_EQ(t->spec().positions, data.task().spec().positions);
    EXPECT_EQ(t->spec().target_steps, data.task().spec().target_steps);
    EXPECT_EQ(t->spec().written_steps, data.task().spec().written_steps);
    const auto found = examples(*t);
    ASSERT_EQ(found.size(), 30u);
    std::map<std::string, size_t> place;
    for (size_t k = 0; k < data.task().spec().truths.size(); ++k) {
      place[data.task().spec().truths[k].name] = k;
    }
    for (int64_t i = 0; i < data.size(); ++i) {
      const auto length = static_cast<size_t>(data[i].length);
      const Example& e = found.at(spelled(std::span(data[i].tokens).first(length)));
      EXPECT_EQ(e.tokens, data[i].tokens);
      EXPECT_EQ(e.targets, data[i].targets);
      EXPECT_EQ(e.roles, data[i].roles);
      EXPECT_EQ(e.difficulty, data[i].difficulty);
      EXPECT_EQ(e.position_difficulty, data[i].position_difficulty);
      for (size_t k = 0; k < t->spec().truths.size(); ++k) {
        EXPECT_EQ(e.truths[k], data[i].truths[place.at(t->spec().truths[k].name)]);
      }
    }
  }
}

TEST_F(FileTask, OpensAnHdf5FileWithoutManifestByItsDigestOnly) {
  H5Writer w({"mine", 1, ""});
  w.dataset<int64_t>(
      "tokens", {"example", "position"}, std::vector<int64_t>{1, 2, 3, 4}, {2, 2}, {});
  w.dataset<uint8_t>(
      "targets", {"example", "position"}, std::vector<uint8_t>{0, 1, 1, 1}, {2, 2}, {});
  w.dataset<uint8_t>("mask", {"example", "position"}, std::vector<uint8_t>{0, 1, 1, 1}, {2, 2}, {});
  const std::vector<std::byte> bytes = w.finish();
  const std::string file =
      write("own.h5", {reinterpret_cast<const char*>(bytes.data()), bytes.size()});
  const std::string digest = sha256_hex(bytes);
  EXPECT_NE(message(file).find("sha256=" + digest), std::string::npos) << message(file);
  TaskOptions o;
  o.sha256 = std::string(64, '0');
  EXPECT_NE(message(file, o).find("sha256=" + digest), std::string::npos);
  o.sha256 += "," + digest;
  EXPECT_EQ(examples(*task(file, o)).at("1 2 ").targets, (std::vector<int32_t>{-1, 1}));
}

TEST_F(FileTask, NamesThePlaceTheKeyAndTheValue) {
  expect(R"([1])", ":2", "an object is expected");
  expect(R"({"tokens": [1, 2], "targets": [0, )", ":2", "not valid JSON");
  expect(R"({"tokens": [1], "target": [0]})", ":2", "'target' is not one of: tokens, targets");
  expect(R"({"tokens": [1], "target": [0]})", ":2", "did you mean 'targets'?");
  expect(R"({"targets": [0]})", ":2", "the key 'tokens' is missing");
  expect(R"({"tokens": [1, 1.5], "targets": [0, 0]})", ":2", "'tokens'[1] is '1.5'");
  expect(R"({"tokens": "ab", "targets": [0, 0]})", ":2", "'tokens' is '\"ab\"'");
  expect(
      R"({"tokens": [1, 70000], "targets": [0, 0]})", ":2", "'tokens'[1] is 70000, expected 0 to");
  expect(R"({"tokens": [1, 9999999999], "targets": [0, 0]})", ":2", "'tokens'[1] is '9999999999'");
  expect(R"({"tokens": [1, -1], "targets": [0, 0]})", ":2", "'tokens'[1] is -1");
  expect(R"({"tokens": [], "targets": []})", ":2", "0 tokens and a length of 0");
  expect(R"({"tokens": [1, 2], "targets": [0]})", ":2", "'targets' has 1 entries, 'tokens' has 2");
  expect(R"({"tokens": [1, 2], "targets": [0, -2]})", ":2", "'targets'[1] is -2, expected -1 to");
  expect(R"({"tokens": [1, 2], "targets": [-1, -1]})", ":2", "ask nothing");
  expect(R"({"tokens": [1, 2], "targets": [-1, 0], "mask": [1, 0]})", ":2", "ask nothing");
  expect(R"({"tokens": [1, 2], "targets": [0, 0], "mask": [1, 2]})", ":2", "'mask'[1] is 2");
  expect(R"({"tokens": [1, 2], "targets": [0, 0], "mask": [1]})", ":2", "'mask' has 1 entries");
  expect(
      R"({"tokens": [1, 2], "targets": [0, 0], "length": 3})", ":2", "2 tokens and a length of 3");
  expect(R"({"tokens": [1, 2], "targets": [0, -1], "length": 1})",
         ":2",
         "'tokens'[1] is 2, but lies behind the length 1");
  expect(
      R"({"tokens": [1, 0], "targets": [0, 0], "length": 1})", ":2", "'targets'[1] is 0, but lies");
  expect(R"({"tokens": [1], "targets": [[0], [0]]})", ":2", "'targets' has 2 steps");
  expect(R"({"tokens": [1], "targets": [0], "difficulty": -1})", ":2", "'difficulty' is '-1'");
  expect(R"({"tokens": [1], "targets": [0]})", ":2", "truth 'sum' is missing");
  expect(R"({"tokens": [1], "targets": [0], "truths": [1]})", ":2", "'truths' must be an object");
  expect(R"({"tokens": [1], "targets": [0], "truths": {"sum": [1], "som": [2]}})",
         ":2",
         "did you mean 'sum'?");
  expect(R"({"tokens": [1], "targets": [0], "truths": {"sum": [1], "A b": [2]}})",
         ":2",
         "a truth is named 'A b'");
  expect(R"({"tokens": [1], "targets": [0], "truths": {"sum": [[1], [1]]}})",
         ":2",
         "truth 'sum' has 2 steps");
  expect(R"({"tokens": [1], "targets": [0], "truths": {"sum": [1, 1]}})",
         ":2",
         "truth 'sum' has 2 entries");
  expect(R"({"tokens": [1], "targets": [0], "truths": {"sum": [1]}, "roles": [0]})",
         ":2",
         "'roles' stand either in every row or in none");
  expect(R"({"question": [1], "answer": [0]})", ":2", "either in every row or in none");
  expect(R"({"question": [1], "answer": [0], "tokens": [1]})", ":2", "'tokens' is not one of");
  expect("{\"tokens\": [1], \"tokens\": [1]}", ":2", "occurs twice");
  std::string many = "[0";
  for (int i = 0; i < 4096; ++i) {
    many += ",0";
  }
  expect("{\"tokens\": " + many + "], \"targets\": " + many + "]}", ":2", "4097 tokens");
}

TEST_F(FileTask, NamesTheArrayOfAnHdf5File) {
  const auto made = [&](const std::string& name, std::vector<int64_t> sizes, bool tokens = true) {
    H5Writer w({"mine", 1, ""});
    const std::vector<int32_t> some(64, 1);
    if (tokens) {
      w.dataset<int32_t>("tokens", {"example", "position"}, std::span(some).first(4), {2, 2}, {});
    }
    std::vector<std::string> dims;
    size_t count = 1;
    for (const int64_t size : sizes) {
      dims.push_back("axis_" + std::to_string(dims.size()));
      count *= static_cast<size_t>(size);
    }
    w.dataset<int32_t>(name, dims, std::span(some).first(count), sizes, {});
    const auto bytes = w.finish();
    TaskOptions o;
    o.sha256 = sha256_hex(bytes);
    const std::string file =
        write("own.h5", {reinterpret_cast<const char*>(bytes.data()), bytes.size()});
    const std::string got = message(file, o);
    EXPECT_NE(got.find(file), std::string::npos);
    return got;
  };
  EXPECT_NE(made("target", {2, 2}).find("'targets'"), std::string::npos) << made("target", {2, 2});
  EXPECT_NE(made("targets", {2, 2}, false).find("there is no array 'tokens'"), std::string::npos);
  EXPECT_NE(made("targets", {2, 3}).find("array 'targets' is (2, 3), expected (2"),
            std::string::npos);
}

TEST_F(FileTask, SurvivesHundredsOfCorruptions) {
  const std::string good = kFirst + "\n" + kSecond + "\n";
  int refused = 0;
  for (uint64_t i = 0; i < 500; ++i) {
    RngCursor rng(Rng(1, stream_of("file_task"), i));
    std::string text = good;
    const size_t at = rng.below(static_cast<uint32_t>(text.size()));
    switch (rng.below(4)) {
      case 0:
        text.resize(at);
        break;
      case 1:
        text[at] = static_cast<char>(rng.below(256));
        break;
      case 2:
        text.erase(at, 1 + rng.below(8));
        break;
      default:
        text.insert(at, text.substr(at, 1 + rng.below(8)));
    }
    const std::string file = write("bad.jsonl", text);
    const std::string got = message(file);  // anything but an sv::Error fails the test
    EXPECT_TRUE(got == "no error" || got.find(file) != std::string::npos) << got;
    refused += got == "no error" ? 0 : 1;
  }
  EXPECT_GT(refused, 250);
}

}  // namespace
}  // namespace sv

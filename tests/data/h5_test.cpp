// HDF5: equal bytes for equal content, named dimensions, trust before reading, the closed schema,
// and other readers.
#include "data/io/h5.h"

#include <gtest/gtest.h>
#include <sys/wait.h>

#include <cmath>
#include <cstdlib>
#include <functional>

#include "core/check.h"
#include "core/rng.h"
#include "data/temp_folder.h"

namespace sv {
namespace {

void fill(H5Writer& w) {
  const std::vector<float> accuracy = {1, 2, 3, 4, 5, 6};
  const std::vector<double> loss = {0.25, NAN};
  const std::vector<int32_t> steps = {100, 200};
  const std::vector<int64_t> count = {INT64_MAX, -1};
  const std::vector<uint8_t> flag = {0, 255, 1};
  const std::vector<int32_t> depth = {1, 4, 8};
  const std::vector<std::string> names = {"one", "zwölf"};
  w.dataset("accuracy",
            {"model", "depth"},
            std::span(accuracy),
            {2, 3},
            {.units = "1", .long_name = "share of right answers"});
  w.dataset("loss", {"model"}, std::span(loss), {2}, {.units = "nat", .long_name = "loss"});
  w.dataset("steps", {"model"}, std::span(steps), {2}, {.long_name = "training steps"});
  w.dataset("count",
            {"model"},
            std::span(count),
            {2},
            {.long_name = "count", .more = {{"exploratory", int64_t{1}}}});
  w.dataset("flag", {"depth"}, std::span(flag), {3}, {.long_name = "flag"});
  w.labels("name", {"model"}, names, {2}, {.long_name = "name"});
  w.coordinate("depth", std::span(depth), {.long_name = "test depth"});
}

H5Root root() {
  return {"subvocal.test", 1, "abc", {{"threshold", 0.5}, {"task", std::string("sudoku")}}};
}

std::vector<std::byte> image() {
  H5Writer w(root());
  fill(w);
  return w.finish();
}

TEST(Hdf5, ValuesDimensionsAndAttributesComeBack) {
  const H5Reader r(image(), "memory");
  EXPECT_EQ(r.list(),
            (std::vector<std::string>{
                "accuracy", "count", "depth", "flag", "loss", "model", "name", "steps"}));
  EXPECT_EQ(r.read<float>("accuracy"), (std::vector<float>{1, 2, 3, 4, 5, 6}));
  EXPECT_EQ(r.dims("accuracy"), (std::vector<std::string>{"model", "depth"}));
  EXPECT_TRUE(r.is_coordinate("depth"));
  EXPECT_FALSE(r.is_coordinate("accuracy"));
  EXPECT_EQ(r.element("count"), Element::i64);
  EXPECT_FALSE(r.element("name").has_value());
  EXPECT_EQ(r.sizes("accuracy"), (std::vector<int64_t>{2, 3}));
  EXPECT_TRUE(std::isnan(r.read<double>("loss")[1]));
  EXPECT_EQ(r.read<int32_t>("steps"), (std::vector<int32_t>{100, 200}));
  EXPECT_EQ(r.read<int64_t>("count"), (std::vector<int64_t>{INT64_MAX, -1}));
  EXPECT_EQ(r.read<uint8_t>("flag"), (std::vector<uint8_t>{0, 255, 1}));
  EXPECT_EQ(r.read_labels("name"), (std::vector<std::string>{"one", "zwölf"}));
  EXPECT_EQ(r.dims("depth"), (std::vector<std::string>{"depth"}));
  EXPECT_EQ(r.read<int64_t>("model"), (std::vector<int64_t>{0, 1}));
  EXPECT_EQ(std::get<std::string>(r.attributes("loss").at("units")), "nat");
  EXPECT_EQ(std::get<int64_t>(r.attributes("count").at("exploratory")), 1);
  EXPECT_EQ(r.root_string("config_digest"), "abc");
  EXPECT_EQ(r.root_string("schema"), "subvocal.test");
  EXPECT_EQ(r.root_int("schema_version"), 1);
  EXPECT_EQ(std::get<double>(r.attributes().at("threshold")), 0.5);
}

TEST(Hdf5, EqualContentGivesEqualBytesWhateverTheHeapHolds) {
  const auto first = image();
  for (size_t size = 16; size < (size_t{1} << 22); size *= 2) {
    std::vector<std::vector<char>> rubbish(
        8, std::vector<char>(size, '\xab'));  // freed again, unclean
  }
  EXPECT_EQ(image(), first);
}

TEST(Hdf5, ReadersAndWritersThatAreOpenTogetherDoNotMix) {
  H5Writer a(root());
  H5Writer b(root());
  const std::vector<float> one = {1};
  const std::vector<float> two = {2};
  a.dataset("x", {"model"}, std::span(one), {1}, {});
  b.dataset("x", {"model"}, std::span(two), {1}, {});
  const H5Reader of_a(a.finish(), "a");
  const H5Reader of_b(b.finish(), "b");
  EXPECT_EQ(of_a.read<float>("x"), one);
  EXPECT_EQ(of_b.read<float>("x"), two);
}

TEST(Hdf5, LargeArraysAreCutIntoChunksAndComeBack) {
  std::vector<double> values(600 * 1000);
  for (size_t i = 0; i < values.size(); ++i) {
    values[i] = Rng(3, 4).uniform(i);
  }
  H5Writer w(root());
  w.dataset(
      "big", {"row", "column"}, std::span<const double>(values), {600, 1000}, {.long_name = "big"});
  const H5Reader r(w.finish(), "memory");
  EXPECT_EQ(r.read<double>("big"), values);
}

TEST(Hdf5, WriterRefusesWhatReadersCouldNotUnderstand) {
  const std::vector<float> v = {1, 2};
  const auto refuses = [&](auto&& use) {
    H5Writer w(root());
    w.dataset("a", {"model"}, std::span(v), {2}, {});
    EXPECT_THROW(use(w), Error);
  };
  refuses([&](H5Writer& w) { w.dataset("a", {"model"}, std::span(v), {2}, {}); });
  refuses([&](H5Writer& w) { w.dataset("b", {"model"}, std::span(v), {3}, {}); });
  refuses([&](H5Writer& w) { w.dataset("b", {"model"}, std::span(v).first(1), {1}, {}); });
  refuses([&](H5Writer& w) { w.dataset("b", {"x", "x"}, std::span(v), {1, 2}, {}); });
  refuses([&](H5Writer& w) { w.dataset("b", {"x"}, std::span(v).first(0), {0}, {}); });
  refuses([&](H5Writer& w) { w.dataset("b/c", {"x"}, std::span(v), {2}, {}); });
  refuses([&](H5Writer& w) { w.dataset("b", {}, std::span(v).first(1), {}, {}); });
  refuses([&](H5Writer& w) {
    w.finish();
    w.dataset("b", {"model"}, std::span(v), {2}, {});
  });
  const std::vector<bf16> half = {bf16(1.0f)};
  refuses([&](H5Writer& w) { w.dataset("b", {"x"}, std::span(half), {1}, {}); });
}

TEST(Hdf5, ReaderNamesFileAndArray) {
  const H5Reader r(image(), "some.h5");
  for (const auto& use : std::vector<std::function<void()>>{[&] { r.read<float>("none"); },
                                                            [&] { r.read<double>("accuracy"); },
                                                            [&] { r.read_labels("accuracy"); },
                                                            [&] { r.read<float>("name"); },
                                                            [&] { r.dims("none"); },
                                                            [&] { r.root_string("none"); },
                                                            [&] { r.root_int("schema"); }}) {
    try {
      use();
      ADD_FAILURE();
    } catch (const Error& error) {
      EXPECT_NE(std::string(error.what()).find("some.h5"), std::string::npos) << error.what();
    }
  }
}

TEST(Hdf5, FileIsReadOnlyWithADigestThatMatches) {
  const TempFolder folder;
  H5Writer w(root());
  fill(w);
  const Published entry = w.publish(folder / "results.h5");
  EXPECT_NO_THROW(H5Reader(folder / "results.h5"));
  EXPECT_NO_THROW(H5Reader(folder / "results.h5", H5Trust::digest(entry.sha256)));
  EXPECT_THROW(H5Reader(folder / "results.h5", H5Trust::digest(std::string(64, '0'))), Error);
  std::filesystem::remove(folder / kManifestName);
  EXPECT_THROW(H5Reader(folder / "results.h5"), Error);
  EXPECT_NO_THROW(H5Reader(folder / "results.h5", H5Trust::unverified()));
}

TEST(Hdf5, EveryBitFlipIsSeenBeforeTheLibraryReadsTheFile) {
  const TempFolder folder;
  H5Writer w(root());
  fill(w);
  const Published entry = w.publish(folder / "results.h5");
  auto bytes = read_file(folder / "results.h5", 1 << 20);
  const Rng rng(5, stream_of("flips"));
  for (uint32_t i = 0; i < 2000; ++i) {
    const uint32_t bit = rng.below(i, static_cast<uint32_t>(8 * bytes.size()));
    bytes[bit / 8] ^= static_cast<std::byte>(1u << bit % 8);
    EXPECT_THROW(verify_published(bytes, entry, "results.h5"), Error) << bit;
    bytes[bit / 8] ^= static_cast<std::byte>(1u << bit % 8);
  }
  bytes[bytes.size() / 2] ^= std::byte{4};
  OutFile out(real_files(), folder / "results.h5");
  out.write(bytes);
  out.sync_and_close();
  EXPECT_THROW(H5Reader(folder / "results.h5"), Error);
}

TEST(Hdf5, WhatIsNoHdf5FileIsAnErrorNotACrash) {
  EXPECT_THROW(H5Reader(std::vector<std::byte>(1000), "zeros"), Error);
  EXPECT_THROW(H5Reader({}, "empty"), Error);
  const auto good = image();
  EXPECT_THROW(H5Reader({good.begin(), good.begin() + 300}, "cut"), Error);
}

// Runs a Python script of the source tree; its exit code.
int run_python(const std::string& script, const std::string& argument) {
  const std::string command = "/usr/bin/python3 '" + std::string(SV_SOURCE_DIR) + '/' + script +
                              "' '" + argument + "' > /dev/null";
  const int status = std::system(command.c_str());
  return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

bool python_imports(const std::string& modules) {
  return std::system(("/usr/bin/python3 -c 'import " + modules + "' 2> /dev/null").c_str()) == 0;
}

TEST(Hdf5, OpensInPythonAndXarray) {
  const TempFolder folder;
  H5Writer w(root());
  fill(w);
  w.publish(folder / "results.h5");
  const int code = run_python("tests/data/open_results.py", folder / "results.h5");
  if (code == 77 || code == 127) {
    GTEST_SKIP() << "python3 with h5py, xarray and h5netcdf is not installed";
  }
  EXPECT_EQ(code, 0);
}

TEST(Hdf5, ExampleScriptOpensResults) {
  if (!python_imports("h5py, xarray, h5netcdf")) {
    GTEST_SKIP() << "python3 with h5py, xarray and h5netcdf is not installed";
  }
  const TempFolder folder;
  H5Writer w(root());
  fill(w);
  w.publish(folder / "results.h5");
  EXPECT_EQ(run_python("data/examples/open_results.py", folder / "results.h5"), 0);
}

// What the closed schema refuses is written by h5py, which can write it.
TEST(Hdf5, LinksGroupsVirtualAndForeignTypesAreRefused) {
  if (!python_imports("h5py")) {
    GTEST_SKIP() << "python3 with h5py is not installed";
  }
  const TempFolder folder;
  ASSERT_EQ(run_python("tests/data/write_foreign.py", folder.path()), 0);
  int files = 0;
  for (const auto& item : std::filesystem::directory_iterator(folder.path())) {
    const std::string path = item.path().string();
    const bool good = name_of(path).starts_with("good");
    try {
      const H5Reader r(path, H5Trust::unverified());
      EXPECT_TRUE(good) << path;
    } catch (const Error& error) {
      EXPECT_FALSE(good) << error.what();
      EXPECT_NE(std::string(error.what()).find(name_of(path)), std::string::npos) << error.what();
    }
    ++files;
  }
  EXPECT_GE(files, 12);
}

}  // namespace
}  // namespace sv

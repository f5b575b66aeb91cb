// safetensors: round trips, layout, and refusal by name of what does not match.
#include "data/io/safetensors.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <limits>

#include "core/check.h"
#include "data/safetensors_text.h"
#include "data/temp_folder.h"

namespace sv {
namespace {

std::vector<std::byte> write_to_memory(std::span<const TensorView> tensors,
                                       const Metadata& metadata = {}) {
  MemorySink sink;
  write_safetensors(sink, tensors, metadata);
  return sink.bytes;
}

TEST(Safetensors, EveryTypeComesBackBitForBit) {
  const std::vector<double> f64 = {1.5, -0.0, std::numeric_limits<double>::denorm_min()};
  const std::vector<float> f32 = {3.25f, std::numeric_limits<float>::quiet_NaN()};
  const std::vector<bf16> half = {bf16(1.0f), bf16(-2.0f), bf16(0.5f)};
  const std::vector<int64_t> i64 = {INT64_MIN, INT64_MAX};
  const std::vector<int32_t> i32 = {INT32_MIN, 7};
  const std::vector<uint8_t> u8 = {0, 255, 3};
  const std::vector<TensorView> tensors = {tensor_view("u8", std::span(u8), {3, 1}),
                                           tensor_view("i32", std::span(i32), {2}),
                                           tensor_view("bf16", std::span(half), {3}),
                                           tensor_view("f32", std::span(f32), {1, 2}),
                                           tensor_view("f64", std::span(f64), {3}),
                                           tensor_view("i64", std::span(i64), {2})};
  const auto file =
      Safetensors::parse(write_to_memory(tensors, {{"step", "12"}, {"text", "é\n"}}), "memory");
  ASSERT_EQ(file.tensors().size(), tensors.size());
  for (const TensorView& t : tensors) {
    const TensorView& back = file.at(t.name, t.type, t.shape);
    ASSERT_EQ(back.bytes.size(), t.bytes.size());
    EXPECT_EQ(std::memcmp(back.bytes.data(), t.bytes.data(), t.bytes.size()), 0) << t.name;
  }
  EXPECT_EQ(file.at("i64").values<int64_t>(), i64);
  EXPECT_EQ(file.metadata(), (Metadata{{"step", "12"}, {"text", "é\n"}}));
}

TEST(Safetensors, ScalarsAndEmptyTensorsComeBack) {
  const std::vector<float> one = {2.0f};
  const std::vector<float> none;
  const std::vector<TensorView> tensors = {tensor_view("empty", std::span(none), {4, 0}),
                                           tensor_view("scalar", std::span(one), {})};
  const auto file = Safetensors::parse(write_to_memory(tensors), "memory");
  EXPECT_EQ(file.at("scalar").values<float>(), one);
  EXPECT_TRUE(file.at("scalar").shape.empty());
  EXPECT_EQ(file.at("empty").shape, (std::vector<int64_t>{4, 0}));
}

TEST(Safetensors, FileWithoutTensorsIsValid) {
  const auto file = Safetensors::parse(write_to_memory({}, {{"a", "b"}}), "memory");
  EXPECT_TRUE(file.tensors().empty());
}

TEST(Safetensors, EveryTensorIsAlignedWhateverTheOrderGiven) {
  const std::vector<uint8_t> u8 = {1, 2, 3};
  const std::vector<double> f64 = {1.0};
  const std::vector<TensorView> tensors = {tensor_view("a", std::span(u8), {3}),
                                           tensor_view("b", std::span(f64), {1})};
  const auto bytes = write_to_memory(tensors);
  uint64_t header = 0;
  std::memcpy(&header, bytes.data(), 8);
  EXPECT_EQ((header + 8) % 64, 0u);
  const auto file = Safetensors::parse(bytes, "memory");
  EXPECT_EQ(file.at("b").bytes.data() + 8, file.at("a").bytes.data());
}

TEST(Safetensors, WriterRefusesTwoTensorsOfOneNameAndWrongSizes) {
  const std::vector<float> w = {1, 2};
  const TensorView good = tensor_view("w", std::span(w), {2});
  const TensorView wrong = tensor_view("v", std::span(w), {3});
  EXPECT_THROW(write_to_memory(std::vector{good, good}), Error);
  EXPECT_THROW(write_to_memory(std::vector{wrong}), Error);
  EXPECT_THROW(write_to_memory(std::vector{tensor_view("__metadata__", std::span(w), {2})}), Error);
  EXPECT_THROW(write_to_memory(std::vector{tensor_view("a\nb", std::span(w), {2})}), Error);
}

TEST(Safetensors, WrongTypeShapeOrNameIsNamed) {
  const std::vector<float> w = {1, 2};
  const auto file = Safetensors::parse(
      write_to_memory(std::vector{tensor_view("w", std::span(w), {2, 1})}), "some.file");
  EXPECT_THROW(file.at("v"), Error);
  EXPECT_THROW(file.at("w").values<double>(), Error);
  EXPECT_THROW(file.at("w", Element::f64, {2, 1}), Error);
  try {
    file.at("w", Element::f32, {1, 2});
    FAIL() << "a transposed shape was accepted";
  } catch (const Error& error) {
    EXPECT_STREQ(error.what(), "some.file: tensor 'w' is f32 2 1, expected f32 1 2");
  }
}

TEST(Safetensors, NonFiniteValuesAreListed) {
  const std::vector<float> w = {1, INFINITY, 2};
  const std::vector<double> v = {NAN};
  const std::vector<bf16> h = {bf16(1.0f), bf16(-INFINITY)};
  const std::vector<TensorView> tensors = {tensor_view("w", std::span(w), {3}),
                                           tensor_view("v", std::span(v), {1}),
                                           tensor_view("h", std::span(h), {2})};
  const auto file = Safetensors::parse(write_to_memory(tensors), "memory");
  EXPECT_EQ(file.non_finite(), (std::vector<std::string>{"h[1]", "v[0]", "w[1]"}));
  EXPECT_EQ(file.non_finite(1).size(), 1u);
}

TEST(Safetensors, PublishedFileIsReadBackAndForeignFileNeedsNoManifest) {
  const TempFolder folder;
  const std::vector<float> w = {1, 2};
  const std::vector<TensorView> tensors = {tensor_view("w", std::span(w), {2})};
  publish(folder.path(), {safetensors_file("model.safetensors", tensors, {{"k", "v"}})});
  EXPECT_EQ(Safetensors::read(folder / "model.safetensors").at("w").values<float>(), w);
  std::filesystem::remove(folder / kManifestName);
  EXPECT_THROW(Safetensors::read(folder / "model.safetensors"), Error);
  EXPECT_EQ(Safetensors::read_foreign(folder / "model.safetensors").at("w").values<float>(), w);
}

TEST(Safetensors, EveryTruncationIsRefused) {
  const std::vector<float> w = {1, 2, 3};
  const auto bytes =
      write_to_memory(std::vector{tensor_view("w", std::span(w), {3})}, {{"a", "b"}});
  for (size_t size = 0; size < bytes.size(); ++size) {
    EXPECT_THROW(Safetensors::parse(
                     {bytes.begin(), bytes.begin() + static_cast<std::ptrdiff_t>(size)}, "cut"),
                 Error)
        << size;
  }
}

constexpr double kRefusalLimit = SV_REFUSAL_MS;  // milliseconds

// Processor time of this thread, so that another process on the machine does not count.
double thread_milliseconds() {
  timespec t{};
  clock_gettime(CLOCK_THREAD_CPUTIME_ID, &t);
  return 1e3 * static_cast<double>(t.tv_sec) + 1e-6 * static_cast<double>(t.tv_nsec);
}

double milliseconds_to_refuse(const std::vector<std::byte>& bytes) {
  const TempFolder folder;
  OutFile out(real_files(), folder / "bomb");
  out.write(bytes);
  out.sync_and_close();
  double best = 1e9;
  for (int repeat = 0; repeat < 3; ++repeat) {
    const double start = thread_milliseconds();
    EXPECT_THROW(Safetensors::read_foreign(folder / "bomb"), Error);
    best = std::min(best, thread_milliseconds() - start);
  }
  return best;
}

TEST(Safetensors, HeaderBombsAreRefusedWithinFiftyMilliseconds) {
  std::string many = "{";
  for (int i = 0; many.size() + 80 < (1u << 20); ++i) {
    many += (i ? ",\"" : "\"") + std::to_string(i) +
            R"(":{"dtype":"F32","shape":[1,1,1],"data_offsets":[0,4]})";
  }
  EXPECT_LT(milliseconds_to_refuse(framed(many + "}", 4)), kRefusalLimit);
  EXPECT_LT(milliseconds_to_refuse(framed("{\"a\":" + std::string(1 << 19, '['), 0)),
            kRefusalLimit);
  EXPECT_LT(milliseconds_to_refuse(framed(std::string(90u << 20, ' '), 0)), kRefusalLimit);
  EXPECT_LT(milliseconds_to_refuse(framed("{\"" + std::string((1u << 20) - 8, 'a') + "\":1}", 0)),
            kRefusalLimit);
  std::string keys = "{\"__metadata__\":{";
  for (int i = 0; keys.size() + 20 < (1u << 20); ++i) {
    keys += (i ? ",\"" : "\"") + std::to_string(i) + "\":\"\"";
  }
  EXPECT_LT(milliseconds_to_refuse(framed(keys + "}}", 0)), kRefusalLimit);
}

// With the safetensors package where it is installed, else with the reader in the script.
TEST(Safetensors, ExampleScriptOpensWeights) {
  if (std::system("/usr/bin/python3 -c 'import numpy' 2> /dev/null") != 0) {
    GTEST_SKIP() << "python3 with numpy is not installed";
  }
  const TempFolder folder;
  const std::vector<float> w = {1, 3};
  const std::vector<bf16> h = {bf16(2.0f), bf16(6.0f)};
  const std::vector<TensorView> tensors = {tensor_view("loop.wq", std::span(w), {1, 2}),
                                           tensor_view("half", std::span(h), {2, 1})};
  publish(folder.path(), {safetensors_file("model.safetensors", tensors, {{"k", "v"}})});
  const std::string command = "/usr/bin/python3 '" + std::string(SV_SOURCE_DIR) +
                              "/data/examples/open_weights.py' '" + (folder / "model.safetensors") +
                              "' > '" + (folder / "out") + "'";
  ASSERT_EQ(std::system(command.c_str()), 0);
  const auto out = read_file(folder / "out", 1 << 16);
  EXPECT_NE(as_text(out).find("loop.wq"), std::string_view::npos);
  EXPECT_NE(as_text(out).find("(1, 2)               std 1\n"), std::string_view::npos)
      << as_text(out);
  EXPECT_NE(as_text(out).find("(2, 1)               std 2\n"), std::string_view::npos)
      << as_text(out);
}

}  // namespace
}  // namespace sv

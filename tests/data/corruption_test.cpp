// Damage of published files: every truncation and thousands of bit flips of a checkpoint and of its
// manifest are reported with file and section; none is silent.
#include <gtest/gtest.h>

#include "core/check.h"
#include "core/rng.h"
#include "data/io/safetensors.h"
#include "data/temp_folder.h"

namespace sv {
namespace {

constexpr const char* kName = "checkpoint-000007.safetensors";

void put_file(const std::string& path, std::span<const std::byte> bytes) {
  OutFile out(real_files(), path);
  out.write(bytes);
  out.sync_and_close();
}

struct Saved {
  Saved(int64_t width) {
    std::vector<float> w(static_cast<size_t>(2 * width * width));
    for (size_t i = 0; i < w.size(); ++i) {
      w[i] = static_cast<float>(Rng(1, 2).uniform(i));
    }
    const std::vector<double> loss = {0.5, 0.25};
    publish(folder.path(),
            {safetensors_file(kName,
                              {tensor_view("loop.wq", std::span<const float>(w), {2, width, width}),
                               tensor_view("loss", std::span(loss), {2})})});
    bytes = read_file(folder / kName, 1 << 20);
    manifest = Manifest::load(folder.path());
  }
  TempFolder folder;
  std::vector<std::byte> bytes;
  Manifest manifest;
};

// What verification says, without going through the file system each time.
std::string report(std::span<const std::byte> bytes, const Manifest& manifest) {
  try {
    verify_published(bytes, *manifest.find(kName), kName);
  } catch (const Error& error) {
    return error.what();
  }
  return {};
}

TEST(Corruption, EveryTruncationOfACheckpointIsReported) {
  const Saved saved(4);
  for (size_t size = 0; size < saved.bytes.size(); ++size) {
    const std::string text = report(std::span(saved.bytes).first(size), saved.manifest);
    EXPECT_NE(text.find(kName), std::string::npos) << size;
  }
  put_file(saved.folder / kName, std::span(saved.bytes).first(saved.bytes.size() - 1));
  EXPECT_THROW(Safetensors::read(saved.folder / kName), Error);
}

TEST(Corruption, TenThousandBitFlipsOfACheckpointAreReportedWithFileAndSection) {
  Saved saved(16);
  const Rng rng(7, stream_of("flips"));
  const auto& sections = saved.manifest.find(kName)->sections;
  for (uint32_t i = 0; i < 10'000; ++i) {
    const uint32_t bit = rng.below(i, static_cast<uint32_t>(8 * saved.bytes.size()));
    saved.bytes[bit / 8] ^= static_cast<std::byte>(1u << bit % 8);
    const std::string text = report(saved.bytes, saved.manifest);
    size_t section = 0;
    for (int64_t end = sections[0].bytes; end <= bit / 8; end += sections[section].bytes) {
      ++section;
    }
    EXPECT_NE(text.find(kName), std::string::npos) << bit;
    EXPECT_NE(text.find("'" + sections[section].name + "'"), std::string::npos)
        << bit << ": " << text;
    saved.bytes[bit / 8] ^= static_cast<std::byte>(1u << bit % 8);
  }
  EXPECT_EQ(report(saved.bytes, saved.manifest), "");
}

TEST(Corruption, DamageOnDiskStopsTheLoad) {
  const Saved saved(4);
  auto bytes = saved.bytes;
  bytes.back() ^= std::byte{1};
  put_file(saved.folder / kName, bytes);
  try {
    Safetensors::read(saved.folder / kName);
    FAIL() << "a damaged checkpoint was loaded";
  } catch (const Error& error) {
    EXPECT_EQ(error.exit, Exit::input);
    EXPECT_NE(std::string(error.what()).find("section 'tensor loop.wq'"), std::string::npos)
        << error.what();
  }
}

TEST(Corruption, EveryTruncationAndEveryBitFlipOfAManifestIsReported) {
  const Saved saved(4);
  std::string text = saved.manifest.text();
  for (size_t size = 0; size < text.size(); ++size) {
    EXPECT_THROW(Manifest::parse(text.substr(0, size), "manifest.jsonl"), Error) << size;
  }
  for (size_t bit = 0; bit < 8 * text.size(); ++bit) {
    text[bit / 8] = static_cast<char>(text[bit / 8] ^ (1 << bit % 8));
    try {
      Manifest::parse(text, "manifest.jsonl");
      ADD_FAILURE() << "bit " << bit;
    } catch (const Error& error) {
      EXPECT_TRUE(std::string_view(error.what()).starts_with("manifest.jsonl")) << error.what();
    }
    text[bit / 8] = static_cast<char>(text[bit / 8] ^ (1 << bit % 8));
  }
  EXPECT_THROW(Manifest::parse(text + "\n", "manifest.jsonl"), Error);
  EXPECT_THROW(Manifest::parse(text + text, "manifest.jsonl"), Error);
}

}  // namespace
}  // namespace sv

// A table of hostile safetensors files: each must be refused with an sv::Error that names the file,
// never loaded, never crash. Well-formed neighbours of the same files must load, so that the table
// cannot pass by refusing all.
#include <gtest/gtest.h>

#include "core/check.h"
#include "data/io/safetensors.h"
#include "data/safetensors_text.h"

namespace sv {
namespace {

struct Hostile {
  std::string what;
  std::vector<std::byte> bytes;
};

const std::string kGood = entry_text("a", "\"F32\"", "[2]", "[0,8]");

std::string object(const std::string& inside) {
  return "{" + inside + "}";
}
std::string object(const std::string& a, const std::string& b) {
  return "{" + a + "," + b + "}";
}

void add_frames(std::vector<Hostile>& out) {
  out.push_back({"empty file", {}});
  out.push_back({"seven bytes", std::vector<std::byte>(7)});
  out.push_back({"size field only", framed("", 0)});
  out.push_back({"header of one byte", framed("{", 0)});
  for (const uint64_t claimed : {uint64_t{0},
                                 uint64_t{1},
                                 uint64_t{1000},
                                 uint64_t{1} << 20,
                                 (uint64_t{1} << 20) + 1,
                                 uint64_t{100'000'000},
                                 uint64_t{100'000'001},
                                 uint64_t{1} << 31,
                                 uint64_t{1} << 32,
                                 uint64_t{1} << 63,
                                 UINT64_MAX - 7,
                                 UINT64_MAX - 8,
                                 UINT64_MAX - 1}) {
    out.push_back({"header claims " + std::to_string(claimed), framed(object(kGood), 8, claimed)});
  }
  out.push_back(
      {"header claims one byte too few", framed(object(kGood), 8, object(kGood).size() - 1)});
  out.push_back(
      {"header claims one byte too many", framed(object(kGood), 8, object(kGood).size() + 1)});
  out.push_back({"one byte of data missing", framed(object(kGood), 7)});
  out.push_back({"one byte of data too many", framed(object(kGood), 9)});
  out.push_back({"no data", framed(object(kGood), 0)});
  out.push_back({"data without tensors", framed("{}", 1)});
  out.push_back({"polyglot: zip magic behind the data", framed(object(kGood), 8 + 4)});
}

void add_syntax(std::vector<Hostile>& out) {
  for (const std::string& text :
       std::vector<std::string>{"[]",
                                "[" + object(kGood) + "]",
                                " " + object(kGood),
                                "\n" + object(kGood),
                                "\xEF\xBB\xBF" + object(kGood),
                                "null",
                                "12",
                                "\"text\"",
                                "{",
                                "}{",
                                "{{}}",
                                object(kGood) + "x",
                                object(kGood) + object(kGood),
                                object(kGood) + std::string(1, '\0'),
                                object(kGood + ","),
                                "{\"a\"}",
                                "{\"a\":}",
                                "{a:1}",
                                "{'a':1}",
                                "{\"a\":1}",
                                "{\"a\":null}",
                                "{\"a\":true}",
                                "{\"a\":\"F32\"}",
                                "{\"a\":[]}",
                                "{\"a\":-1}",
                                "{\"a\":1e999}",
                                "/* c */" + object(kGood),
                                object(kGood + "/* c */"),
                                "{\"\\ud800\":" + kGood.substr(4) + "}",
                                "{\"a\xff\":" + kGood.substr(4) + "}",
                                "{\"a\xc0\xaf\":" + kGood.substr(4) + "}",
                                "{\"a\nb\":" + kGood.substr(4) + "}",
                                "{\"a\\u000ab\":" + kGood.substr(4) + "}",
                                "{\"a\\u0000\":" + kGood.substr(4) + "}",
                                "{\"a\x7f\":" + kGood.substr(4) + "}",
                                "{\"\":" + kGood.substr(4) + "}",
                                "{\"" + std::string(257, 'n') + "\":" + kGood.substr(4) + "}",
                                "{\"a\":" + std::string(20'000, '['),
                                "{\"a\":{\"shape\":" + std::string(20'000, '['),
                                "{\"a\":" + std::string(20'000, '{')}) {
    out.push_back({"syntax: " + text.substr(0, 60), framed(text, 8)});
  }
}

void add_keys(std::vector<Hostile>& out) {
  const std::string d = R"("dtype":"F32")";
  const std::string s = R"("shape":[2])";
  const std::string o = R"("data_offsets":[0,8])";
  for (const std::string& inside : std::vector<std::string>{"",
                                                            d,
                                                            d + "," + s,
                                                            d + "," + o,
                                                            s + "," + o,
                                                            d + "," + s + "," + o + ",\"extra\":1",
                                                            d + "," + s + "," + o + ",\"extra\":{}",
                                                            d + "," + d + "," + s + "," + o,
                                                            d + "," + s + "," + s + "," + o,
                                                            d + "," + s + "," + o + "," + o,
                                                            R"("DTYPE":"F32",)" + s + "," + o}) {
    out.push_back({"keys: " + inside, framed("{\"a\":{" + inside + "}}", 8)});
  }
  out.push_back({"duplicate tensor", framed(object(kGood, kGood), 8)});
  out.push_back({"duplicate tensor of another place",
                 framed(object(kGood, entry_text("a", "\"F32\"", "[2]", "[8,16]")), 16)});
  out.push_back({"duplicate through an escape",
                 framed(object(kGood, entry_text("\\u0061", "\"F32\"", "[2]", "[8,16]")), 16)});
}

void add_values(std::vector<Hostile>& out) {
  for (const std::string dtype : {"\"\"",
                                  "\"f32\"",
                                  "\"F33\"",
                                  "\"F16\"",
                                  "\"F8_E4M3\"",
                                  "\"BOOL\"",
                                  "\"C64\"",
                                  "\"F32 \"",
                                  "\"O\"",
                                  "1",
                                  "null",
                                  "[\"F32\"]",
                                  "{}"}) {
    out.push_back(
        {std::string("dtype ") + dtype, framed(object(entry_text("a", dtype, "[2]", "[0,8]")), 8)});
  }
  for (const std::string shape : {"[3]",
                                  "[1]",
                                  "[]",
                                  "[0]",
                                  "[-2]",
                                  "[2.0]",
                                  "[2e0]",
                                  "[\"2\"]",
                                  "[[2]]",
                                  "[null]",
                                  "2",
                                  "{}",
                                  "\"2\"",
                                  "null",
                                  "[18446744073709551618]",
                                  "[18446744073709551615]",
                                  "[9223372036854775808]",
                                  "[4611686018427387905]",
                                  "[4294967296,4294967296]",
                                  "[4294967296,4294967296,2]",
                                  "[9223372036854775807,2]",
                                  "[2,9223372036854775807]",
                                  "[0,9223372036854775807,9223372036854775807]",
                                  "[1,1,1,1,1,1,1,1,2]",
                                  "[1,1,1,1,1,1,2,2]"}) {
    out.push_back({std::string("shape ") + shape,
                   framed(object(entry_text("a", "\"F32\"", shape, "[0,8]")), 8)});
  }
  for (const std::string offsets : {"[0,7]",
                                    "[0,9]",
                                    "[1,9]",
                                    "[8,0]",
                                    "[8,16]",
                                    "[0]",
                                    "[]",
                                    "[0,8,8]",
                                    "[0,4,8]",
                                    "[-8,0]",
                                    "[-1,7]",
                                    "[0.0,8]",
                                    "[0,\"8\"]",
                                    "8",
                                    "{}",
                                    "null",
                                    "\"0,8\"",
                                    "[18446744073709551608,0]",
                                    "[18446744073709551615,7]",
                                    "[0,18446744073709551616]",
                                    "[9223372036854775808,9223372036854775816]",
                                    "[[0,8]]"}) {
    out.push_back({std::string("offsets ") + offsets,
                   framed(object(entry_text("a", "\"F32\"", "[2]", offsets)), 8)});
  }
}

void add_layouts(std::vector<Hostile>& out) {
  const auto b = [](const std::string& offsets, const std::string& shape = "[2]") {
    return entry_text("b", "\"F32\"", shape, offsets);
  };
  out.push_back({"overlap by four bytes", framed(object(kGood, b("[4,12]")), 12)});
  out.push_back({"two tensors in one place", framed(object(kGood, b("[0,8]")), 8)});
  out.push_back({"hole of four bytes", framed(object(kGood, b("[12,20]")), 20)});
  out.push_back({"hole at the start", framed(object(b("[8,16]")), 16)});
  out.push_back({"inside another", framed(object(kGood, b("[4,8]", "[1]")), 8)});
  out.push_back({"behind the end", framed(object(kGood, b("[8,16]")), 8)});
  out.push_back({"empty tensor behind the end", framed(object(kGood, b("[16,16]", "[0]")), 8)});
  out.push_back({"empty tensor inside another", framed(object(kGood, b("[4,4]", "[0]")), 8)});
}

void add_metadata(std::vector<Hostile>& out) {
  const auto with = [](const std::string& value) {
    return framed(object("\"__metadata__\":" + value, kGood), 8);
  };
  for (const std::string value : {"1",
                                  "null",
                                  "[]",
                                  "\"x\"",
                                  "{\"k\":1}",
                                  "{\"k\":null}",
                                  "{\"k\":[]}",
                                  "{\"k\":{}}",
                                  "{\"k\":\"a\",\"k\":\"b\"}",
                                  "{\"k\":true}"}) {
    out.push_back({std::string("metadata ") + value, with(value)});
  }
  out.push_back(
      {"metadata string too long", with("{\"k\":\"" + std::string((64 << 10) + 1, 'v') + "\"}")});
  out.push_back(
      {"metadata key too long", with("{\"" + std::string((64 << 10) + 1, 'v') + "\":\"\"}")});
  std::string many;
  for (int i = 0; i < 257; ++i) {
    many += (i ? ",\"" : "\"") + std::to_string(i) + "\":\"\"";
  }
  out.push_back({"too much metadata", with(object(many))});
  out.push_back(
      {"metadata twice", framed("{\"__metadata__\":{},\"__metadata__\":{}," + kGood + "}", 8)});
  std::string tensors;
  for (int i = 0; i < 16'385; ++i) {
    tensors += (i ? "," : "") + entry_text(std::to_string(i), "\"U8\"", "[0]", "[0,0]");
  }
  out.push_back({"too many tensors", framed(object(tensors), 0)});
}

std::vector<Hostile> hostile_files() {
  std::vector<Hostile> out;
  add_frames(out);
  add_syntax(out);
  add_keys(out);
  add_values(out);
  add_layouts(out);
  add_metadata(out);
  return out;
}

TEST(SafetensorsHostile, EveryFileOfTheTableIsRefusedByName) {
  const auto files = hostile_files();
  EXPECT_GE(files.size(), 100u);
  for (const Hostile& file : files) {
    try {
      Safetensors::parse(file.bytes, "weights.safetensors");
      ADD_FAILURE() << "accepted: " << file.what;
    } catch (const Error& error) {
      EXPECT_EQ(error.exit, Exit::input) << file.what;
      EXPECT_TRUE(std::string_view(error.what()).starts_with("weights.safetensors"))
          << file.what << ": " << error.what();
      EXPECT_LT(std::string_view(error.what()).size(), 600u) << file.what;
    }
  }
}

TEST(SafetensorsHostile, WellFormedNeighboursLoad) {
  const std::string b = entry_text("b", "\"U8\"", "[0]", "[8,8]");
  const std::string sizes = entry_text("a", "\"F32\"", "[1,1,1,1,1,1,1,2]", "[0,8]");
  const std::string name = "{\"" + std::string(256, 'n') + "\":" + kGood.substr(4) + "}";
  for (const std::string& header :
       {object(kGood),
        object(kGood) + "   ",
        object(kGood, b),
        object(b, kGood),
        object(sizes),
        name,
        "{\"__metadata__\":{}," + kGood + "}",
        "{\"__metadata__\":{\"k\":\"" + std::string(64 << 10, 'v') + "\"}," + kGood + "}"}) {
    EXPECT_NO_THROW(Safetensors::parse(framed(header, 8), "good")) << header.substr(0, 80);
  }
}

TEST(SafetensorsHostile, LimitsCanBeRaisedUpToTheFormatsOwn) {
  const std::string padded = object(kGood) + std::string(2 << 20, ' ');
  EXPECT_THROW(Safetensors::parse(framed(padded, 8), "padded"), Error);
  SafetensorsLimits limits;
  limits.header_bytes = UINT64_MAX;
  EXPECT_NO_THROW(Safetensors::parse(framed(padded, 8), "padded", limits));
  EXPECT_THROW(Safetensors::parse(framed(object(kGood), 8, 100'000'001), "beyond", limits), Error);
}

TEST(SafetensorsHostile, RandomDamageNeverGetsPastTheChecksUnseen) {
  const auto good = framed(object(kGood, entry_text("b", "\"I32\"", "[1,1]", "[8,12]")), 12);
  uint64_t state = 1;
  int accepted = 0;
  for (int i = 0; i < 20'000; ++i) {
    auto bytes = good;
    for (int k = 0; k < 3; ++k) {
      state = state * 6364136223846793005u + 1442695040888963407u;
      bytes[(state >> 33) % bytes.size()] = static_cast<std::byte>(state >> 56);
    }
    try {
      const auto file = Safetensors::parse(bytes, "mutant");
      size_t total = 0;
      for (const TensorView& t : file.tensors()) {
        total += t.bytes.size();
      }
      EXPECT_EQ(total, 12u);
      ++accepted;
    } catch (const Error&) {
    }
  }
  EXPECT_GT(accepted, 0);  // changes of data and of names stay valid
}

}  // namespace
}  // namespace sv

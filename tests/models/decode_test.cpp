// Decoding with kept keys and values against runs over whole sequences.
#include "models/decode.h"

#include <cmath>

#include "kernels/memory/copy.h"
#include "models/model_fixture.h"

namespace sv::models_test {
namespace {

const std::vector<uint64_t> kSeeds = {3, 8};
constexpr int64_t kBatch = 3;

/// Every setting of the fixture that may be decoded, and causal forms of others.
std::vector<Setting> causal_settings() {
  std::vector<Setting> out;
  for (Setting s : all_settings()) {
    const std::string& family = s.model.name;
    const bool grows = family == "looped" || family == "recurrent_depth" || family == "exit_gate" ||
                       family == "feedforward";
    if (grows && s.model.without_injection.empty()) {
      s.model.mask = "causal";
      out.push_back(s);
    }
  }
  return out;
}

/// Logits (M,B,T,V) after the last of `depth` loops, over the whole sequence.
std::vector<double> whole_run(Reasoner& model, const Data& data, const std::string& depth) {
  ModelRun run(model);
  const Tensor y = run.forward(data.inputs(), plan_of(depth)).readouts.back().logits.value();
  std::vector<double> out;
  for (int64_t i = 0; i < y.numel(); ++i) {
    out.push_back(element(y, i));
  }
  return out;
}

/// Tokens [from, to) of all rows.
Buffer window(const Tensor& tokens, int64_t from, int64_t to) {
  Buffer out({tokens.dim(0), tokens.dim(1), to - from}, DType::i32);
  const int64_t T = tokens.dim(2);
  for (int64_t i = 0; i < tokens.dim(0) * tokens.dim(1); ++i) {
    std::copy_n(tokens.as<int32_t>() + i * T + from,
                to - from,
                out.tensor().as<int32_t>() + i * (to - from));
  }
  return out;
}

/// The same logits position by position behind a prompt of `prompt` positions.
std::vector<double> decoded(Decoder& decoder, const Data& data, int64_t prompt) {
  const Inputs in = data.inputs();
  const int64_t T = in.tokens.dim(2);
  std::vector<double> out;
  for (int64_t from = 0, to = prompt; to <= T; from = to++) {
    const Buffer tokens = window(in.tokens, from, to);
    const Tensor y = decoder.next(tokens, in.ids);
    const int64_t V = y.dim(3), count = to - from;
    out.resize(static_cast<size_t>(y.dim(0) * y.dim(1) * T * V));
    for (int64_t i = 0; i < y.dim(0) * y.dim(1); ++i) {
      for (int64_t k = 0; k < count * V; ++k) {
        out[static_cast<size_t>((i * T + from) * V + k)] = element(y, i * count * V + k);
      }
    }
  }
  return out;
}

TEST(Decoding, PerLoopGivesTheLogitsOfTheWholeRun) {
  const Data data(kSeeds, kBatch);
  for (const Setting& s : causal_settings()) {
    for (const DType dtype : {DType::f32, DType::f64}) {
      const auto model = make_model(s.model, kSeeds, dtype);
      const std::vector<double> expected = whole_run(*model, data, "4");
      for (const int64_t prompt : {1, 3}) {
        Decoder decoder(*model, 5, Depth::fixed(4), CachePolicy::parse("per_loop"));
        EXPECT_EQ(decoded(decoder, data, prompt), expected) << s.name << ", prompt " << prompt;
        EXPECT_EQ(decoder.cache().slots(), 4) << s.name;
      }
    }
  }
}

TEST(Decoding, ModelsOfAPackMakeTheirOwnDepths) {
  const Data data(kSeeds, kBatch);
  ModelSettings s = setting("huginn");
  s.mask = "causal";
  const auto pack = make_model(s, kSeeds, DType::f64);
  Decoder decoder(*pack, 5, Depth::parse("poisson:4"), CachePolicy::parse("per_loop"));
  const std::vector<double> got = decoded(decoder, data, 2);
  const size_t half = got.size() / 2;
  std::vector<int> depths;
  for (size_t m = 0; m < 2; ++m) {
    depths.push_back(Depth::parse("poisson:4").draw(kSeeds[m], kEvaluation));
    const std::vector<double> alone = whole_run(*pack, data, std::to_string(depths[m]));
    EXPECT_TRUE(std::equal(got.begin() + static_cast<int64_t>(m * half),
                           got.begin() + static_cast<int64_t>((m + 1) * half),
                           alone.begin() + static_cast<int64_t>(m * half)))
        << "model " << m;
  }
  EXPECT_NE(depths[0], depths[1]) << "this test wants different depths";
}

struct PolicyCase {
  const char* text;
  int slots;  // for 6 loops
};

/// What shared entries promise: so many of them, memory in that proportion, exact prompts, and
/// finite logits that differ from the exact ones; and all are exact where every loop has its own.
TEST(Decoding, SharingPoliciesKeepTheirNumberOfEntries) {
  const Data data(kSeeds, kBatch);
  ModelSettings s = setting("huginn");
  s.mask = "causal";
  s.prelude = 0, s.coda = 0;  // all memory is the loop's
  const auto model = make_model(s, kSeeds, DType::f64);
  const std::vector<double> exact = whole_run(*model, data, "6");
  size_t bytes = 0;  // of one entry
  for (const auto& [text, slots] : {PolicyCase{"last", 1},
                                    PolicyCase{"first", 1},
                                    PolicyCase{"modulo:4", 4},
                                    PolicyCase{"anchor:2", 3},
                                    PolicyCase{"modulo:6", 6},
                                    PolicyCase{"anchor:5", 6},
                                    PolicyCase{"per_loop", 6}}) {
    const CachePolicy policy = CachePolicy::parse(text);
    EXPECT_EQ(policy.text(), text);
    EXPECT_EQ(policy.slots(6), slots) << text;
    Decoder decoder(*model, 5, Depth::fixed(6), policy);
    const std::vector<double> got = decoded(decoder, data, 3);
    EXPECT_EQ(decoder.cache().slots(), slots) << text;
    bytes = bytes == 0 ? decoder.cache().bytes() : bytes;
    EXPECT_EQ(decoder.cache().bytes(), bytes * static_cast<size_t>(slots)) << text;
    const size_t row = 5 * 3;
    double prompt = 0, behind = 0;
    for (size_t i = 0; i < got.size(); ++i) {
      (i % row < 9 ? prompt : behind) += std::abs(got[i] - exact[i]);
    }
    EXPECT_EQ(prompt, 0) << text;
    EXPECT_TRUE(std::isfinite(behind)) << text;
    EXPECT_EQ(behind == 0, slots == 6) << text;
  }
}

TEST(Decoding, AModuloOfOneIsTheLastLoop) {
  const Data data(kSeeds, kBatch);
  ModelSettings s = setting("exit_gate_row");
  const auto model = make_model(s, kSeeds, DType::f64);
  Decoder one(*model, 5, Depth::fixed(4), CachePolicy::parse("modulo:1"));
  Decoder last(*model, 5, Depth::fixed(4), CachePolicy::parse("last"));
  EXPECT_EQ(decoded(one, data, 2), decoded(last, data, 2));
}

TEST(Decoding, GreedyWritingIsTheArgmaxOfWholeRuns) {
  ModelSettings s = setting("exit_gate");
  s.mask = "causal";
  const auto model = make_model(s, kSeeds, DType::f64);
  const Data data(kSeeds, kBatch);
  const Prompts prompts = {5, {1, 2, 3, 0, 0, 3, 0, 0, 0, 0, 2, 2, 1, 0, 0}, {3, 1, 2}, {0, 1, 2}};
  Decoder decoder(*model, 5, Depth::fixed(3), CachePolicy::parse("per_loop"));
  const Continuation got = generate(decoder, prompts, {});
  for (const int32_t n : got.length) {
    EXPECT_EQ(n, 5);
  }
  // Teacher-forced over what was written, every symbol behind the prompt is the likeliest.
  Inputs in;
  Buffer tokens({2, kBatch, 5}, DType::i32);
  std::copy(got.tokens.begin(), got.tokens.end(), tokens.tensor().as<int32_t>());
  in.tokens = tokens;
  in.ids = data.inputs().ids;
  ModelRun run(*model);
  const Tensor y = run.forward(in, plan_of("3")).readouts.back().logits.value();
  for (int64_t i = 0; i < 2 * kBatch; ++i) {
    for (int64_t t = prompts.length[static_cast<size_t>(i % kBatch)]; t < 5; ++t) {
      const double* row = y.as<double>() + (i * 5 + t - 1) * 3;
      EXPECT_EQ(got.tokens[static_cast<size_t>(i * 5 + t)], std::max_element(row, row + 3) - row);
    }
  }
}

TEST(Decoding, DrawnSymbolsDependOnSeedRowAndPositionAlone) {
  ModelSettings s = setting("exit_gate");
  s.mask = "causal";
  const auto pack = make_model(s, kSeeds, DType::f32);
  const auto alone = make_model(s, {8}, DType::f32);
  const Prompts both = {5, {1, 0, 0, 0, 0, 2, 0, 0, 0, 0}, {1, 1}, {4, 9}};
  const Prompts second = {5, {2, 0, 0, 0, 0}, {1}, {9}};
  Decoder a(*pack, 5, Depth::fixed(2), CachePolicy::parse("last"));
  Decoder b(*alone, 5, Depth::fixed(2), CachePolicy::parse("last"));
  const Continuation x = generate(a, both, {2.0, -1}), y = generate(b, second, {2.0, -1});
  EXPECT_TRUE(std::equal(y.tokens.begin(), y.tokens.end(), x.tokens.begin() + 3 * 5));
}

TEST(Decoding, ARowEndsAtTheEndSymbol) {
  ModelSettings s = setting("exit_gate");
  s.mask = "causal";
  const auto model = make_model(s, {3}, DType::f32);
  const Prompts prompts = {5, {1, 0, 0, 0, 0}, {1}, {0}};
  Decoder free(*model, 5, Depth::fixed(2), CachePolicy::parse("per_loop"));
  const Continuation all = generate(free, prompts, {});
  Decoder ended(*model, 5, Depth::fixed(2), CachePolicy::parse("per_loop"));
  const Continuation cut = generate(ended, prompts, {0, all.tokens[1]});
  EXPECT_EQ(cut.length[0], 2);
  EXPECT_EQ(cut.tokens, (std::vector<int32_t>{1, all.tokens[1], 0, 0, 0}));
}

TEST(Decoding, RefusesWhatItCannotDo) {
  const auto bidirectional = make_model(setting("huginn"), {3}, DType::f32);
  EXPECT_THROW(Decoder(*bidirectional, 5, Depth::fixed(2), {}), Error);
  const auto hrm = make_model(setting("hrm"), {3}, DType::f32);
  EXPECT_THROW(Decoder(*hrm, 5, Depth::fixed(2), {}), Error);
  for (const char* text : {"", "modulo", "modulo:0", "modulo:x", "last:2", "anchor:-1", "newest"}) {
    EXPECT_THROW(CachePolicy::parse(text), Error) << text;
  }
  ModelSettings s = setting("exit_gate");
  s.mask = "causal";
  const auto model = make_model(s, {3}, DType::f32);
  Decoder decoder(*model, 5, Depth::fixed(2), {});
  EXPECT_THROW(generate(decoder, {6, {1, 0, 0, 0, 0, 0}, {1}, {0}}, {}), Error);
  EXPECT_THROW(generate(decoder, {5, {1, 0, 0, 0, 0}, {0}, {0}}, {}), Error);
}

}  // namespace
}  // namespace sv::models_test

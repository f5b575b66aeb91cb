// Layouts of published checkpoints: counts at full size, names and shapes, values there and back,
// and what is refused.
#include <algorithm>
#include <filesystem>
#include <limits>

#include "models/layouts/layout.h"
#include "models/model_fixture.h"

namespace sv::models_test {
namespace {

/// Assigns the words "model.key=value ..." of a text.
void assign(ModelSettings& s, const std::string& text) {
  const std::vector<Field> fields = fields_of(s);
  for (size_t begin = 0; begin < text.size();) {
    const size_t end = std::min(text.find(' ', begin), text.size());
    const std::string word = text.substr(begin, end - begin);
    begin = end + 1;
    if (word.starts_with("model.")) {
      const size_t equals = word.find('=');
      const Field* field = find_field(fields, word.substr(6, equals - 6));
      SV_CHECK(field != nullptr, word, ": no such key");
      std::string value = word.substr(equals + 1);
      if (std::holds_alternative<bool*>(field->value) && value.size() == 1) {
        value = value == "1" ? "true" : "false";  // as the references write them
      }
      const auto wrong = assign_text(*field, value);
      SV_CHECK(!wrong, word, ": ", *wrong);
    }
  }
}

/// Settings of a layout's models; `text` over them.
ModelSettings settings_of(const Layout& layout, const std::string& text) {
  const std::string own(layout.settings);
  const std::string family = own.substr(own.find('=') + 1, own.find(' ') - own.find('=') - 1);
  ModelSettings s = family_settings(family);
  assign(s, own + " " + text);
  return s;
}

TaskSpec sudoku() {
  TaskSpec task;
  task.name = "sudoku";
  task.positions = 81;
  task.vocab = 10;
  task.answers = 9;
  return task;
}

constexpr const char* kSudokuSize =
    "model.width=512 model.hidden=1536 model.symbols=11 model.token_shift=1 model.answer_shift=2 ";

/// A model that has names and shapes alone.
std::unique_ptr<Reasoner> outline(const ModelSettings& s, const TaskSpec& task) {
  return make_reasoner({s, task, {0}, DType::f32, nullptr, false});
}

TEST(PublishedSize, CountsAreThoseOfTheAuthors) {
  const auto count = [&](const char* layout, const std::string& text) {
    const auto model = outline(settings_of(find_layout(layout), kSudokuSize + text), sudoku());
    for (const Param& p : model->params()) {
      EXPECT_FALSE(p.value.tensor() || p.grad.tensor()) << p.name << " was allocated";
    }
    return model->params().count();
  };
  EXPECT_EQ(count("hrm", "model.layers=4"), 27'275'266);
  EXPECT_EQ(count("trm", "model.layers=2 model.prefix=16"), 6'828'034);
  EXPECT_EQ(count("trm",
                  "model.layers=2 model.prefix=16 model.mixer=tokens model.positions=none "
                  "model.token_hidden=512"),
            5'028'866);
}

TEST(PublishedSize, LanguageModelsCountWhatTheirShapesAddUpTo) {
  TaskSpec text;
  text.name = "text";
  text.positions = 16;
  text.vocab = text.answers = 256;
  const auto count = [&](const char* layout, const std::string& size) {
    return outline(settings_of(find_layout(layout), size), text)->params().count();
  };
  EXPECT_EQ(
      count("huginn", "model.width=5280 model.heads=55 model.hidden=17920 model.symbols=65536"),
      3'564'976'800);
  const std::string ouro = "model.width=2048 model.heads=16 model.hidden=5632 model.symbols=49152 ";
  EXPECT_EQ(count("ouro", ouro + "model.layers=24"), 1'434'652'673);
  EXPECT_EQ(count("ouro", ouro + "model.layers=48"), 2'667'974'657);
}

/// Small models of every layout.
struct Small {
  std::string layout, text;
};
std::vector<Small> small_models() {
  const std::string tokens = "model.mixer=tokens model.positions=none model.token_hidden=6 ";
  return {
      {"eqr", "model.layers=2"},
      {"hrm", "model.layers=2 model.puzzles=3"},
      {"hrm", "model.positions=learned model.prefix=2"},
      {"huginn", "model.layers=2 model.prelude=1 model.coda=1 model.symbols=7"},
      {"ouro", "model.layers=2 model.symbols=5"},
      {"rsm", tokens + "model.symbols=7 model.token_shift=1"},
      {"trm", "model.layers=2 model.prefix=3 model.puzzles=1"},
      {"trm", tokens + "model.layers=2 model.prefix=2"},
      {"urm", "model.layers=2 model.conv=2 model.prefix=1 model.puzzles=2"},
  };
}

/// The tensors as a file.
Safetensors parsed(const std::vector<HostTensor>& values) {
  std::vector<TensorView> views;
  for (const HostTensor& t : values) {
    views.push_back(t.view());
  }
  struct Sink : ByteSink {
    std::vector<std::byte> bytes;
    void write(std::span<const std::byte> more) override {
      bytes.insert(bytes.end(), more.begin(), more.end());
    }
    void section(const std::string&) override {}
  } sink;
  write_safetensors(sink, views);
  return Safetensors::parse(std::move(sink.bytes), "file");
}

class LayoutOf : public testing::TestWithParam<Small> {
 protected:
  const Layout& layout() const { return find_layout(GetParam().layout); }
  ModelSettings settings() const {
    return settings_of(layout(), "model.width=8 model.heads=2 model.hidden=6 " + GetParam().text);
  }
  std::unique_ptr<Reasoner> model(std::vector<uint64_t> seeds) const {
    auto out = make_reasoner({settings(), tiny_task(), std::move(seeds), DType::f32});
    disturb(out->params());
    return out;
  }
  std::vector<LayoutTensor> tensors(const Reasoner& model) const {
    return layout().tensors(settings(), model.params());
  }
  /// The bytes of a safetensors file of model m with these names.
  Safetensors file(const Reasoner& model, int m, const std::string& prefix = "") const {
    auto values = export_tensors(tensors(model), m, model.params());
    for (HostTensor& t : values) {
      t.name = prefix + t.name;
    }
    return parsed(values);
  }
  std::string refusal(const Safetensors& file) const {
    const auto into = model({1});
    const std::vector<double> before = values_of(into->params(), 0);
    try {
      import_tensors(LayoutFile(file, layout(), "file"), tensors(*into), 0, into->params());
    } catch (const Error& e) {
      EXPECT_EQ(values_of(into->params(), 0), before) << "a refused file changed the model";
      return e.what();
    }
    return "";
  }
};

TEST_P(LayoutOf, ModelsGoThereAndBackAsMembersOfAPack) {
  const auto a = model({3}), b = model({8});
  const auto pack = model({20, 21});
  for (const std::string prefix : {"", "_orig_mod."}) {
    for (const auto* from : {&a, &b}) {
      const Safetensors bytes = file(**from, 0, prefix);
      const LayoutFile published(bytes, layout(), "file");
      import_tensors(published, tensors(*pack), from == &a ? 1 : 0, pack->params());
    }
    EXPECT_EQ(values_of(pack->params(), 1), values_of(a->params(), 0));
    EXPECT_EQ(values_of(pack->params(), 0), values_of(b->params(), 0));
  }
}

TEST_P(LayoutOf, EveryElementOfATensorHasOnePlace) {
  const auto from = model({3});
  for (const LayoutTensor& t : tensors(*from)) {
    if (t.value) {
      EXPECT_TRUE(t.pieces.empty()) << t.name;
      continue;
    }
    int64_t size = 1;
    for (const int64_t n : t.shape) {
      size *= n;
    }
    std::vector<int> times(static_cast<size_t>(size), 0);
    for (const Piece& piece : t.pieces) {
      const Param& p = from->params()[from->params().find(piece.param)];
      for (int64_t i = 0; i < (piece.count < 0 ? p.shape.numel() : piece.count); ++i) {
        ++times.at(static_cast<size_t>(piece.offset + i * piece.stride));
      }
    }
    EXPECT_EQ(std::ranges::count(times, 1), size) << t.name;
  }
}

TEST_P(LayoutOf, ShapesTellTheSettings) {
  const auto from = model({3});
  const Safetensors bytes = file(*from, 0);
  ModelSettings s = settings_of(layout(), "model.heads=2");
  for (const std::string& word :
       layout().told_by(LayoutFile(bytes, layout(), "file").shapes(), tiny_task())) {
    assign(s, word);
  }
  s.token_shift = settings().token_shift;
  s.answer_shift = settings().answer_shift;
  // Attention alone does not tell how many positions stand before the tokens.
  s.prefix = settings().prefix;
  const auto again = make_reasoner({s, tiny_task(), {3}, DType::f32, nullptr, false});
  EXPECT_TRUE(layout().fits(s));
  ASSERT_EQ(again->params().size(), from->params().size());
  for (size_t i = 0; i < from->params().size(); ++i) {
    const auto id = static_cast<ParamId>(i);
    EXPECT_EQ(again->params()[id].name, from->params()[id].name);
    EXPECT_EQ(again->params()[id].shape, from->params()[id].shape) << again->params()[id].name;
  }
}

TEST_P(LayoutOf, WhatIsMissingTooMuchOrOfAnotherShapeIsNamed) {
  const auto from = model({3});
  const std::vector<HostTensor> good = export_tensors(tensors(*from), 0, from->params());
  EXPECT_EQ(refusal(parsed(good)), "");
  for (size_t i = 0; i < good.size(); ++i) {
    std::vector<HostTensor> bad = good;
    bad.erase(bad.begin() + static_cast<std::ptrdiff_t>(i));
    const LayoutTensor t = tensors(*from)[i];
    if (t.repeated || t.value) {
      EXPECT_EQ(refusal(parsed(bad)), "") << t.name << " may be absent";
    } else {
      EXPECT_NE(refusal(parsed(bad)).find("'" + good[i].name + "' is missing"), std::string::npos);
    }
    bad = good;
    bad[i].shape.push_back(1);
    EXPECT_NE(refusal(parsed(bad)).find("'" + good[i].name + "' has shape"), std::string::npos);
    bad = good;
    bad.push_back({good[i].name + "_copy", Element::f32, {1}, std::vector<std::byte>(4)});
    EXPECT_NE(refusal(parsed(bad)).find("holds the tensor '" + good[i].name + "_copy'"),
              std::string::npos);
    bad = good;
    const float nan = std::numeric_limits<float>::quiet_NaN();
    std::memcpy(bad[i].bytes.data(), &nan, sizeof nan);
    EXPECT_NE(refusal(parsed(bad)).find("'" + good[i].name + "' holds a number that is not finite"),
              std::string::npos);
  }
}

INSTANTIATE_TEST_SUITE_P(Published,
                         LayoutOf,
                         testing::ValuesIn(small_models()),
                         [](const auto& tested) {
                           return tested.param.layout + std::to_string(tested.index);
                         });

/// fixtures/layouts/<fixture>.<layout>.safetensors holds the weights of a fixture under the names
/// that the authors' modules give them (tests/reference/recursive.py).
TEST(Layouts, AuthorsFilesHoldTheWeightsOfTheReference) {
  int compared = 0;
  for (const auto& entry : std::filesystem::directory_iterator(SV_REFERENCE_FIXTURES "/layouts")) {
    const std::string stem = entry.path().stem(), fixture = stem.substr(0, stem.find('.'));
    const Layout& layout = find_layout(stem.substr(stem.find('.') + 1));
    const Safetensors reference =
        Safetensors::read_foreign(SV_REFERENCE_FIXTURES "/" + fixture + ".safetensors");
    const std::string& text = reference.metadata().at("settings");
    const std::string family = fixture.substr(0, fixture.rfind('_'));
    ModelSettings s = family_settings(family);
    assign(s, text);
    const auto model = make_reasoner({s, tiny_task(), {1}, DType::f32});
    const Safetensors theirs = Safetensors::read_foreign(entry.path());
    import_tensors(
        LayoutFile(theirs, layout, stem), layout.tensors(s, model->params()), 0, model->params());
    for (const Param& p : model->params()) {
      const std::vector<float> want = reference.at("param." + p.name).values<float>();
      const Tensor got = p.value;
      ASSERT_EQ(got.numel(), std::ssize(want)) << p.name;
      EXPECT_EQ(std::memcmp(got.data, want.data(), got.bytes()), 0) << stem << ": " << p.name;
    }
    ++compared;
  }
  EXPECT_GE(compared, 9);
}

TEST(Layouts, ATableOfAnglesMustBeThatOfTheSettings) {
  const Layout& huginn = find_layout("huginn");
  ModelSettings s =
      settings_of(huginn, "model.width=8 model.heads=2 model.hidden=6 model.layers=1");
  const auto model = make_reasoner({s, tiny_task(), {1}, DType::f32});
  const Safetensors file =
      parsed(export_tensors(huginn.tensors(s, model->params()), 0, model->params()));
  const LayoutFile published(file, huginn, "file");
  import_tensors(published, huginn.tensors(s, model->params()), 0, model->params());
  s.rope_base = 10000;
  try {
    import_tensors(published, huginn.tensors(s, model->params()), 0, model->params());
    FAIL();
  } catch (const Error& e) {
    EXPECT_NE(std::string(e.what()).find("'freqs_cis' holds"), std::string::npos) << e.what();
  }
}

TEST(Layouts, AnUnknownNameIsAnsweredWithTheNearest) {
  try {
    find_layout("tmr");
    FAIL();
  } catch (const Error& e) {
    EXPECT_NE(std::string(e.what()).find("trm"), std::string::npos) << e.what();
  }
}

TEST(Layouts, ARepeatedTensorMustHoldTheSameValues) {
  const Layout& rsm = find_layout("rsm");
  const ModelSettings s =
      settings_of(rsm,
                  "model.width=8 model.heads=2 model.hidden=6 model.symbols=7 model.mixer=tokens "
                  "model.positions=none model.token_hidden=6");
  const auto model = make_reasoner({s, tiny_task(), {1}, DType::f32});
  const auto tensors = rsm.tensors(s, model->params());
  std::vector<HostTensor> values = export_tensors(tensors, 0, model->params());
  const auto head = std::ranges::find(values, "lm_head.weight", &HostTensor::name);
  ASSERT_NE(head, values.end());
  const float other = 5;
  std::memcpy(head->bytes.data(), &other, sizeof other);
  const auto refused = [&] {
    const Safetensors file = parsed(values);
    try {
      import_tensors(LayoutFile(file, rsm, "file"), tensors, 0, model->params());
    } catch (const Error& e) {
      return std::string(e.what());
    }
    return std::string();
  };
  EXPECT_NE(refused().find("'lm_head.weight' is another name of embed.tokens"), std::string::npos);
  values.erase(head);
  EXPECT_EQ(refused(), "") << "it may be absent";
}

}  // namespace
}  // namespace sv::models_test

// Every fixture of tests/reference/fixtures: the C++ model against an independent PyTorch
// implementation written from the family's formulas. What is in a fixture:
// tests/reference/reference.py.
#include <algorithm>
#include <cmath>
#include <filesystem>
#include <sstream>

#include "data/io/safetensors.h"
#include "kernels/memory/copy.h"
#include "models/model_fixture.h"
#include "models/train/trainer.h"

namespace sv::models_test {
namespace {

constexpr uint64_t kSeed = 11;
constexpr int kExamples = 64;

/// The settings of a fixture, with the keys of a run's spec.
struct ReferenceSpec {
  ModelSettings model;
  TrainSettings train;
  DepthSettings depth;
  HaltSettings halt;

  template <class V>
  void fields(V& v) {
    v.group("model", model);
    v.group("train", train);
    v.group("depth", depth);
    v.group("halt", halt);
  }
};

struct TaskSizes {
  int positions = 0, vocab = 0, answers = 0;
  bool causal = false, padded = false;

  template <class V>
  void fields(V& v) {
    v("positions", positions, "T");
    v("vocab", vocab, "input symbols");
    v("answers", answers, "V");
    v("causal", causal, "suggested mask");
    v("padded", padded, "rows are of different length");
  }
};

/// Assigns "key=value key=value ..."; an unknown key or a wrong value throws.
template <class S>
void assign(S& settings, const std::string& text) {
  const std::vector<Field> fields = fields_of(settings);
  std::istringstream words(text);
  for (std::string word; words >> word;) {
    const size_t equals = word.find('=');
    const Field* field = find_field(fields, word.substr(0, equals));
    SV_CHECK(field != nullptr, word, ": no such key");
    // Python writes truth values as 0 and 1.
    const bool truth = std::holds_alternative<bool*>(field->value);
    const std::string value = word.substr(equals + 1);
    const auto wrong = assign_text(*field, truth ? (value == "1" ? "true" : "false") : value);
    SV_CHECK(!wrong, word, ": ", *wrong);
  }
}

/// 32 well-mixed bits of two integers, as in reference.py.
uint32_t mixed(uint32_t example, uint32_t position) {
  uint32_t x = example * 0x9E3779B1u + position * 0x85EBCA77u + 1;
  x = (x ^ (x >> 15)) * 0x2C1B3C6Du;
  x = (x ^ (x >> 12)) * 0x297A2D39u;
  return x ^ (x >> 15);
}

/// The examples of reference.py: symbols by a formula; the answer is the sum of a symbol and the
/// one before it; one position in four is not scored.
class FormulaTask : public Task {
 public:
  explicit FormulaTask(const TaskSizes& sizes) : padded_(sizes.padded) {
    spec_.name = "formula";
    spec_.positions = sizes.positions;
    spec_.vocab = sizes.vocab;
    spec_.answers = sizes.answers;
    spec_.causal = sizes.causal;
  }
  const TaskSpec& spec() const override { return spec_; }
  std::string token_text(int id) const override { return std::to_string(id); }
  Example example(Split, uint64_t, uint64_t index) const override {
    Example e;
    const int i = static_cast<int>(index);
    e.length = spec_.positions - (padded_ ? i % 3 : 0);
    e.canonical = std::to_string(index);
    for (int t = 0; t < spec_.positions; ++t) {
      const bool used = t < e.length;
      const uint32_t bits = mixed(static_cast<uint32_t>(i), static_cast<uint32_t>(t));
      e.tokens.push_back(used ? static_cast<int>(bits % static_cast<uint32_t>(spec_.vocab)) : 0);
      const int before = e.tokens[static_cast<size_t>(std::max(t - 1, 0))];
      e.targets.push_back(used && (i + t) % 4 != 3 ? (e.tokens.back() + before) % spec_.answers
                                                   : -1);
    }
    return e;
  }

 private:
  TaskSpec spec_;
  bool padded_;
};

std::vector<double> numbers(const TensorView& x) {
  if (x.type == Element::f64) {
    return x.values<double>();
  }
  const std::vector<float> values = x.values<float>();
  return {values.begin(), values.end()};
}

std::vector<double> numbers(const Tensor& x) {
  std::vector<double> out(static_cast<size_t>(x.numel()));
  for (size_t i = 0; i < out.size(); ++i) {
    out[i] = element(x, static_cast<int64_t>(i));
  }
  return out;
}

/// ||a - b|| / ||b||, in which a `floor` counts as the least norm.
double relative(const std::vector<double>& a, const std::vector<double>& b, double floor = 1e-30) {
  SV_CHECK(a.size() == b.size(), a.size(), " numbers, the reference has ", b.size());
  double difference = 0, norm = 0;
  for (size_t i = 0; i < a.size(); ++i) {
    difference += (a[i] - b[i]) * (a[i] - b[i]);
    norm += b[i] * b[i];
  }
  return std::sqrt(difference) / std::max(std::sqrt(norm), floor);
}

/// A fixture and the model it describes, with its weights.
class Subject {
 public:
  Subject(const std::string& path, DType dtype) : file_(Safetensors::read_foreign(path)) {
    ReferenceSpec given;
    assign(given, file_.metadata().at("settings"));
    spec_.model = family_settings(given.model.name);
    assign(spec_, file_.metadata().at("settings"));
    TaskSizes sizes;
    assign(sizes, file_.metadata().at("task"));
    task_ = std::make_shared<FormulaTask>(sizes);
    data_ = std::make_unique<Dataset>(task_, Split::train, 0, kExamples);
    model_ = make_reasoner({spec_.model, task_->spec(), {kSeed}, dtype});
    load();
  }

  const Safetensors& file() const { return file_; }
  const ReferenceSpec& spec() const { return spec_; }
  const Dataset& data() const { return *data_; }
  Reasoner& model() { return *model_; }

 private:
  void load() {
    size_t known = 0;
    for (Param& p : model_->params()) {
      const std::vector<double> values = numbers(file_.at("param." + p.name));
      const Tensor& to = p.value;
      SV_CHECK(static_cast<int64_t>(values.size()) == to.numel(),
               p.name,
               " has shape ",
               to.shape,
               ", the reference ",
               values.size(),
               " numbers");
      with_float(to.dtype, [&]<class T>() { std::copy(values.begin(), values.end(), to.as<T>()); });
      ++known;
    }
    for (const TensorView& t : file_.tensors()) {
      known -= t.name.starts_with("param.") ? 1 : 0;
    }
    SV_CHECK(known == 0, "the reference has parameters that the model has not");
  }

  Safetensors file_;
  ReferenceSpec spec_;
  std::shared_ptr<FormulaTask> task_;
  std::unique_ptr<Dataset> data_;
  std::unique_ptr<Reasoner> model_;
};

std::vector<std::string> fixtures() {
  std::vector<std::string> out;
  for (const auto& entry : std::filesystem::directory_iterator(SV_REFERENCE_FIXTURES)) {
    if (entry.path().extension() == ".safetensors") {
      out.push_back(entry.path().stem());
    }
  }
  std::sort(out.begin(), out.end());
  return out;
}

class Reference : public testing::TestWithParam<std::tuple<std::string, DType>> {
 protected:
  Reference()
      : subject_(std::string(SV_REFERENCE_FIXTURES "/") + std::get<0>(GetParam()) + ".safetensors",
                 std::get<1>(GetParam())) {
    subject_.data().draw({{kSeed}}, 0, subject_.spec().train.batch, batch_);
    const std::vector<int32_t> tokens = file().at("tokens").values<int32_t>();
    EXPECT_EQ(batch_.tokens, tokens) << "the reference read other examples";
  }
  bool exact() const { return std::get<1>(GetParam()) == DType::f64; }
  const Safetensors& file() const { return subject_.file(); }
  /// The updates that the reference reads out, ascending.
  std::vector<int> updates() const {
    std::vector<int> out;
    for (const TensorView& t : file().tensors()) {
      if (t.name.starts_with("logits.")) {
        out.push_back(std::stoi(t.name.substr(7)));
      }
    }
    std::sort(out.begin(), out.end());
    return out;
  }
  Plan plan() {
    const std::vector<int> at = updates();
    Plan plan;
    plan.step = 0;  // what is random about the reference's rows is that of the first training step
    plan.depth = Depth::fixed(at.back() / subject_.model().schedule().period());
    plan.save.readouts = SaveAt::Readouts::list;
    plan.save.readout_list = at;
    return plan;
  }
  /// Padded positions do not count; the reference has zeros there.
  void compare(const Tensor& got, const std::string& name) {
    std::vector<double> values = numbers(got);
    if (got.shape.rank() > 2) {  // (M,B,T) or (M,B,T,V)
      const auto positions = static_cast<size_t>(got.dim(2));
      const size_t inner = values.size() / batch_.lengths.size() / positions;
      for (size_t i = 0; i < values.size(); ++i) {
        const size_t row = i / inner / positions, t = i / inner % positions;
        values[i] = static_cast<int>(t) < batch_.lengths[row] ? values[i] : 0;
      }
    }
    EXPECT_LE(relative(values, numbers(file().at(name))), exact() ? 1e-9 : 1e-4) << name;
  }

  Subject subject_;
  Batch batch_;
  Arena arena_;
};

TEST_P(Reference, ReadoutsAndHaltingScoresAgree) {
  Tape tape({&arena_, 1, {}}, false);
  Trajectory out;
  unroll(subject_.model(), load_inputs(tape.ctx, batch_), plan(), tape, out);
  ASSERT_EQ(out.readouts.size(), updates().size());
  for (const Readout& y : out.readouts) {
    compare(y.logits.value(), "logits." + std::to_string(y.r));
    const std::string halt = "halt." + std::to_string(y.r);
    if (file().find(halt) != nullptr) {
      ASSERT_TRUE(y.halt) << halt;
      compare(y.halt.value(), halt);
    }
  }
}

TEST_P(Reference, RowsHaltAtTheSameUpdates) {
  if (file().find("steps") == nullptr) {
    return;  // this reference has no halting rule
  }
  Plan halting = plan();
  halting.halt = make_halt(subject_.spec().halt);
  ASSERT_NE(halting.halt.kind, Halt::Kind::none);
  Tape tape({&arena_, 1, {}}, false);
  Trajectory out;
  unroll(subject_.model(), load_inputs(tape.ctx, batch_), halting, tape, out);
  EXPECT_EQ(out.steps, file().at("steps").values<int32_t>());
}

/// Through the trainer: drawn batch, unroll, objective, backward, optimiser.
TEST_P(Reference, GradientsAndLossesOfTrainingAgree) {
  const ReferenceSpec& spec = subject_.spec();
  Trainer trainer(subject_.model(), subject_.data(), spec.train, Depth::parse(spec.depth.train), 1);
  const std::vector<double> losses = numbers(file().at("losses"));
  double largest = 0;
  for (size_t step = 0; step < losses.size(); ++step) {
    ASSERT_TRUE(trainer.step(static_cast<int64_t>(step)).empty()) << "not finite at " << step;
    const double loss = trainer.stats().loss[0];
    largest = std::max(largest, std::abs(loss - losses[step]) / std::abs(losses[step]));
    if (step > 0) {
      continue;
    }
    double norm = 0;
    for (const Param& p : subject_.model().params()) {
      for (const double g : numbers(file().at("grad." + p.name))) {
        norm += g * g;
      }
    }
    for (const Param& p : subject_.model().params()) {
      // A gradient that is a rounding error of the whole is compared with the whole.
      EXPECT_LE(
          relative(numbers(p.grad), numbers(file().at("grad." + p.name)), 1e-4 * std::sqrt(norm)),
          exact() ? 1e-7 : 1e-3)
          << p.name;
    }
  }
  EXPECT_LE(largest, exact() ? 1e-6 : 1e-2) << "relative difference of a loss";
}

INSTANTIATE_TEST_SUITE_P(Families,
                         Reference,
                         testing::Combine(testing::ValuesIn(fixtures()),
                                          testing::Values(DType::f32, DType::f64)),
                         [](const auto& tested) {
                           std::string name = std::get<0>(tested.param);
                           std::erase(name, '_');
                           return name +
                                  (std::get<1>(tested.param) == DType::f64 ? "Double" : "Single");
                         });

}  // namespace
}  // namespace sv::models_test

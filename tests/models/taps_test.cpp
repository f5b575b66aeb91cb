// What a tap may ask for and what happens when it misses: errors that name the tap and the nearest
// site, never silence.
#include "models/model_fixture.h"

namespace sv::models_test {
namespace {

const std::vector<uint64_t> kSeeds = {3, 7, 8};
constexpr int kBatch = 4;

class TapErrors : public testing::Test {
 protected:
  /// The message of a run with one tap; empty if it ran.
  std::string message(const Tap& tap, const Plan& base = plan_of("3")) {
    Plan plan = base;
    Taps taps = {tap};
    plan.taps = &taps;
    ModelRun run(*model_);
    try {
      run.forward(data_.inputs(), plan);
      return "";
    } catch (const Error& e) {
      EXPECT_EQ(e.exit, Exit::input);
      return e.what();
    }
  }
  static Tap read(const std::string& pattern) {
    Tap tap;
    tap.pattern = pattern;
    tap.action = [](const TapEvent&) {};
    return tap;
  }
  static Tap write(const std::string& pattern) {
    Tap tap = read(pattern);
    tap.kind = Tap::Kind::add;
    return tap;
  }

  std::unique_ptr<Reasoner> model_ = make_model(setting("halt_head"), kSeeds, DType::f32);
  Data data_{kSeeds, kBatch};
};

void expect_in(const std::string& text, const std::vector<std::string>& pieces) {
  for (const std::string& piece : pieces) {
    EXPECT_NE(text.find(piece), std::string::npos) << "'" << piece << "' is not in: " << text;
  }
}

TEST_F(TapErrors, AnUnknownAddressNamesTheNearest) {
  expect_in(message(read("loop.2.block.0.resid_ot")),
            {"loop.2.block.0.resid_ot", "nearest is 'loop.*.block.0.resid_out'"});
  expect_in(message(read("encode.encodedd")), {"encode.encodedd", "'encode.encoded'"});
  expect_in(message(read("readout.3.logit")), {"readout.3.logit", "'readout.*.logits'"});
  expect_in(message(read("loop.3.state_out:z")), {"loop.3.state_out:z", "'loop.*.state_out:h'"});
}

TEST_F(TapErrors, ABlockOrAPhaseThatTheModelLacksIsNamed) {
  expect_in(message(read("loop.*.block.1.q")), {"loop.*.block.1.q", "'loop.*.block.0.q'"});
  expect_in(message(read("encode.block.*.q")), {"encode.block.*.q", "matches no site"});
  expect_in(message(read("readout.*.block.*.*")), {"readout.*.block.*.*", "matches no site"});
}

TEST_F(TapErrors, TextThatIsNoAddressIsRefused) {
  for (const char* text :
       {"", "loop", "loop.3", "loop.3.block", "loop.3.block.0", "loop.3.state_out.more"}) {
    expect_in(message(read(text)), {std::string("tap '") + text + "'"});
  }
  for (const char* text : {"loop.x.state_out", "loop.1..y.state_out", "loop.3.block.z.q"}) {
    expect_in(message(read(text)), {text});
  }
  expect_in(message(read("loop.rond=1.state_out")), {"no index 'rond'"});
}

TEST_F(TapErrors, AnUpdateBeyondTheDepthIsRefused) {
  expect_in(message(read("loop.4.state_out")), {"loop.4.state_out", "updates 1..3"});
  expect_in(message(read("loop.0.state_out")), {"loop.0.state_out", "updates 1..3"});
  EXPECT_EQ(message(read("loop.3..9.state_out")), "");
}

TEST_F(TapErrors, AnUpdateBeforeTheStartIsRefused) {
  ModelRun first(*model_);
  Plan save = plan_of("2");
  const Start start{2, {first.forward(data_.inputs(), save).final[0].value()}};
  Plan rest = plan_of("4");
  rest.start = &start;
  expect_in(message(read("loop.2.state_out"), rest), {"updates 3..4"});
  EXPECT_EQ(message(read("loop.3.state_out"), rest), "");
}

TEST_F(TapErrors, AReadoutThatIsNeverMadeNeverFires) {
  expect_in(message(read("readout.2.logits")), {"readout.2.logits", "never fired"});
  expect_in(message(read("loop.2.halt")), {"loop.2.halt", "never fired"});
  EXPECT_EQ(message(read("readout.2.logits"), plan_of("3", SaveAt::Readouts::every)), "");
}

TEST_F(TapErrors, ASelectionOutsideTheTensorIsRefused) {
  Tap tap = read("loop.1.state_out");
  tap.select.models = {3};
  expect_in(message(tap), {"model 3", "0..2"});
  tap.select = {};
  tap.select.items = {4};
  expect_in(message(tap), {"item 4", "0..3"});
  tap.select = {};
  tap.select.positions = {5};
  expect_in(message(tap), {"position 5", "0..4"});
  tap.select.positions = {4};
  EXPECT_EQ(message(tap), "");
}

/// A plan under which some row stops before update 12.
Plan halting_plan() {
  Plan plan = plan_of("30");
  plan.halt = {Halt::Kind::change, 0.05, 1};
  return plan;
}

TEST_F(TapErrors, AWriteBehindAHaltIsAnErrorUnlessTolerated) {
  ModelRun run(*model_);
  const Trajectory& out = run.forward(data_.inputs(), halting_plan());
  const int first = *std::min_element(out.steps.begin(), out.steps.end());
  const int last = *std::max_element(out.steps.begin(), out.steps.end());
  ASSERT_LT(first, last);
  const std::string at = "loop." + std::to_string(last) + ".state_out";
  Tap tap = write(at);
  expect_in(message(tap, halting_plan()), {at, "not reached"});
  tap.tolerate_unreached = true;
  EXPECT_EQ(message(tap, halting_plan()), "");
  EXPECT_EQ(message(read(at), halting_plan()), "") << "reads need no toleration";
  EXPECT_EQ(message(write("loop.1.state_out"), halting_plan()), "");
}

TEST_F(TapErrors, AWriteBehindTheDepthOfAModelIsAnErrorToo) {
  Plan plan = plan_of("1..6");
  expect_in(message(write("loop.*.state_out"), plan), {"not reached"});
}

/// Some models of the pack run: firings are expected of those alone.
TEST_F(TapErrors, ARunOfSomeModelsCountsThoseAlone) {
  const std::vector<int> some = {1};
  for (const char* pattern : {"encode.encoded", "loop.*.block.0.v", "readout.*.logits"}) {
    Taps taps = {write(pattern)};
    Plan plan = plan_of("3");
    plan.taps = &taps;
    Arena arena;
    Tape tape({&arena, 1, some}, false);
    Trajectory out;
    EXPECT_NO_THROW(unroll(*model_, data_.inputs(), plan, tape, out)) << pattern;
  }
}

TEST(Addresses, NestedIndicesNameUpdates) {
  const auto model = make_two_level(kSeeds, DType::f32);
  const Data data(kSeeds, kBatch);
  const auto updates_of = [&](const std::string& pattern) {
    std::vector<int> seen;
    Taps taps(1);
    taps[0].pattern = pattern;
    taps[0].action = [&](const TapEvent& e) { seen.push_back(e.site.r); };
    Plan plan = plan_of("3");
    plan.taps = &taps;
    ModelRun run(*model);
    run.forward(data.inputs(), plan);
    return seen;
  };
  EXPECT_EQ(updates_of("loop.round=2,inner=*.state_out:z_L"), (std::vector<int>{4, 5}));
  EXPECT_EQ(updates_of("loop.round=*,inner=1.state_out"), (std::vector<int>{2, 5, 8}));
  EXPECT_EQ(updates_of("loop.round=2..3.state_out:z_H"), (std::vector<int>{6, 9}));
  EXPECT_EQ(updates_of("loop.*.state_in:z_H"), (std::vector<int>{3, 6, 9}));
  EXPECT_EQ(updates_of("loop.1,4..5,8.state_out"), (std::vector<int>{1, 4, 5, 8}));
}

}  // namespace
}  // namespace sv::models_test

// The queue: rows that wait take the places of rows that stop, and nothing else changes.
#include "models/queue.h"

#include <algorithm>
#include <mutex>
#include <numeric>

#include "models/groups.h"
#include "models/model_fixture.h"

namespace sv::models_test {
namespace {

const std::vector<uint64_t> kSeeds = {3, 7, 8};
constexpr int kRows = 11;

/// What every row of every model leaves, by (m, row).
struct Left {
  std::vector<int> steps, chosen;
  std::vector<std::vector<std::byte>> logits;
  bool operator==(const Left&) const = default;
};

Left empty_left(int models, int rows) {
  const auto cells = static_cast<size_t>(models * rows);
  return {
      std::vector<int>(cells), std::vector<int>(cells), std::vector<std::vector<std::byte>>(cells)};
}

std::vector<std::byte> row_bytes(const Tensor& x, size_t cell, size_t cells) {
  const std::vector<std::byte> all = bytes_of(x);
  const size_t size = all.size() / cells;
  return {all.begin() + static_cast<std::ptrdiff_t>(cell * size),
          all.begin() + static_cast<std::ptrdiff_t>((cell + 1) * size)};
}

/// All rows in one batch, each model's own.
Left at_once(Reasoner& model, const Inputs& in, const Plan& plan) {
  ModelRun run(model);
  const Trajectory& out = run.forward(in, plan);
  Left left{out.steps, out.chosen, {}};
  for (size_t cell = 0; cell < out.steps.size(); ++cell) {
    left.logits.push_back(row_bytes(out.exit_logits, cell, out.steps.size()));
  }
  return left;
}

/// Collects what leaves a queue.
Queue::OnExit keep_in(Left& left, int rows) {
  return [&left, rows](const Context&, const Exits& exits) {
    for (size_t i = 0; i < exits.rows.size(); ++i) {
      const auto cell = static_cast<size_t>(exits.model * rows + exits.rows[i]);
      EXPECT_EQ(left.steps[cell], 0) << "row " << exits.rows[i] << " left twice";
      left.steps[cell] = exits.steps[i];
      left.chosen[cell] = exits.chosen[i];
      left.logits[cell] = row_bytes(exits.logits, i, exits.rows.size());
    }
  };
}

struct Work {
  int64_t row_updates = 0;
  int updates = 0, runs = 0;
};

/// Runs until nothing waits: each model alone, or the whole pack.
Work drain(Reasoner& model, const Inputs& in, Plan plan, Queue& queue, bool whole_pack) {
  Work work;
  plan.queue = &queue;
  for (int m = 0; m < (whole_pack ? 1 : model.models()); ++m) {
    while (queue.waiting(m)) {
      plan.members = whole_pack ? Members{} : Members{m, 1, 0};
      ModelRun run(model);
      const Trajectory& out =
          run.forward(whole_pack ? in : slice(in, m, {0, static_cast<int>(in.batch())}), plan);
      work.row_updates += out.row_updates;
      work.updates += out.updates_run;
      ++work.runs;
    }
  }
  return work;
}

/// Rows stop all over 1..6 periods.
const std::vector<int> kPeriods = {3, 1, 6, 2, 5, 1, 4, 6, 2, 1, 3};

Plan plan_with(const Halt& halt, const std::string& depth = "6") {
  Plan plan = plan_of(depth);
  plan.halt = halt;
  plan.periods = &kPeriods;
  return plan;
}

struct QueueCase {
  std::string name;
  std::unique_ptr<Reasoner> (*make)(const std::string& name);
};
void PrintTo(const QueueCase& c, std::ostream* to) {
  *to << c.name;
}

class EveryModel : public testing::TestWithParam<QueueCase> {};

TEST_P(EveryModel, LeavesTheBitsOfOneBatch) {
  using Kind = Halt::Kind;
  const auto model = GetParam().make(GetParam().name);
  const Data data(kSeeds, kRows, true);
  ModelRun probe(*model);
  const bool scores =
      static_cast<bool>(probe.forward(data.inputs(), plan_of("1")).readouts.at(0).halt);
  std::vector<Halt> rules = {{Kind::oracle},
                             {Kind::oracle, 0, 2, 2},
                             {Kind::change, 0.3},
                             {Kind::divergence, 1e-2},
                             {Kind::entropy, 1e-2, 2},
                             {Kind::patience, 2},
                             {Kind::confident}};
  if (scores) {
    rules.insert(rules.end(), {{Kind::sample}, {Kind::cdf, 0.3}, {Kind::learned, -2.5}});
  }
  for (const Halt& rule : rules) {
    SCOPED_TRACE(static_cast<int>(rule.kind));
    const Plan plan = plan_with(rule);
    const Left want = at_once(*model, data.inputs(), plan);
    for (const bool whole_pack : {false, true}) {
      Left got = empty_left(3, kRows);
      Queue queue(3, kRows, 3, keep_in(got, kRows));
      const Work work = drain(*model, data.inputs(), plan, queue, whole_pack);
      EXPECT_TRUE(got == want) << (whole_pack ? "whole pack" : "each model alone");
      const auto made = std::accumulate(want.steps.begin(), want.steps.end(), int64_t{0});
      if (model->schedule().stationary()) {
        EXPECT_EQ(work.row_updates, made) << "rows of a refilled batch all run";
        EXPECT_EQ(work.runs, whole_pack ? 1 : 3);
      } else {
        EXPECT_GE(work.row_updates, made);
        EXPECT_EQ(work.runs, whole_pack ? 4 : 12);
      }
    }
  }
}

std::vector<QueueCase> queue_cases() {
  std::vector<QueueCase> out;
  for (const Setting& s : all_settings()) {
    out.push_back({s.name, [](const std::string& name) {
                     return make_model(setting(name), kSeeds, DType::f32);
                   }});
  }
  out.push_back(
      {"two_level", [](const std::string&) { return make_two_level(kSeeds, DType::f32); }});
  out.push_back(
      {"by_token", [](const std::string&) { return make_two_level(kSeeds, DType::f32, true); }});
  return out;
}
INSTANTIATE_TEST_SUITE_P(Queue,
                         EveryModel,
                         testing::ValuesIn(queue_cases()),
                         [](const auto& tested) { return tested.param.name; });

/// The mean decides, not the largest: three places make little more than a third of the sum.
TEST(QueueOfOneModel, TakesTheTimeOfTheMean) {
  const auto model = make_model(setting("add"), {3}, DType::f32);
  const Data data({3}, 60);
  std::vector<int> periods;
  for (int i = 0; i < 60; ++i) {
    periods.push_back(1 + i * 7 % 20);
  }
  Plan plan = plan_with({Halt::Kind::oracle}, "20");
  plan.periods = &periods;
  Left got = empty_left(1, 60);
  Queue queue(1, 60, 3, keep_in(got, 60));
  const Work work = drain(*model, data.inputs(), plan, queue, false);
  const int sum = std::accumulate(periods.begin(), periods.end(), 0);
  EXPECT_EQ(work.row_updates, sum);
  EXPECT_LE(work.updates, sum / 3 + 20);
}

TEST(QueueOfOneModel, ServesThreadsToTheSameBits) {
  const auto model = make_model(setting("halt_head"), {3}, DType::f32);
  constexpr int kMany = 40;
  const Data data({3}, kMany, true);
  Plan plan = plan_with({Halt::Kind::sample}, "30");
  const Left want = at_once(*model, data.inputs(), plan);
  for (const int threads : {1, 2, 4}) {
    Left got = empty_left(1, kMany);
    std::mutex mutex;
    const Queue::OnExit keep = keep_in(got, kMany);
    Queue queue(1, kMany, 4, [&](const Context& ctx, const Exits& exits) {
      const std::lock_guard<std::mutex> lock(mutex);
      keep(ctx, exits);
    });
    run_tasks(
        threads, threads, [&](int64_t, int) { drain(*model, data.inputs(), plan, queue, false); });
    EXPECT_TRUE(got == want) << threads << " threads";
  }
}

TEST(QueueOfOneModel, NeedsNoMoreMemoryForMoreRows) {
  const auto model = make_model(setting("halt_head"), {3}, DType::f32);
  std::vector<size_t> reserved;
  for (const int rows : {50, 5000}) {
    const Data data({3}, rows);
    int left = 0;
    Queue queue(1, rows, 4, [&](const Context&, const Exits& exits) {
      left += static_cast<int>(exits.rows.size());
    });
    Plan plan = plan_with({Halt::Kind::sample}, "40");
    plan.queue = &queue;
    ModelRun run(*model);
    run.forward(data.inputs(), plan);
    EXPECT_EQ(left, rows);
    reserved.push_back(run.arena().reserved());
  }
  EXPECT_EQ(reserved[0], reserved[1]);
}

TEST(Stationary, IsWhatDependsOnTheUpdateByItsDrawsAlone) {
  const auto stationary = [](const char* name) {
    return make_model(setting(name), kSeeds, DType::f32)->schedule().stationary();
  };
  EXPECT_TRUE(stationary("add"));
  EXPECT_TRUE(stationary("eqr")) << "its noise is keyed by the row's own update";
  EXPECT_FALSE(stationary("without_injection")) << "the first update is unlike the others";
  EXPECT_FALSE(stationary("feedforward")) << "every update has weights of its own";
}

TEST(Queue, RefusesWhoeverLooksAtRowsAtTheirPlaces) {
  const auto model = make_model(setting("add"), kSeeds, DType::f32);
  const Data data(kSeeds, kRows);
  Queue queue(3, kRows, 3, [](const Context&, const Exits&) {});
  const Plan good = [&] {
    Plan plan = plan_with({Halt::Kind::change, 0.1});
    plan.queue = &queue;
    return plan;
  }();
  const auto refused = [&](const Plan& plan) {
    ModelRun run(*model);
    EXPECT_THROW(run.forward(data.inputs(), plan), Error);
  };
  Plan plan = good;
  plan.halt = {};
  refused(plan);
  plan = good;
  plan.on_update = [](const Update&) {};
  refused(plan);
  plan = good;
  plan.save.states = {1};
  refused(plan);
  plan = good;
  plan.save.residual = true;
  refused(plan);
  plan = good;
  Tap tap;
  tap.pattern = "loop.*.state_out";
  tap.action = [](const TapEvent&) {};
  const Taps taps = {tap};
  plan.taps = &taps;
  refused(plan);
  EXPECT_TRUE(queue.waiting(0)) << "a refused run took rows";
}

TEST(Queue, ARunWithNothingWaitingDoesNothing) {
  const auto model = make_model(setting("add"), kSeeds, DType::f32);
  const Data data(kSeeds, 2);
  int left = 0;
  Queue queue(
      3, 2, 8, [&](const Context&, const Exits& e) { left += static_cast<int>(e.rows.size()); });
  Plan plan = plan_with({Halt::Kind::oracle});
  plan.queue = &queue;
  for (const int want : {6, 6}) {
    ModelRun run(*model);
    run.forward(data.inputs(), plan);
    EXPECT_EQ(left, want);
  }
}

}  // namespace
}  // namespace sv::models_test

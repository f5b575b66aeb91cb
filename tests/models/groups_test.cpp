// Groups: how a batch is cut, and that a cut changes nothing: a part of the pack has the bits of
// the whole one, and the gradient of the lanes is the gradient of the batch.
#include "models/groups.h"

#include <array>
#include <atomic>
#include <numeric>
#include <set>
#include <thread>

#include "kernels/autograd/ops.h"
#include "models/model_fixture.h"
#include "models/train_fixture.h"

namespace sv::models_test {
namespace {

TEST(Pieces, CoverTheRowsInOrderAndDifferByAtMostOne) {
  for (const int count : {1, 2, 7, 64, 65}) {
    for (int pieces = 1; pieces <= count; ++pieces) {
      int at = 3;
      int shortest = count;
      int longest = 0;
      for (int i = 0; i < pieces; ++i) {
        const Rows r = piece({3, count}, i, pieces);
        EXPECT_EQ(r.begin, at);
        at += r.count;
        shortest = std::min(shortest, r.count);
        longest = std::max(longest, r.count);
      }
      EXPECT_EQ(at, 3 + count);
      EXPECT_LE(longest - shortest, 1);
      EXPECT_GE(shortest, 1);
    }
  }
}

TEST(Lanes, AreFewAndHoldEnoughTokens) {
  EXPECT_EQ(lanes_of(4, 16).size(), 1u);
  EXPECT_EQ(lanes_of(64, 16).size(), 8u);
  EXPECT_EQ(lanes_of(4096, 64).size(), static_cast<size_t>(kMaxLanes));
  EXPECT_EQ(lanes_of(3, 1000).size(), 3u) << "a sequence is never cut";
  EXPECT_EQ(group_count({0, 3}, 1000), 3);
  EXPECT_EQ(group_count({0, 1}, 1), 1);
}

TEST(RunTasks, MakesEveryTaskOnceAndThrowsTheFirstError) {
  for (const int threads : {1, 2, 4}) {
    std::vector<int> made(50, 0);
    run_tasks(50, threads, [&](int64_t task, int worker) {
      EXPECT_LT(worker, threads);
      ++made[static_cast<size_t>(task)];
    });
    EXPECT_EQ(std::set<int>(made.begin(), made.end()), std::set<int>{1});
    try {
      run_tasks(50, threads, [](int64_t task, int) {
        SV_CHECK(task != 11 && task != 37, "task ", task, " fails");
      });
      ADD_FAILURE() << "no error with " << threads << " threads";
    } catch (const Error& e) {
      EXPECT_NE(std::string(e.what()).find("task 11"), std::string::npos) << e.what();
    }
  }
}

/// Last byte of `size` bytes at the arena's mark that attention writes, run by worker 0 or 1.
int64_t reach_of_attention(Arena& arena, size_t size) {
  const Tensor q = make_tensor(arena, {1, 2, 5, 8}, DType::f32);
  const Tensor p = make_tensor(arena, {1, 2, 2, 5, 5}, DType::f32);
  std::fill_n(q.as<float>(), q.numel(), 0.5f);
  const Arena::Mark mark = arena.mark();
  auto* bytes = static_cast<unsigned char*>(arena.alloc(size));
  std::fill_n(bytes, size, static_cast<unsigned char>(0x5a));
  arena.rewind(mark);
  ops::attention_pattern({&arena, 1, {}}, q, q, {}, 2, 2, 1.0, p);
  int64_t last = static_cast<int64_t>(size) - 1;
  while (last >= 0 && bytes[last] == 0x5a) {
    --last;
  }
  return last;
}

TEST(RunTasks, OpsOnAWorkerUseScratchForOneThread) {
  std::array<int64_t, 2> reach{-1, -1};
  std::atomic<int> arrived{0};
  run_tasks(2, 2, [&](int64_t, int worker) {
    ++arrived;
    for (int i = 0; arrived < 2 && i < 10'000'000; ++i) {  // so that each worker takes one task
      std::this_thread::yield();
    }
    Arena arena;
    reach[static_cast<size_t>(worker)] = reach_of_attention(arena, size_t{1} << 16);
  });
  EXPECT_GT(reach[0], 0);
  EXPECT_EQ(reach[0], reach[1]);
}

class MembersOfAPack : public testing::TestWithParam<Setting> {};

/// Models 1 and 2 of four, on rows 1..2 of three, with the weights packed: the slots of the whole
/// run, bit for bit.
TEST_P(MembersOfAPack, RunToTheBitsOfTheWholePack) {
  const std::vector<uint64_t> seeds = {3, 7, 8, 11};
  const auto model = make_model(GetParam().model, seeds, DType::f32);
  const Data data(seeds, 3, true);
  ModelRun whole(*model);
  Plan plan = plan_of("4", SaveAt::Readouts::every);
  plan.save.residual = true;
  const Trajectory& all = whole.forward(data.inputs(), plan);
  PackedWeights packed;
  packed.pack({&whole.arena(), 1, {}}, model->params());
  const Rows rows{1, 2};
  for (int m = 0; m < 4; ++m) {
    ModelRun alone(*model);
    Plan part = plan;
    part.members = {m, 1, 0};
    part.packed = &packed;
    const Trajectory& one = alone.forward(slice(data.inputs(), m, rows), part);
    ASSERT_EQ(one.readouts.size(), all.readouts.size());
    for (size_t r = 0; r < one.readouts.size(); ++r) {
      const Tensor got = one.readouts[r].logits.value();
      const Tensor mine = all.readouts[r].logits.value().slice(m, 1);
      const Tensor want = mine.reshape({3, mine.dim(2), mine.dim(3)}).slice(1, 2);
      EXPECT_TRUE(same_bits(got.reshape(want.shape), want))
          << "model " << m << ", update " << r + 1;
    }
    for (int64_t r = 0; r < 4; ++r) {
      const float* want = all.residual.slice(r, 1).as<float>() + m * 3 + 1;
      const float* got = one.residual.slice(r, 1).as<float>();
      EXPECT_EQ(std::vector<float>(got, got + 2), std::vector<float>(want, want + 2));
    }
  }
}
INSTANTIATE_TEST_SUITE_P(Zoo,
                         MembersOfAPack,
                         testing::ValuesIn(all_settings()),
                         [](const auto& tested) { return tested.param.name; });

TEST(PackedWeights, PanelsOfAnotherMatrixAreRefused) {
  Arena arena;
  Buffer x({1, 2, 8}, DType::f32), w({1, 3, 8}, DType::f32), y({1, 2, 3}, DType::f32),
      panels({1, 5}, DType::f32);
  EXPECT_THROW(ops::matmul({&arena, 1, {}}, x, w, {}, y, {panels, panels}), Error);
  EXPECT_THROW(ops::pack_panels({&arena, 1, {}}, w, {panels, panels}), Error);
}

/// The gradient that a training step leaves, against one run of the whole batch in double.
TEST(LaneGradient, IsThatOfTheMeanOverTheBatch) {
  for (const char* supervision : {"last", "every"}) {
    TrainCase c = tiny_case();
    c.size = 16;
    c.ood_size = 17;  // padded
    c.train.batch = 41;
    c.train.lr = 0;
    c.train.clip = 0;
    c.train.supervision = supervision;
    c.depth = "3";
    const std::vector<uint64_t> seeds = {3, 7};
    Training run(c, seeds, 2);
    const auto model = make_reasoner({c.model, run.task->spec(), seeds, DType::f64});
    Trainer trainer(*model, run.data, c.train, Depth::fixed(3), 2);
    trainer.step(0);
    std::vector<std::vector<double>> got = {gradients_of(model->params(), 0),
                                            gradients_of(model->params(), 1)};

    Batch batch;
    run.data.draw(seeds, 0, c.train.batch, batch);
    Arena arena;
    Tape tape({&arena, 1, {}}, true);
    model->params().zero_grad();
    Trajectory out;
    const Plan plan = plan_of(
        "3",
        supervision == std::string("every") ? SaveAt::Readouts::every : SaveAt::Readouts::last,
        {Gradient::Kind::full, 1});
    unroll(*model, load_inputs(tape.ctx, batch), plan, tape, out);
    std::vector<double> loss(2, 0);
    for (const Readout& y : out.readouts) {
      const Shape shape{2, batch.size, batch.positions};
      const Tensor targets = make_tensor(arena, shape, DType::i32);
      const Tensor weight = make_tensor(arena, shape, DType::f64);
      for (int m = 0; m < 2; ++m) {
        double scored = 0;
        for (int b = 0; b < batch.size; ++b) {
          for (int t = 0; t < batch.positions; ++t) {
            const int32_t target = batch.target(m, b, y.r)[t];
            targets.slice(m, 1).as<int32_t>()[b * batch.positions + t] = target;
            scored += target >= 0 ? 1 : 0;
          }
        }
        std::fill_n(weight.slice(m, 1).as<double>(),
                    batch.size * batch.positions,
                    1 / scored / static_cast<double>(out.readouts.size()));
      }
      const Var l = ad::softmax_xent(tape, y.logits, targets, weight);
      tape.seed_grad(l);
      loss[0] += l.value().as<double>()[0];
      loss[1] += l.value().as<double>()[1];
    }
    tape.backward();
    for (int m = 0; m < 2; ++m) {
      const std::vector<double> want = gradients_of(model->params(), m);
      const double largest = std::abs(*std::max_element(
          want.begin(), want.end(), [](double a, double b) { return std::abs(a) < std::abs(b); }));
      for (size_t i = 0; i < want.size(); ++i) {
        ASSERT_NEAR(got[static_cast<size_t>(m)][i], want[i], 1e-12 * largest)
            << supervision << ", element " << i;
      }
      EXPECT_NEAR(
          trainer.stats().loss[static_cast<size_t>(m)], loss[static_cast<size_t>(m)], 1e-12);
    }
  }
}

}  // namespace
}  // namespace sv::models_test

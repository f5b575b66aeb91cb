// A steady training step asks the heap for nothing: every operator new of the program is counted.
#include <atomic>
#include <cstdlib>
#include <new>

#include "models/model_fixture.h"
#include "models/train_fixture.h"

namespace {

std::atomic<bool> counting{false};
std::atomic<int> news{0};

void* counted(size_t bytes, size_t align) {
  news += counting ? 1 : 0;
  void* p = align > alignof(std::max_align_t)
                ? std::aligned_alloc(align, (bytes + align - 1) / align * align)
                : std::malloc(bytes == 0 ? 1 : bytes);
  if (p == nullptr) {
    throw std::bad_alloc();
  }
  return p;
}

// Not inlined, so that the compiler does not see a free beside a new.
[[gnu::noinline]] void release(void* p) {
  std::free(p);
}

}  // namespace

void* operator new(size_t bytes) {
  return counted(bytes, 0);
}
void* operator new[](size_t bytes) {
  return counted(bytes, 0);
}
void* operator new(size_t bytes, std::align_val_t align) {
  return counted(bytes, static_cast<size_t>(align));
}
void* operator new[](size_t bytes, std::align_val_t align) {
  return counted(bytes, static_cast<size_t>(align));
}
void operator delete(void* p) noexcept {
  release(p);
}
void operator delete[](void* p) noexcept {
  release(p);
}
void operator delete(void* p, size_t) noexcept {
  release(p);
}
void operator delete[](void* p, size_t) noexcept {
  release(p);
}
void operator delete(void* p, std::align_val_t) noexcept {
  release(p);
}
void operator delete[](void* p, std::align_val_t) noexcept {
  release(p);
}
void operator delete(void* p, size_t, std::align_val_t) noexcept {
  release(p);
}
void operator delete[](void* p, size_t, std::align_val_t) noexcept {
  release(p);
}

namespace sv::models_test {
namespace {

/// Allocations of 20 steps, after steps in which every thread has had work: on a busy machine one
/// may come late.
int steady_allocations(const TrainCase& c, int threads) {
  Training run(c, {3, 7, 8}, threads);
  int64_t step = 0;
  size_t asked = 0;
  for (int tries = 0; tries < (threads > 1 ? 20 : 1); ++tries, step += 20) {
    run.steps(step, step + 20);
    asked = run.trainer->system_allocations();
    news = 0;
    counting = true;
    run.steps(step + 20, step + 40);
    counting = false;
    step += 20;
    if (news == 0) {
      break;
    }
  }
  EXPECT_EQ(run.trainer->system_allocations(), asked);
  return news;
}

TEST(SteadyTraining, AsksTheHeapForNothing) {
  TrainCase c = tiny_case();
  EXPECT_EQ(steady_allocations(c, 1), 0) << "last readout, ragged depths";
  c.train.supervision = "every";
  c.ood_size = 7;
  EXPECT_EQ(steady_allocations(c, 1), 0) << "every readout, padded";
  c.train.gradient = "last:2";
  EXPECT_EQ(steady_allocations(c, 1), 0) << "last_k";
  c.train.gradient = "checkpoint:2";
  EXPECT_EQ(steady_allocations(c, 1), 0) << "checkpointed";
}

TEST(SteadyTraining, CarriedSegmentsAskTheHeapForNothing) {
  TrainCase c = tiny_case();
  c.model = setting("hrm");
  c.train.supervision = "rows";
  c.train.gradient = "round";
  c.train.segments = 3;
  EXPECT_EQ(steady_allocations(c, 1), 0);
}

TEST(SteadyTraining, EveryKindOfPartAsksTheHeapForNothing) {
  for (const Setting& s : all_settings()) {
    TrainCase c = tiny_case();
    c.model = s.model;
    c.train.ema = 0.9;
    if (s.model.name == "universal") {
      c.train.halt_weight = 0;  // its halting learns from the answers and the penalty
    }
    EXPECT_EQ(steady_allocations(c, 1), 0) << s.name;
  }
}

TEST(SteadyTraining, EveryOptimiserAsksTheHeapForNothing) {
  for (const std::string& name : optimiser_names()) {
    TrainCase c = tiny_case();
    c.train.optimiser = name;
    c.train.ema = 0.9;
    EXPECT_EQ(steady_allocations(c, 1), 0) << name;
  }
}

TEST(SteadyTraining, ThreadsAskTheHeapForNothing) {
  EXPECT_EQ(steady_allocations(tiny_case(), 2), 0);
}

/// The counter itself counts.
TEST(TheCounter, SeesAnAllocation) {
  news = 0;
  counting = true;
  const std::vector<int> some(100);
  counting = false;
  EXPECT_EQ(news, 1);
  EXPECT_EQ(some.size(), 100u);
}

}  // namespace
}  // namespace sv::models_test

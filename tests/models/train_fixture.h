// A tiny training set-up: prefix parity, a looped model, a trainer.
#pragma once
#include <memory>
#include <vector>

#include "data/tasks.h"
#include "kernels/memory/copy.h"
#include "models/train/trainer.h"
#include "models/zoo.h"

namespace sv::models_test {

struct TrainCase {
  ModelSettings model;
  TrainSettings train;
  std::string depth = "1..3";
  int size = 5;      // bits
  int ood_size = 5;  // larger: padded positions
  int examples = 24;
};

inline TrainCase tiny_case() {
  TrainCase c;
  c.model.width = 8;
  c.model.heads = 2;
  c.model.hidden = 8;
  c.model.injection = "concat";
  c.train.steps = 40;
  c.train.batch = 3;
  c.train.warmup = 2;
  return c;
}

/// Everything a trainer refers to, in one place. Neither copied nor moved.
struct Training {
  Training(const TrainCase& c,
           const std::vector<uint64_t>& seeds,
           int threads = 1,
           Device* device = nullptr)
      : task(make_parity(c)), data(task, Split::train, 0, c.examples, false) {
    model = make_reasoner({c.model, task->spec(), seeds, DType::f32, device});
    trainer = std::make_unique<Trainer>(*model, data, c.train, Depth::parse(c.depth), threads);
  }
  static std::shared_ptr<const Task> make_parity(const TrainCase& c) {
    TaskOptions options;
    options.size = c.size;
    options.ood_size = c.ood_size;
    return make_task("prefix_parity", options);
  }
  void steps(int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      trainer->step(i);
    }
  }

  std::shared_ptr<const Task> task;
  Dataset data;
  std::unique_ptr<Reasoner> model;
  std::unique_ptr<Trainer> trainer;
};

/// The same weights in two places, after some steps on the CPU.
struct TrainedPair {
  TrainedPair(const TrainCase& c, const std::vector<uint64_t>& seeds, Device* device)
      : here(c, seeds), there(c, seeds, 1, device) {
    here.steps(0, 20);
    for (size_t i = 0; i < here.model->params().size(); ++i) {
      const auto id = static_cast<ParamId>(i);
      write_tensor(
          device, there.model->params()[id].value, here.model->params()[id].value.tensor().data);
    }
  }
  Training here, there;
};

}  // namespace sv::models_test

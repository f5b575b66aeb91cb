#include "gpu/train_check.h"

#include <cmath>
#include <cstdio>
#include <cstring>

#include "data/temp_folder.h"
#include "kernels/memory/copy.h"
#include "models/train/checkpoint.h"

namespace sv::gpu {

using models_test::Training;
using Curve = std::vector<std::vector<double>>;  // of each step: losses, then gradient norms

namespace {

const std::string kDigest = "digest-of-the-check";

Curve curve(Training& run, int64_t begin, int64_t end) {
  Curve out;
  for (int64_t step = begin; step < end; ++step) {
    run.trainer->step(step);
    const StepStats& s = run.trainer->stats();
    out.push_back(s.loss);
    out.back().insert(out.back().end(), s.grad_norm.begin(), s.grad_norm.end());
  }
  return out;
}

/// The largest relative deviation of the losses up to each step.
std::vector<double> deviation(const Curve& got, const Curve& want) {
  std::vector<double> out;
  double most = 0;
  for (size_t i = 0; i < want.size(); ++i) {
    for (size_t m = 0; m < want[i].size() / 2; ++m) {
      const double share = std::abs(got[i][m] - want[i][m]) / std::abs(want[i][m]);
      most = std::isfinite(share) ? std::max(most, share) : 1e9;
    }
    out.push_back(most);
  }
  return out;
}

/// Weights, moments and averages, as bits.
std::vector<uint32_t> state_of(Training& run) {
  std::vector<uint32_t> out;
  const auto add = [&](const Tensor& x) {
    const size_t before = out.size();
    out.resize(before + static_cast<size_t>(x.numel()));
    read_tensor(run.model->params().device(), out.data() + before, x);
  };
  for (const Param& p : run.model->params()) {
    add(p.value);
  }
  for (const Optimiser::Moments& m : run.trainer->optimiser().moments()) {
    add(m.first);
    add(m.second);
    if (m.average.tensor()) {
      add(m.average);
    }
  }
  return out;
}

int64_t differing(const std::vector<uint32_t>& a, const std::vector<uint32_t>& b) {
  int64_t count = 0;
  for (size_t i = 0; i < b.size(); ++i) {
    count += a[i] != b[i] ? 1 : 0;
  }
  return count;
}

int64_t differing(const Curve& a, const Curve& b) {
  int64_t count = 0;
  for (size_t i = 0; i < b.size(); ++i) {
    for (size_t j = 0; j < b[i].size(); ++j) {
      count += std::memcmp(&a[i][j], &b[i][j], sizeof(double)) != 0 ? 1 : 0;
    }
  }
  return count;
}

void append(Curve& to, const Curve& more) {
  to.insert(to.end(), more.begin(), more.end());
}

}  // namespace

models_test::TrainCase r1_case(int batch) {
  models_test::TrainCase c;
  c.model.width = 64;
  c.model.layers = 2;
  c.model.heads = 4;
  c.model.hidden = 168;
  c.model.positions = "rope";
  c.model.mask = "bidirectional";
  c.train.batch = batch;
  c.depth = "2..4";
  c.size = c.ood_size = 16;
  c.examples = 2000;
  return c;
}

void check_curves(Device& device, const TrainOptions& o, Runs& runs) {
  Training cpu(o.setup, o.seeds, o.threads);
  const Curve want = curve(cpu, 0, o.steps);
  for (const char* precision : {"f32", "tf32", "bf16"}) {
    models_test::TrainCase setup = o.setup;
    setup.train.precision = precision;
    Training there(setup, o.seeds, 1, &device);
    const std::vector<double> off = deviation(curve(there, 0, o.steps), want);
    std::printf("curve in %-4s: loss of seed 0 %.5f to %.5f on the CPU; deviation",
                precision,
                want.front()[0],
                want.back()[0]);
    for (size_t i = 0; i < off.size(); i += std::max<size_t>(1, off.size() / 5)) {
      std::printf(" %.1e", off[i]);
    }
    std::printf(" %.1e\n", off.back());
    runs.add(std::string("train.curve_") + precision, off.back());
  }
}

void check_crossings(Device& device, const TrainOptions& o, Runs& runs) {
  const TempFolder folder;
  const int64_t a = o.leg, b = 2 * o.leg, c = 3 * o.leg;
  const auto save = [&](Training& run, int64_t step) {
    save_checkpoint(folder.path(), *run.trainer, {step, kDigest, run.trainer->frozen()});
    return *newest_checkpoint(folder.path());
  };
  const auto load = [&](const std::string& path, Training& from, Training& to) {
    load_checkpoint(path, *to.trainer, kDigest);
    if (differing(state_of(to), state_of(from)) != 0) {
      throw Error("a checkpoint changed bits on its way", Exit::failed);
    }
  };
  Training whole(o.setup, o.seeds, o.threads), first(o.setup, o.seeds, o.threads);
  const Curve want = curve(whole, 0, c);
  Curve got = curve(first, 0, a);

  Training second(o.setup, o.seeds, 1, &device);
  load(save(first, a), first, second);
  append(got, curve(second, a, b));

  Training resumed(o.setup, o.seeds, 1, &device), third(o.setup, o.seeds, o.threads);
  const std::string path = save(second, b);
  load(path, second, resumed);
  load(path, second, third);
  const Curve after = curve(second, b, c), again = curve(resumed, b, c);
  runs.add("train.resume",
           static_cast<double>(differing(again, after) +
                               differing(state_of(resumed), state_of(second))));
  append(got, curve(third, b, c));
  runs.add("train.crossing", deviation(got, want).back());
}

}  // namespace sv::gpu

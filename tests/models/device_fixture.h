// What tests of models on a device share: the executor as the device, the same model on both sides,
// and what a run leaves.
#pragma once
#include "kernels/autograd/ops.h"
#include "kernels/memory/copy.h"
#include "kernels/simt/memory_faults.h"
#include "kernels/simt/simt_device.h"
#include "models/model_fixture.h"

namespace sv::models_test {

/// Device memory that host code touches ends the test with a message: this is what shows that no
/// file of models or interp reads a tensor without a copy.
class DeviceTest : public testing::Test {
 protected:
  void TearDown() override { EXPECT_GT(device_.launches(), 0) << "nothing ran on the device"; }
  simt::SimtDevice device_;
  simt::MemoryFaults faults_{device_.memory()};
};

inline std::vector<float> numbers(Device* device, const Tensor& x) {
  std::vector<float> out(static_cast<size_t>(x.numel()));
  read_tensor(device, out.data(), x);
  return out;
}

/// The weights of `from` in a model of the same settings on the device.
inline std::unique_ptr<Reasoner> copy_on(Device* device,
                                         const ModelSettings& settings,
                                         const Reasoner& from) {
  auto model = make_reasoner({settings, tiny_task(), from.params().seeds(), DType::f32, device});
  for (size_t i = 0; i < from.params().size(); ++i) {
    const auto id = static_cast<ParamId>(i);
    write_tensor(device, model->params()[id].value, from.params()[id].value.tensor().data);
  }
  return model;
}

/// The largest |a - b| / (1 + |b|).
inline double distance(const std::vector<float>& a, const std::vector<float>& b) {
  EXPECT_EQ(a.size(), b.size());
  double most = 0;
  for (size_t i = 0; i < std::min(a.size(), b.size()); ++i) {
    const double x = static_cast<double>(a[i]), y = static_cast<double>(b[i]);
    most = std::max(most, std::abs(x - y) / (1 + std::abs(y)));
    EXPECT_EQ(std::isfinite(x), std::isfinite(y));
  }
  return most;
}

/// f32 products of up to 16 terms through up to 6 updates, whose norms keep the state near 1: some
/// tens of roundings of 6e-8.
inline constexpr double kForward = 1e-5;
/// The same back through the updates, summed over 15 positions.
inline constexpr double kBackward = 1e-4;

/// What a run leaves, in host memory.
struct Result {
  std::vector<std::vector<float>> logits;  // of the models of each readout, in order
  std::vector<float> final, residual;
  std::vector<double> loss;
  std::vector<std::vector<float>> gradients;
  std::vector<int> steps, chosen;
  bool operator==(const Result&) const = default;
};

class Runner {
 public:
  explicit Runner(Reasoner& model) : model_(model), memory_(device(), size_t{1} << 20) {}
  Device* device() const { return model_.params().device(); }
  /// How often the host waited for the device in the last call of unroll.
  int64_t waits() const { return waits_; }
  const BlockPaths& blocks() const { return blocks_; }

  Result run(const Data& data, const Plan& plan, bool backward = false) {
    memory_.reset();
    const Context ctx = memory_.context(1);
    Tape tape(ctx, backward);
    Inputs in = data.inputs();
    for (Tensor* x : in.tensors()) {  // not the ids
      *x = to_device(ctx, *x);
    }
    Trajectory out;
    const auto* simt = dynamic_cast<const simt::SimtDevice*>(device());
    const int64_t before = simt != nullptr ? simt->waits() : 0;
    unroll(model_, in, plan, tape, out);
    blocks_ = out.blocks;
    waits_ = simt != nullptr ? simt->waits() - before : 0;
    Result r;
    r.steps = out.steps;
    r.chosen = out.chosen;
    r.final = numbers(device(), out.final[0].value());
    if (out.residual) {
      r.residual = numbers(device(), out.residual);
    }
    for (const Readout& y : out.readouts) {
      keep_listed(y, r);
    }
    if (out.exit_logits) {
      r.logits.push_back(numbers(device(), out.exit_logits));
    }
    if (backward) {
      differentiate(tape, data, out, r);
    }
    return r;
  }

 private:
  void keep_listed(const Readout& y, Result& r) {
    const Tensor all = y.logits.value();
    for (int m = 0; m < model_.models(); ++m) {
      if (y.models.empty() || std::ranges::find(y.models, m) != y.models.end()) {
        r.logits.push_back(numbers(device(), all.slice(m, 1)));
      }
    }
  }
  void differentiate(Tape& tape, const Data& data, const Trajectory& out, Result& r) {
    const Context& ctx = tape.ctx;
    model_.params().zero_grad();
    const Tensor targets = to_device(ctx, data.targets());
    const auto filled = [&](const Shape& shape, float value) {
      const Tensor x = host_tensor(ctx, shape, DType::f32);
      std::fill_n(x.as<float>(), x.numel(), value);
      return to_device(ctx, x);
    };
    const Tensor weight = filled(targets.shape, 0.25F);
    for (const Readout& y : out.readouts) {
      tape.ctx.models = y.models;
      Var loss = ad::softmax_xent(tape, y.logits, targets, weight);
      if (y.halt) {
        const Shape rows = {model_.models(), y.halt.value().numel() / model_.models()};
        const Tensor ones = filled(rows, 1);
        loss = ad::add(
            tape, loss, ad::sigmoid_xent(tape, ad::reshape(tape, y.halt, rows), ones, ones));
      }
      tape.seed_grad(loss);
      const Tensor value = to_host(tape.ctx, loss.value());
      for (int i = 0; i < tape.ctx.model_count(value); ++i) {
        r.loss.push_back(element(value, tape.ctx.model(i)));
      }
    }
    tape.ctx.models = {};
    tape.backward();
    for (const Param& p : model_.params()) {
      r.gradients.push_back(numbers(device(), p.grad));
    }
  }

  Reasoner& model_;
  Workspace memory_;
  int64_t waits_ = 0;
  BlockPaths blocks_;
};

inline void expect_near(const Result& got, const Result& want) {
  EXPECT_EQ(got.steps, want.steps);
  EXPECT_EQ(got.chosen, want.chosen);
  EXPECT_LT(distance(got.final, want.final), kForward);
  EXPECT_LT(distance(got.residual, want.residual), kForward);
  ASSERT_EQ(got.logits.size(), want.logits.size());
  for (size_t i = 0; i < want.logits.size(); ++i) {
    EXPECT_LT(distance(got.logits[i], want.logits[i]), kForward) << "readout " << i;
  }
  ASSERT_EQ(got.loss.size(), want.loss.size());
  for (size_t i = 0; i < want.loss.size(); ++i) {
    EXPECT_NEAR(got.loss[i], want.loss[i], kForward * (1 + want.loss[i]));
  }
  ASSERT_EQ(got.gradients.size(), want.gradients.size());
  for (size_t i = 0; i < want.gradients.size(); ++i) {
    EXPECT_LT(distance(got.gradients[i], want.gradients[i]), kBackward) << "parameter " << i;
  }
}

}  // namespace sv::models_test

// What tests of models share: a tiny task, settings that use every kind of part, a two-part
// reasoner, and one place that runs and differentiates a model.
#pragma once
#include <gtest/gtest.h>

#include <cstring>
#include <string>
#include <vector>

#include "models/unroll.h"
#include "models/zoo.h"

namespace sv::models_test {

/// Five positions, four symbols, three answers, one coordinate.
TaskSpec tiny_task();

/// One model to test: how it is made, and a name for messages.
struct Setting {
  std::string name;
  ModelSettings model;
  /// Parts of the state whose small edits no readout shows (what counts, costs or chooses), and
  /// parts that readouts show from the next update on.
  std::vector<std::string> unread = {}, read_later = {};
  bool kinks = false;  // the loss is smooth in pieces only (relu, choices), or steep
};
/// Every entry of the zoo with every kind of part; `without_injection` names seed 7.
std::vector<Setting> all_settings();
/// The setting of that name.
ModelSettings setting(const std::string& name);

/// The model with weights away from their symmetric starts (zero biases, unit gains), drawn by each
/// model's own seed.
std::unique_ptr<Reasoner> make_model(const ModelSettings& settings,
                                     const std::vector<uint64_t>& seeds,
                                     DType dtype);
void disturb(Params& params);

/// Two named parts, z_L written twice and then z_H, nested indices (round, inner). `scores`: with a
/// halting score per position, (M,B,T).
std::unique_ptr<Reasoner> make_two_level(const std::vector<uint64_t>& seeds,
                                         DType dtype,
                                         bool scores = false);

/// Inputs and targets of a batch; model m's own rows are keyed by its seed.
class Data {
 public:
  Data(const std::vector<uint64_t>& seeds, int batch, bool padded = false, uint64_t key = 1);
  Inputs inputs() const;
  const Tensor& targets() const { return targets_; }

 private:
  Buffer tokens_, lengths_, targets_, ids_;
  bool padded_;
};

/// One run and what it leaves. Memory lives until the next run.
class ModelRun {
 public:
  explicit ModelRun(Reasoner& model, int threads = 1) : model_(model), threads_(threads) {}
  /// Forward only.
  Trajectory& forward(const Inputs& in, const Plan& plan);
  /// Loss of every readout (cross-entropy, and the halting score against 1), one per model.
  /// With `backward` the gradients of Params are filled, else no gradient is recorded.
  std::vector<double> loss(const Data& data, Plan plan, bool backward);
  const Trajectory& trajectory() const { return out_; }
  Tape& tape() { return *tape_; }
  Arena& arena() { return arena_; }

 private:
  Reasoner& model_;
  int threads_;
  Arena arena_{size_t{1} << 20};
  std::unique_ptr<Tape> tape_;
  Trajectory out_;
};

Plan plan_of(const std::string& depth,
             SaveAt::Readouts readouts = SaveAt::Readouts::last,
             Gradient gradient = {});

/// Equal to the last bit, also where a NaN stands.
bool same_bits(const Tensor& a, const Tensor& b);
/// The bytes of a tensor, to keep beyond its memory.
std::vector<std::byte> bytes_of(const Tensor& x);
/// All gradients of model m, in order.
std::vector<double> gradients_of(const Params& params, int m);
/// All parameters of model m, in order.
std::vector<double> values_of(const Params& params, int m);

}  // namespace sv::models_test

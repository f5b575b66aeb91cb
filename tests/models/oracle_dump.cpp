// Writes runs of looped models for pytorch_oracle_test.py: parameters, tokens, states, logits, loss
// and gradients in double, one safetensors file per setting.
#include <iostream>

#include "data/io/safetensors.h"
#include "models/model_fixture.h"

namespace sv::models_test {
namespace {

const std::vector<uint64_t> kSeeds = {3, 8};
constexpr int kUpdates = 4;

/// Collects tensors with the bytes they have now.
class Collection {
 public:
  void add(const std::string& name, const Tensor& x) {
    tensors_.push_back({name,
                        x.dtype == DType::i32 ? Element::i32 : Element::f64,
                        x.shape.to_vector(),
                        bytes_of(x)});
  }
  std::vector<TensorView> views() const {
    std::vector<TensorView> out;
    for (const HostTensor& t : tensors_) {
      out.push_back(t.view());
    }
    return out;
  }

 private:
  std::vector<HostTensor> tensors_;
};

void dump(const Setting& s, const std::string& folder) {
  const auto model = make_model(s.model, kSeeds, DType::f64);
  const Data data(kSeeds, 3, true);
  Plan plan = plan_of(std::to_string(kUpdates), SaveAt::Readouts::every, {Gradient::Kind::full, 1});
  plan.save.states = {0, 1, 2, 3, 4};
  ModelRun run(*model);
  std::vector<double> loss = run.loss(data, plan, true);
  Collection out;
  out.add("tokens", data.inputs().tokens);
  out.add("lengths", data.inputs().lengths);
  out.add("targets", data.targets());
  out.add("loss", Tensor({2}, DType::f64, loss.data()));
  for (const auto& [r, h] : run.trajectory().states) {
    out.add("state." + std::to_string(r), h[0].value());
  }
  for (const Readout& y : run.trajectory().readouts) {
    out.add("logits." + std::to_string(y.r), y.logits.value());
    if (y.halt) {
      out.add("halt." + std::to_string(y.r), y.halt.value());
    }
  }
  for (const Param& p : model->params()) {
    out.add("param." + p.name, p.value);
    out.add("grad." + p.name, p.grad);
  }
  const ModelSettings& m = s.model;
  publish(folder,
          {safetensors_file(s.name + ".safetensors",
                            out.views(),
                            {{"injection", m.injection},
                             {"placement", m.placement},
                             {"norm", m.norm},
                             {"mlp", m.mlp},
                             {"positions", m.positions},
                             {"mask", m.mask},
                             {"init", m.init},
                             {"heads", std::to_string(m.heads)},
                             {"kv_heads", std::to_string(m.kv_heads > 0 ? m.kv_heads : m.heads)},
                             {"layers", std::to_string(m.layers)},
                             {"prelude", std::to_string(m.prelude)},
                             {"coda", std::to_string(m.coda)},
                             {"updates", std::to_string(kUpdates)}})});
}

}  // namespace
}  // namespace sv::models_test

int main(int argc, char** argv) {
  try {
    for (const auto& s : sv::models_test::all_settings()) {
      if (argc == 2 && s.model.name == "looped" && s.model.without_injection.empty()) {
        sv::models_test::dump(s, argv[1]);
      }
    }
  } catch (const std::exception& e) {
    std::cerr << e.what() << '\n';
    return 1;
  }
  return argc == 2 ? 0 : 2;
}

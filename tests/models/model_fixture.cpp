#include "models/model_fixture.h"

#include <algorithm>
#include <iterator>

#include "core/rng.h"
#include "kernels/autograd/ops.h"

namespace sv::models_test {

namespace {

/// z_L <- tanh(A z_L + z_H + e), z_H <- tanh(B z_H + z_L).
class TwoLevel : public Reasoner {
 public:
  TwoLevel(const std::vector<uint64_t>& seeds, DType dtype, bool scores) : Reasoner(seeds, dtype) {
    schedule_.parts = {"z_L", "z_H"};
    schedule_.writes = {0, 0, 1};
    schedule_.index = {"round", "inner"};
    schedule_.inner = {3};
    table_ = params_.add("embed", {4, kWidth}, Init::normal(0.7));
    low_ = params_.add("low", {kWidth, kWidth}, Init::normal(0.4), true);
    high_ = params_.add("high", {kWidth, kWidth}, Init::normal(0.4), true);
    head_ = params_.add("head", {3, kWidth}, Init::normal(0.4), true);
    halt_ = scores ? params_.add("halt", {1, kWidth}, Init::normal(1.5), true) : -1;
  }
  const Schedule& schedule() const override { return schedule_; }
  std::vector<Site> sites() const override {
    std::vector<Site> out = {{Phase::encode, Point::encoded}, {Phase::readout, Point::logits}};
    for (int part = 0; part < 2; ++part) {
      out.push_back({Phase::loop, Point::state_in, -1, 0, part});
      out.push_back({Phase::loop, Point::state_out, -1, 0, part});
    }
    return out;
  }
  Var encode(Pass& pass, const Inputs& in) override {
    return pass.tap(Point::encoded,
                    ad::embed(pass.tape, in.tokens, pass.param(table_), in.batch()));
  }
  State init(Pass& pass, const Inputs&, Var e) override {
    Tensor zero = make_tensor(pass.tape.arena(), e.shape(), e.value().dtype);
    zero.zero();
    return {{e, pass.tape.constant(zero)}};
  }
  State step(Pass& pass, const Inputs&, const State& h, Var e) override {
    Tape& t = pass.tape;
    const auto act = [&](Var x) { return ad::activate(t, ops::Activation::tanh, x); };
    if (schedule_.part_of(pass.r) == 0) {
      const Var mixed = ad::add(t, ad::matmul(t, h[0], pass.param(low_)), ad::add(t, h[1], e));
      return {{act(mixed), h[1]}};
    }
    return {{h[0], act(ad::add(t, ad::matmul(t, h[1], pass.param(high_)), h[0]))}};
  }
  Var readout(Pass& pass, const Inputs&, const State& h, Var) override {
    const Var both = ad::add(pass.tape, h[0], h[1]);
    return pass.tap(Point::logits, ad::matmul(pass.tape, both, pass.param(head_)));
  }
  Var halt_logit(Pass& pass, const State& h) override {
    if (halt_ < 0) {
      return {};
    }
    const Var q = ad::matmul(pass.tape, h[1], pass.param(halt_));  // (M,B,T,1)
    return ad::reshape(pass.tape, q, {q.shape()[0], q.shape()[1], q.shape()[2]});
  }

 private:
  static constexpr int kWidth = 6;
  Schedule schedule_;
  ParamId table_, low_, high_, head_, halt_;
};

ModelSettings base_model() {
  ModelSettings s;
  s.width = 8;
  s.heads = 2;
  s.hidden = 6;
  return s;
}

template <class F>
Setting changed(const std::string& name,
                F&& change,
                std::vector<std::string> unread = {},
                std::vector<std::string> read_later = {},
                bool kinks = false) {
  Setting out{name, base_model(), std::move(unread), std::move(read_later), kinks};
  change(out.model);
  return out;
}

/// The family's published form at the fixture's size.
template <class F>
Setting changed_family(const std::string& name,
                       const std::string& family,
                       F&& change,
                       bool kinks = false) {
  Setting out{name, family_settings(family)};
  out.kinks = kinks;
  const ModelSettings base = base_model();
  out.model.width = base.width;
  out.model.heads = base.heads;
  out.model.hidden = base.hidden;
  change(out.model);
  return out;
}

std::vector<double> numbers_of(const Tensor& x, int m) {
  std::vector<double> out;
  with_float(x.dtype, [&]<class T>() {
    const Tensor mine = x.slice(m, 1);
    out.assign(mine.as<T>(), mine.as<T>() + mine.numel());
  });
  return out;
}

}  // namespace

TaskSpec tiny_task() {
  TaskSpec task;
  task.name = "tiny";
  task.positions = 5;
  task.vocab = 4;
  task.answers = 3;
  task.coordinates = {{"column", 3, {0, 1, 2, 0, 1}}};
  return task;
}

namespace {

std::vector<Setting> block_settings() {
  using S = ModelSettings;
  return {
      changed("add", [](S&) {}),
      changed("concat", [](S& s) { s.injection = "concat"; }),
      changed("gated", [](S& s) { s.injection = "gated"; }),
      changed("none", [](S& s) { s.injection = "none", s.init = "input"; }),
      changed("concat_from_input", [](S& s) { s.injection = "concat", s.init = "input"; }),
      changed("gated_from_input", [](S& s) { s.injection = "gated", s.init = "input"; }),
      changed("without_injection", [](S& s) { s.without_injection = {7}; }),
      changed("without_gated",
              [](S& s) { s.without_injection = {7}, s.injection = "gated", s.init = "normal"; }),
      changed("post", [](S& s) { s.placement = "post", s.state_norm = false; }),
      changed("sandwich", [](S& s) { s.placement = "sandwich", s.layers = 2; }),
      changed("layernorm", [](S& s) { s.norm = "layernorm", s.mlp = "gelu"; }),
      changed("rope_grouped", [](S& s) { s.positions = "rope", s.kv_heads = 1; }),
      changed("learned", [](S& s) { s.positions = "learned", s.mask = "causal"; }),
      changed("prelude_coda", [](S& s) { s.prelude = 1, s.coda = 1, s.positions = "none"; }),
      changed("halt_head", [](S& s) { s.halt_head = true, s.init = "normal"; }),
      changed("feedforward", [](S& s) { s.name = "feedforward", s.depth = 6; }),
      changed(
          "feedforward_narrow",
          [](S& s) { s.name = "feedforward", s.depth = 6, s.width = 16, s.match = "parameters"; }),
  };
}

std::vector<Setting> recursive_settings() {
  using S = ModelSettings;
  return {
      changed_family("hrm", "hrm", [](S&) {}),
      changed_family("hrm_learned",
                     "hrm",
                     [](S& s) {
                       s.positions = "learned", s.layers = 2, s.puzzles = 1;
                       s.placement = "pre", s.prefix = 2;
                     }),
      changed_family("trm", "trm", [](S& s) { s.inner = "2", s.prefix = 2; }),
      changed_family("trm_tokens",
                     "trm",
                     [](S& s) {
                       s.mixer = "tokens", s.positions = "none", s.mask = "bidirectional",
                       s.inner = "1", s.prefix = 1;
                     }),
      changed_family("eqr",
                     "trm",
                     [](S& s) {
                       s.damping = 0.9, s.noise = 0.1, s.init = "random", s.inner = "2";
                       s.prefix = 0;
                     }),
      changed_family(
          "urm", "trm", [](S& s) { s.states = 1, s.conv = 2, s.inner = "2", s.prefix = 1; }),
      changed_family("rsm",
                     "trm",
                     [](S& s) {
                       s.halt_head = false, s.tied_head = true, s.token_norm = false;
                       s.mixer = "tokens", s.positions = "none", s.prefix = 0;
                       s.mask = "bidirectional";
                       s.inner = "1@0,2@5", s.symbols = 6, s.token_shift = 1, s.answer_shift = 2;
                     }),
  };
}

std::vector<Setting> other_settings() {
  using S = ModelSettings;
  return {
      changed(
          "deep_thinking",
          [](S& s) { s.name = "deep_thinking", s.injection = "concat", s.layers = 2; },
          {},
          {},
          true),
      changed(
          "deep_thinking_without_recall",
          [](S& s) { s.name = "deep_thinking", s.injection = "none"; },
          {},
          {},
          true),
      changed("deq",
              [](S& s) { s.name = "deq", s.placement = "post", s.damping = 0.8; },
              {"score", "state_in:best"},
              {"z"}),
      changed(
          "mixture_by_experts",
          [](S& s) {
            s.name = "mixture_of_recursions", s.recursions = 6, s.mask = "bidirectional";
          },
          {"cost", "route"},
          {},
          true),
      changed(
          "mixture_by_tokens",
          [](S& s) { s.name = "mixture_of_recursions", s.recursions = 6, s.routing = "token"; },
          {"cost", "route"},
          {},
          true),
      changed("thought_machine",
              [](S& s) { s.name = "thought_machine", s.memory = 3, s.pairs = 5; },
              {},
              {"history", "neurons", "action"}),
  };
}

std::vector<Setting> sequence_settings() {
  using S = ModelSettings;
  return {
      changed_family("huginn",
                     "recurrent_depth",
                     [](S& s) { s.layers = 1, s.prelude = 1, s.coda = 1, s.start_depth = 4; }),
      changed_family(
          "parcae",
          "recurrent_depth",
          [](S& s) {
            s.injection = "decay", s.input_norm = true, s.readout_map = true;
            s.placement = "pre", s.qk_bias = false, s.qk_norm = true;
            s.mlp = "relu_squared", s.layers = 2, s.prelude = 1, s.coda = 0;
            s.tied_head = false, s.symbols = 6, s.mask = "causal", s.init = "zero";
          },
          true),
      // The norm of a branch that is small is steep.
      changed_family(
          "exit_gate", "exit_gate", [](S&) {}, true),
      changed_family("exit_gate_row",
                     "exit_gate",
                     [](S& s) {
                       s.gate = "row", s.layers = 2, s.mask = "causal", s.tied_head = true;
                       s.kv_heads = 1, s.mlp = "gelu", s.embedding_scale = true;
                       s.qk_bias = true;
                     }),
      changed_family("gru", "gru", [](S& s) { s.depth = 6; }),
      changed_family(
          "gru_causal",
          "gru",
          [](S& s) { s.depth = 6, s.mask = "causal", s.positions = "task", s.norm = "layernorm"; }),
      changed_family("ponder", "ponder", [](S&) {}),
      changed_family("ponder_block",
                     "ponder",
                     [](S& s) { s.cell = "block", s.memory_tokens = 1, s.halt_bias = -1; }),
      changed_family("universal", "universal", [](S&) {}),
      changed_family("universal_memory",
                     "universal",
                     [](S& s) {
                       s.memory_tokens = 2, s.positions = "rope", s.mask = "causal";
                       s.injection = "add", s.init = "zero", s.state_norm = true;
                       s.signals = "step", s.act_epsilon = 0.1;
                     }),
      changed_family(
          "universal_gru",
          "universal",
          [](S& s) { s.cell = "gru", s.init = "zero", s.signals = "none", s.halt_bias = -2; }),
  };
}

}  // namespace

std::vector<Setting> all_settings() {
  std::vector<Setting> all = block_settings();
  for (std::vector<Setting> more : {recursive_settings(), other_settings(), sequence_settings()}) {
    std::ranges::move(more, std::back_inserter(all));
  }
  return all;
}

ModelSettings setting(const std::string& name) {
  for (const Setting& s : all_settings()) {
    if (s.name == name) {
      return s.model;
    }
  }
  fail("no test setting ", name);
}

void disturb(Params& params) {
  for (Param& p : params) {
    with_float(params.dtype(), [&]<class T>() {
      const Tensor& all = p.value;
      for (int m = 0; m < params.models(); ++m) {
        const Rng rng(params.seeds()[static_cast<size_t>(m)], stream_of("disturb." + p.name));
        const Tensor mine = all.slice(m, 1);
        for (int64_t i = 0; i < mine.numel(); ++i) {
          mine.as<T>()[i] += static_cast<T>(0.2 * rng.normal(static_cast<uint64_t>(i)));
        }
      }
    });
  }
}

std::unique_ptr<Reasoner> make_model(const ModelSettings& settings,
                                     const std::vector<uint64_t>& seeds,
                                     DType dtype) {
  ModelSettings s = settings;
  // A model alone keeps its control setting only if it is the control.
  std::erase_if(s.without_injection, [&](int seed) {
    return std::find(seeds.begin(), seeds.end(), static_cast<uint64_t>(seed)) == seeds.end();
  });
  std::unique_ptr<Reasoner> model = make_reasoner({s, tiny_task(), seeds, dtype});
  disturb(model->params());
  return model;
}

std::unique_ptr<Reasoner> make_two_level(const std::vector<uint64_t>& seeds,
                                         DType dtype,
                                         bool scores) {
  return std::make_unique<TwoLevel>(seeds, dtype, scores);
}

Data::Data(const std::vector<uint64_t>& seeds, int batch, bool padded, uint64_t key)
    : padded_(padded) {
  const TaskSpec task = tiny_task();
  const auto models = static_cast<int64_t>(seeds.size());
  const int64_t row = task.positions;
  tokens_ = Buffer({models, batch, row}, DType::i32);
  targets_ = Buffer({models, batch, row}, DType::i32);
  lengths_ = Buffer({models, batch}, DType::i32);
  ids_ = Buffer({models, batch}, DType::i32);
  for (int64_t m = 0; m < models; ++m) {
    const Rng rng(seeds[static_cast<size_t>(m)], stream_of("data"), key);
    for (int64_t i = 0; i < batch * row; ++i) {
      const auto at = static_cast<uint64_t>(2 * i);
      const int64_t place = m * batch * row + i;
      tokens_.tensor().as<int32_t>()[place] =
          static_cast<int32_t>(rng.below(at, static_cast<uint32_t>(task.vocab)));
      // One in four positions has no target.
      targets_.tensor().as<int32_t>()[place] = static_cast<int32_t>(rng.below(at + 1, 4)) - 1;
    }
    for (int64_t b = 0; b < batch; ++b) {
      lengths_.tensor().as<int32_t>()[m * batch + b] = static_cast<int32_t>(row - b % 3);
      ids_.tensor().as<int32_t>()[m * batch + b] = static_cast<int32_t>(b);
    }
  }
}

Inputs Data::inputs() const {
  Inputs in;
  in.tokens = tokens_;
  in.ids = ids_;
  if (padded_) {
    in.lengths = lengths_;
  }
  return in;
}

Trajectory& ModelRun::forward(const Inputs& in, const Plan& plan) {
  arena_.reset();
  const bool recording = plan.gradient.kind != Gradient::Kind::none;
  tape_ = std::make_unique<Tape>(Context{&arena_, threads_, {}}, recording);
  unroll(model_, in, plan, *tape_, out_);
  return out_;
}

std::vector<double> ModelRun::loss(const Data& data, Plan plan, bool backward) {
  if (!backward) {
    plan.gradient = {};
  }
  forward(data.inputs(), plan);
  model_.params().zero_grad();
  Tape& tape = *tape_;
  const DType dtype = model_.params().dtype();
  std::vector<double> total(static_cast<size_t>(model_.models()), 0);
  const Tensor weight = make_tensor(arena_, data.targets().shape, dtype);
  const Tensor ones = make_tensor(arena_, weight.shape, dtype);
  with_float(dtype, [&]<class T>() {
    std::fill_n(weight.as<T>(), weight.numel(), static_cast<T>(0.25));
    std::fill_n(ones.as<T>(), ones.numel(), T{1});
  });
  for (const Readout& y : out_.readouts) {
    tape.ctx.models = y.models;
    Var loss = ad::softmax_xent(tape, y.logits, data.targets(), weight);
    if (y.halt) {
      const Shape rows = {model_.models(), y.halt.value().numel() / model_.models()};
      const Tensor one(rows, dtype, ones.data);
      loss = ad::add(tape, loss, ad::sigmoid_xent(tape, ad::reshape(tape, y.halt, rows), one, one));
    }
    if (backward) {
      tape.seed_grad(loss);
    }
    for (int i = 0; i < tape.ctx.model_count(loss.value()); ++i) {
      const int m = tape.ctx.model(i);
      total[static_cast<size_t>(m)] += numbers_of(loss.value(), m)[0];
    }
    tape.ctx.models = {};
  }
  if (backward) {
    tape.backward();
  }
  return total;
}

Plan plan_of(const std::string& depth, SaveAt::Readouts readouts, Gradient gradient) {
  Plan plan;
  plan.depth = Depth::parse(depth);
  plan.save.readouts = readouts;
  plan.gradient = gradient;
  return plan;
}

bool same_bits(const Tensor& a, const Tensor& b) {
  return a.shape == b.shape && a.dtype == b.dtype && std::memcmp(a.data, b.data, a.bytes()) == 0;
}

std::vector<std::byte> bytes_of(const Tensor& x) {
  const auto* first = static_cast<const std::byte*>(x.data);
  return {first, first + x.bytes()};
}

std::vector<double> gradients_of(const Params& params, int m) {
  std::vector<double> out;
  for (const Param& p : params) {
    const std::vector<double> mine = numbers_of(p.grad, m);
    out.insert(out.end(), mine.begin(), mine.end());
  }
  return out;
}

std::vector<double> values_of(const Params& params, int m) {
  std::vector<double> out;
  for (const Param& p : params) {
    const std::vector<double> mine = numbers_of(p.value, m);
    out.insert(out.end(), mine.begin(), mine.end());
  }
  return out;
}

}  // namespace sv::models_test

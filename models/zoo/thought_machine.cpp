// thought_machine: the continuous thought machine (Darlow et al., arXiv 2505.05522). D neurons, and
// at every tick
//
//   q = W_q s_action,  o = attention(q; keys and values of e)         s: synchronisations, below
//   a = N(glu(W [o ; z])) / the synapses               pre-activations, of which M are remembered
//   z_d = net_d(a_d of the last M ticks)               a small net of each neuron's own
//   y = W_y s_out                                      all positions' answers at once
//
// A synchronisation of a pair (i, j) of neurons is alpha / sqrt(beta) with alpha <- r alpha + z_i
// z_j and beta <- r beta + 1, r = exp(-softplus(w)) learned; s_action is updated before the
// attention, s_out at the end of the tick. Start state and start history are learned. Train with
// train.supervision=best_certain. What differs from the authors' code: synapses of one layer, no
// dropout; the decay is a softplus, theirs is cut at 0; pairs are drawn once, for all seeds.
#include <cmath>

#include "core/rng.h"
#include "models/parts/parts.h"
#include "models/zoo.h"

namespace sv {

namespace {

enum : int { kHistory = 0, kNeurons = 1, kAction = 2, kOut = 3 };
constexpr double kDecayStart = -5;  // r = 0.993

/// The neurons of every pair: distinct pairs while there are enough.
std::vector<int> draw_pairs(const char* stream, int pairs, int neurons) {
  const Rng rng(0, stream_of(stream));
  std::vector<int> out;
  for (int i = 0; i < 2 * pairs; ++i) {
    out.push_back(
        static_cast<int>(rng.below(static_cast<uint64_t>(i), static_cast<uint32_t>(neurons))));
  }
  return out;
}

/// One kind of synchronisation: pairs and their decays. State (M,B,2P): alpha, then beta.
class Synchronisation {
 public:
  Synchronisation(Params& params, const std::string& name, int pairs, int neurons)
      : pairs_(pairs), decay_(params.add(name + ".decay", {pairs}, Init::constant(kDecayStart))) {
    const std::vector<int> drawn = draw_pairs(name.c_str(), pairs, neurons);
    left_.assign(drawn.begin(), drawn.begin() + pairs);
    right_.assign(drawn.begin() + pairs, drawn.end());
  }
  Var updated(Pass& pass, Var state, Var z) const {
    Tape& t = pass.tape;
    const Var rate =
        ad::affine(t, ad::activate(t, ops::Activation::softplus, pass.param(decay_)), -1, 0);
    const Var r = ad::activate(t, ops::Activation::exp, rate);
    const Var product =
        ad::mul(t, ad::select_columns(t, z, left_), ad::select_columns(t, z, right_));
    const Var alpha = ad::slice_columns(t, state, 0, pairs_);
    const Var beta = ad::slice_columns(t, state, pairs_, pairs_);
    return ad::concat(t,
                      ad::add(t, ad::mul_columns(t, alpha, r), product),
                      ad::affine(t, ad::mul_columns(t, beta, r), 1, 1));
  }
  /// alpha / sqrt(beta): (M,B,P); beta is at least 1 after an update.
  Var value(Pass& pass, Var state) const {
    Tape& t = pass.tape;
    const Var beta = ad::slice_columns(t, state, pairs_, pairs_);
    const Var root =
        ad::activate(t,
                     ops::Activation::exp,
                     ad::affine(t, ad::activate(t, ops::Activation::log, beta), -0.5, 0));
    return ad::mul(t, ad::slice_columns(t, state, 0, pairs_), root);
  }
  int pairs() const { return pairs_; }

 private:
  int pairs_;
  ParamId decay_;
  std::vector<int> left_, right_;
};

class ThoughtMachine : public Reasoner {
 public:
  explicit ThoughtMachine(const ModelArgs& a)
      : Reasoner(a.seeds, a.dtype, a.device, a.allocate),
        s_(a.model),
        positions_(a.task.positions),
        answers_(a.task.answers),
        embed_(params_, a.task, a.model),
        action_(params_, "action", a.model.pairs, a.model.width),
        out_(params_, "out", a.model.pairs, a.model.width) {
    SV_CHECK(s_.width % s_.heads == 0,
             "model.heads=",
             s_.heads,
             " does not divide model.width=",
             s_.width);
    const int64_t d = s_.width, m = s_.memory, f = s_.neuron_hidden;
    features_ = parts::Linear(params_, "features", d, d, parts::fan_in(d), true);
    features_norm_ = parts::Norm(params_, "features_norm", "layernorm", d);
    query_ = parts::Linear(params_, "query", s_.pairs, d, parts::fan_in(s_.pairs), true);
    q_ = parts::Linear(params_, "attn.q", d, d, parts::fan_in(d), true);
    k_ = parts::Linear(params_, "attn.k", d, d, parts::fan_in(d), true);
    v_ = parts::Linear(params_, "attn.v", d, d, parts::fan_in(d), true);
    attn_out_ = parts::Linear(params_, "attn.out", d, d, parts::fan_in(d), true);
    synapse_ = parts::Linear(params_, "synapse", 2 * d, 2 * d, parts::fan_in(2 * d), true);
    synapse_norm_ = parts::Norm(params_, "synapse_norm", "layernorm", d);
    neuron_in_ = params_.add("neuron.in.weight", {d, 2 * f, m}, parts::fan_in(m + d), true);
    neuron_in_bias_ = params_.add("neuron.in.bias", {d, 2 * f}, Init::zeros());
    neuron_out_ = params_.add("neuron.out.weight", {d, 2, f}, parts::fan_in(f + d), true);
    neuron_out_bias_ = params_.add("neuron.out.bias", {d, 2}, Init::zeros());
    start_ = params_.add("start", {d}, parts::fan_in(d));
    start_history_ = params_.add("start_history", {d, m}, parts::fan_in(d + m));
    head_ = parts::Linear(
        params_, "readout.head", s_.pairs, positions_ * answers_, parts::fan_in(s_.pairs), true);
    schedule_.parts = {"history", "neurons", "action", "out"};
    schedule_.writes = {kNeurons};
    schedule_.index = {"tick"};
    schedule_.together = true;
    sites_ = {{Phase::encode, Point::encoded},
              {Phase::loop, Point::attn_pattern, 0},
              {Phase::loop, Point::attn_out, 0},
              {Phase::readout, Point::logits}};
    add_state_sites(sites_, schedule_);
  }

  const Schedule& schedule() const override { return schedule_; }
  std::vector<Site> sites() const override { return sites_; }
  Var encode(Pass& pass, const Inputs& in) override {
    const Var x = features_(pass, embed_(pass, in));
    return pass.tap(Point::encoded, features_norm_(pass, x));
  }
  State init(Pass& pass, const Inputs& in, Var e) override {
    Tape& t = pass.tape;
    const int64_t models = e.shape()[0], batch = in.batch();
    const int64_t d = s_.width, m = s_.memory;
    // A learned row for every example: zeros plus the row.
    const auto spread = [&](ParamId id, const Shape& shape) {
      const int64_t size = shape.numel() / (models * batch);
      const Var zero = parts::zeros(pass, {models, batch, size}, e.value().dtype);
      const Var row = ad::reshape(t, pass.param(id), {models, size});
      return ad::reshape(t, ad::add_columns(t, zero, row), shape);
    };
    State h;
    h[kHistory] = spread(start_history_, {models, batch, d, m});
    h[kNeurons] = spread(start_, {models, batch, d});
    const Var none = parts::zeros(pass, {models, batch, 2 * s_.pairs}, e.value().dtype);
    h[kAction] = none;
    h[kOut] = out_.updated(pass, none, h[kNeurons]);
    return h;
  }
  State step(Pass& pass, const Inputs& in, const State& h, Var e) override {
    Tape& t = pass.tape;
    State after = h;
    after[kAction] = action_.updated(pass, h[kAction], h[kNeurons]);
    const Var o = attend(pass, in, action_.value(pass, after[kAction]), e);
    const Var synapse = glu(pass, synapse_(pass, ad::concat(t, o, h[kNeurons])));
    const Var a = synapse_norm_(pass, synapse);  // (M,B,D)
    const Shape& past = h[kHistory].shape();
    const Var now = ad::reshape(t, a, past.with(3, 1));
    after[kHistory] = ad::concat(t, ad::slice_columns(t, h[kHistory], 1, past[3] - 1), now);
    after[kNeurons] = neurons(pass, after[kHistory]);
    after[kOut] = out_.updated(pass, h[kOut], after[kNeurons]);
    return after;
  }
  Var readout(Pass& pass, const Inputs& in, const State& h, Var) override {
    const Var y = head_(pass, out_.value(pass, h[kOut]));
    const Shape all = {y.shape()[0], in.batch(), positions_, answers_};
    return pass.tap(Point::logits, ad::reshape(pass.tape, y, all));
  }

 private:
  /// First half times the sigmoid of the second, along the last axis.
  static Var glu(Pass& pass, Var x) {
    Tape& t = pass.tape;
    const int64_t half = x.shape()[-1] / 2;
    const Var gate = ad::activate(t, ops::Activation::sigmoid, ad::slice_columns(t, x, half, half));
    return ad::mul(t, ad::slice_columns(t, x, 0, half), gate);
  }
  /// What the synchronisations ask of the input: (M,B,D).
  Var attend(Pass& pass, const Inputs& in, Var synchronisation, Var e) const {
    Tape& t = pass.tape;
    const int64_t models = e.shape()[0], batch = in.batch();
    Var q = q_(pass, query_(pass, synchronisation));
    q = ad::reshape(t, q, {models, batch, 1, s_.width});
    ops::AttentionMask mask;
    mask.lengths = in.lengths;
    const double scale = 1.0 / std::sqrt(static_cast<double>(s_.width / s_.heads));
    Var p = ad::attention_pattern(t, q, k_(pass, e), mask, s_.heads, s_.heads, scale);
    p = pass.tap(Point::attn_pattern, p, 0);
    const Var mixed = ad::attention_mix(t, p, v_(pass, e), s_.heads, s_.heads);
    const Var o = pass.tap(Point::attn_out, attn_out_(pass, mixed), 0);
    return ad::reshape(t, o, {models, batch, s_.width});
  }
  /// z from the history (M,B,D,M): two layers per neuron, each with a gate.
  Var neurons(Pass& pass, Var history) const {
    Tape& t = pass.tape;
    Var x = ad::grouped_matmul(t, history, pass.param(neuron_in_), pass.param(neuron_in_bias_));
    x = ad::grouped_matmul(t, glu(pass, x), pass.param(neuron_out_), pass.param(neuron_out_bias_));
    const Shape& shape = history.shape();
    return ad::reshape(t, glu(pass, x), {shape[0], shape[1], shape[2]});
  }

  ModelSettings s_;
  int64_t positions_, answers_;
  Schedule schedule_;
  parts::Embed embed_;
  parts::Linear features_, query_, q_, k_, v_, attn_out_, synapse_, head_;
  parts::Norm features_norm_, synapse_norm_;
  Synchronisation action_, out_;
  ParamId neuron_in_, neuron_in_bias_, neuron_out_, neuron_out_bias_, start_, start_history_;
  std::vector<Site> sites_;
};

}  // namespace

std::unique_ptr<Reasoner> make_thought_machine(const ModelArgs& args) {
  return std::make_unique<ThoughtMachine>(args);
}

}  // namespace sv

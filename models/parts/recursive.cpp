#include "models/parts/recursive.h"

#include <cmath>

#include "kernels/autograd/layout_ops.h"
#include "kernels/memory/copy.h"

namespace sv::parts {

void check_recursive(const ModelSettings& s, const TaskSpec& task) {
  SV_CHECK(s.positions != "task",
           "model.positions=task: ",
           s.name,
           " has rope, learned or no positions; learned is the nearest");
  SV_CHECK(!s.puzzle_embedding || s.prefix > 0,
           "model.puzzle_embedding needs a position: set model.prefix to at least 1");
  const int needed = std::max(s.token_shift + task.vocab, s.answer_shift + task.answers);
  SV_CHECK(s.symbols > 0 ? needed <= s.symbols : s.token_shift + s.answer_shift == 0,
           "model.symbols = ",
           s.symbols,
           ": ",
           needed,
           " rows are needed for ",
           task.vocab,
           " input symbols from row ",
           s.token_shift,
           " on and ",
           task.answers,
           " answers from row ",
           s.answer_shift,
           " on");
  SV_CHECK(!s.tied_head || s.symbols > 0 || task.vocab >= task.answers,
           "model.tied_head: the embedding has ",
           task.vocab,
           " rows and the readout needs ",
           task.answers,
           "; set model.symbols");
}

std::vector<Block> recursive_module(Params& params,
                                    const std::string& name,
                                    const ModelSettings& s,
                                    const TaskSpec& task) {
  BlockShape shape = block_shape(s, task);
  shape.matrix = lecun;
  shape.output = lecun;
  std::vector<Block> out;
  for (int l = 0; l < s.layers; ++l) {
    out.emplace_back(params, name + "." + std::to_string(l), shape, l);
  }
  return out;
}

std::vector<Site> recursive_sites(const ModelSettings& s, int parts) {
  std::vector<Site> out = {{Phase::encode, Point::encoded}, {Phase::readout, Point::logits}};
  for (int part = 0; part < parts; ++part) {
    out.push_back({Phase::loop, Point::state_in, -1, 0, part});
    out.push_back({Phase::loop, Point::state_out, -1, 0, part});
  }
  out.push_back({Phase::loop, Point::injected});
  for (int l = 0; l < s.layers; ++l) {
    Block::add_sites(out, Phase::loop, l, s.mixer == "attention");
  }
  if (s.halt_head) {
    out.push_back({Phase::loop, Point::halt});
  }
  return out;
}

namespace {

/// 0, 1, 2, ... or zeros, where the parameters are.
Buffer id_buffer(const Params& params, int64_t count, bool counting) {
  Buffer ids({1, 1, count}, DType::i32);
  for (int64_t i = 0; i < count; ++i) {
    ids.tensor().as<int32_t>()[i] = counting ? static_cast<int32_t>(i) : 0;
  }
  return placed(std::move(ids), params.device());
}

/// Symbols moved to the rows that stand for them.
Tensor shifted(const Context& ctx, const Tensor& ids, int by) {
  if (by == 0) {
    return ids;
  }
  const Tensor from = to_host(ctx, ids);
  const Tensor out = host_tensor(ctx, from.shape, DType::i32);
  for (int64_t i = 0; i < out.numel(); ++i) {
    out.as<int32_t>()[i] = from.as<int32_t>()[i] + by;
  }
  return to_device(ctx, out);
}

}  // namespace

RecursiveEncoder::RecursiveEncoder(Params& params, const TaskSpec& task, const ModelSettings& s)
    : width_(s.width), prefix_(s.prefix), token_shift_(s.token_shift) {
  const int64_t positions = s.prefix + task.positions;
  tokens_ = params.add(
      "embed.tokens", {s.symbols > 0 ? s.symbols : task.vocab, width_}, lecun(width_), true);
  if (s.positions == "learned") {
    positions_ = params.add("embed.positions", {positions, width_}, lecun(width_), true);
    places_ = id_buffer(params, positions, true);
  }
  if (s.puzzle_embedding) {
    puzzles_ = params.add("embed.puzzle", {1, width_}, Init::zeros());
    params[puzzles_].sparse_sign = true;
    zeros_ = id_buffer(params, 1, false);
  }
}

Var RecursiveEncoder::with_prefix(Pass& pass, const Inputs& in, Var x) const {
  if (prefix_ == 0) {
    return x;
  }
  const int64_t models = x.shape()[0], empty = prefix_ - (puzzles_ < 0 ? 0 : 1);
  if (empty > 0) {
    x = ad::concat_positions(
        pass.tape, zeros(pass, {models, 1, empty, width_}, x.value().dtype), x);
  }
  if (puzzles_ >= 0) {
    x = ad::concat_positions(
        pass.tape, ad::embed(pass.tape, zeros_, pass.param(puzzles_), in.batch()), x);
  }
  return x;
}

Var RecursiveEncoder::operator()(Pass& pass, const Inputs& in) const {
  Tape& t = pass.tape;
  const Tensor ids = shifted(t.ctx, in.tokens, token_shift_);
  Var x = with_prefix(pass, in, ad::embed(t, ids, pass.param(tokens_), in.batch()));
  double scale = std::sqrt(static_cast<double>(width_));
  if (positions_ >= 0) {
    x = ad::add(t, x, ad::embed(t, places_, pass.param(positions_), in.batch()));
    scale *= std::sqrt(0.5);  // keeps the variance
  }
  return pass.tap(Point::encoded, ad::scale(t, x, scale));
}

Var relax(Pass& pass, const Inputs& in, const ModelSettings& s, Var h, Var f) {
  if (s.damping < 1) {
    f = ad::mix(pass.tape, h, 1 - s.damping, f, s.damping);
  }
  if (s.noise > 0) {
    const Var eps = noise(pass, in, "update_noise", {h.shape()[2], h.shape()[3]}, h.value().dtype);
    f = ad::mix(pass.tape, f, 1, eps, s.noise);
  }
  return f;
}

RecursiveHead::RecursiveHead(Params& params,
                             const TaskSpec& task,
                             const ModelSettings& s,
                             const RecursiveEncoder& encoder)
    : prefix_(s.prefix),
      positions_(task.positions),
      answers_(task.answers),
      answer_shift_(s.answer_shift) {
  symbols_ = s.symbols > 0 ? s.symbols : s.tied_head ? task.vocab : task.answers;
  matrix_ = s.tied_head
                ? encoder.table()
                : params.add("readout.head.weight", {symbols_, s.width}, lecun(s.width), true);
  if (s.halt_head) {
    q_weight_ = params.add("halt.weight", {2, s.width}, Init::zeros(), true);
    q_bias_ = params.add("halt.bias", {2}, Init::constant(-5), true);
  }
}

Var RecursiveHead::logits(Pass& pass, Var z) const {
  if (prefix_ > 0) {
    z = ad::slice_positions(pass.tape, z, prefix_, positions_);
  }
  Var y = ad::matmul(pass.tape, z, pass.param(matrix_), {}, pass.panels(matrix_));
  if (symbols_ > answers_) {
    y = ad::slice_columns(pass.tape, y, answer_shift_, answers_);
  }
  return pass.tap(Point::logits, y);
}

Var RecursiveHead::score(Pass& pass, Var z, int which) const {
  if (q_weight_ < 0) {
    return {};
  }
  Tape& t = pass.tape;
  const Var first = ad::slice_positions(t, z, 0, 1);  // (M,B,1,D)
  const Var both =
      ad::matmul(t, first, pass.param(q_weight_), pass.param(q_bias_), pass.panels(q_weight_));
  return ad::reshape(t, ad::slice_columns(t, both, which, 1), {z.shape()[0], z.shape()[1]});
}

}  // namespace sv::parts

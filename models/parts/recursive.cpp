#include "models/parts/recursive.h"

#include <cmath>
#include <numeric>

#include "kernels/autograd/layout_ops.h"
#include "kernels/memory/copy.h"

namespace sv::parts {

bool names_puzzles(const ModelSettings& s, const TaskSpec& task) {
  return s.puzzles > 0 && task.puzzles > 0;
}

namespace {

/// Symbols of the task's tokens that are no puzzles.
int input_symbols(const ModelSettings& s, const TaskSpec& task) {
  return task.vocab - (names_puzzles(s, task) ? task.puzzles : 0);
}

}  // namespace

void check_recursive(const ModelSettings& s, const TaskSpec& task) {
  SV_CHECK(s.positions != "task",
           "model.positions=task: ",
           s.name,
           " has rope, learned or no positions; learned is the nearest");
  SV_CHECK(s.puzzles == 0 || s.prefix > 0,
           "model.puzzles = ",
           s.puzzles,
           " needs a position: set model.prefix to at least 1");
  SV_CHECK(s.puzzles == 0 || task.puzzles == 0 || s.puzzles >= task.puzzles,
           "model.puzzles = ",
           s.puzzles,
           ": ",
           task.name,
           " names ",
           task.puzzles,
           " puzzles");
  const int vocab = input_symbols(s, task);
  const int needed = std::max(s.token_shift + vocab, s.answer_shift + task.answers);
  SV_CHECK(s.symbols > 0 ? needed <= s.symbols : s.token_shift + s.answer_shift == 0,
           "model.symbols = ",
           s.symbols,
           ": ",
           needed,
           " rows are needed for ",
           vocab,
           " input symbols from row ",
           s.token_shift,
           " on and ",
           task.answers,
           " answers from row ",
           s.answer_shift,
           " on");
  SV_CHECK(!s.tied_head || s.symbols > 0 || vocab >= task.answers,
           "model.tied_head: the embedding has ",
           vocab,
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

/// i32 (1|M,B,T) ids from `first` on, each moved by `by`.
Tensor moved(const Context& ctx, const Tensor& ids, int64_t first, int64_t count, int by) {
  if (by == 0 && first == 0 && count == ids.dim(2)) {
    return ids;
  }
  const Tensor from = to_host(ctx, ids);
  const Tensor out = host_tensor(ctx, from.shape.with(2, count), DType::i32);
  for (int64_t i = 0; i < out.numel(); ++i) {
    out.as<int32_t>()[i] = from.as<int32_t>()[i / count * ids.dim(2) + first + i % count] + by;
  }
  return to_device(ctx, out);
}

}  // namespace

RecursiveEncoder::RecursiveEncoder(Params& params, const TaskSpec& task, const ModelSettings& s)
    : width_(s.width), prefix_(s.prefix), token_shift_(s.token_shift) {
  const bool named = names_puzzles(s, task);
  const int symbols = input_symbols(s, task);
  first_puzzle_ = named ? symbols : 0;
  tokens_ = params.add(
      "embed.tokens", {s.symbols > 0 ? s.symbols : symbols, width_}, lecun(width_), true);
  if (s.positions == "learned") {
    const int64_t positions = s.prefix + task.positions - (named ? 1 : 0);
    positions_ = params.add("embed.positions", {positions, width_}, lecun(width_), true);
    places_ = Buffer({1, 1, positions}, DType::i32);
    std::iota(places_.tensor().as<int32_t>(), places_.tensor().as<int32_t>() + positions, 0);
    places_ = placed(std::move(places_), params.device());
  }
  if (s.puzzles > 0) {
    puzzles_ = params.add("embed.puzzles", {s.puzzles, width_}, Init::zeros());
    params[puzzles_].sparse_sign = true;
  }
}

Var RecursiveEncoder::with_prefix(Pass& pass, const Tensor& tokens, Var x) const {
  if (prefix_ == 0) {
    return x;
  }
  Tape& t = pass.tape;
  const int64_t models = x.shape()[0], empty = prefix_ - (puzzles_ < 0 ? 0 : 1);
  if (empty > 0) {
    x = ad::concat_positions(t, zeros(pass, {models, 1, empty, width_}, x.value().dtype), x);
  }
  if (puzzles_ < 0) {
    return x;
  }
  Tensor ids = host_tensor(t.ctx, {1, 1, 1}, DType::i32);
  ids.zero();
  ids = first_puzzle_ > 0 ? moved(t.ctx, tokens, 0, 1, -first_puzzle_) : to_device(t.ctx, ids);
  return ad::concat_positions(t, ad::embed(t, ids, pass.param(puzzles_), tokens.dim(1)), x);
}

Var RecursiveEncoder::operator()(Pass& pass, const Inputs& in) const {
  Tape& t = pass.tape;
  const int64_t first = first_puzzle_ > 0 ? 1 : 0;
  const Tensor ids = moved(t.ctx, in.tokens, first, in.tokens.dim(2) - first, token_shift_);
  Var x = with_prefix(pass, in.tokens, ad::embed(t, ids, pass.param(tokens_), in.batch()));
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
    : begin_(s.prefix - (names_puzzles(s, task) ? 1 : 0)),
      positions_(task.positions),
      answers_(task.answers),
      symbols_(s.symbols > 0 ? s.symbols
               : s.tied_head ? input_symbols(s, task)
                             : task.answers),
      answer_shift_(s.answer_shift) {
  matrix_ = s.tied_head
                ? encoder.table()
                : params.add("readout.head.weight", {symbols_, s.width}, lecun(s.width), true);
  if (s.halt_head) {
    q_weight_ = params.add("halt.weight", {2, s.width}, Init::zeros(), true);
    q_bias_ = params.add("halt.bias", {2}, Init::constant(-5), true);
  }
}

Var RecursiveHead::logits(Pass& pass, Var z) const {
  if (begin_ > 0) {
    z = ad::slice_positions(pass.tape, z, begin_, positions_);
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

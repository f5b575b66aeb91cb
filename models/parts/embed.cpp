// Tokens and coordinates to the encoded input.
#include <algorithm>
#include <cmath>

#include "kernels/memory/copy.h"
#include "models/kv_cache.h"
#include "models/parts/parts.h"

namespace sv::parts {

Embed::Embed(Params& params, const TaskSpec& task, const ModelSettings& s, const Init& tokens)
    : tokens_(
          params.add("embed.tokens", {s.symbols > 0 ? s.symbols : task.vocab, s.width}, tokens)),
      scale_(s.embedding_scale ? std::sqrt(static_cast<double>(s.width)) : 1) {
  SV_CHECK(s.symbols == 0 || s.symbols >= task.vocab,
           "model.symbols = ",
           s.symbols,
           ": the task has ",
           task.vocab,
           " input symbols");
  std::vector<Channel> channels;
  const bool learned =
      s.positions == "learned" || (s.positions == "task" && task.coordinates.empty());
  if (learned) {
    Channel c{"positions", task.positions, {}};
    for (int32_t t = 0; t < task.positions; ++t) {
      c.ids.push_back(t);
    }
    channels.push_back(c);
  } else if (s.positions == "task") {
    channels = task.coordinates;
  }
  for (const Channel& c : channels) {
    SV_CHECK(static_cast<int>(c.ids.size()) == task.positions,
             "channel ",
             c.name,
             " has ",
             c.ids.size(),
             " ids for ",
             task.positions,
             " positions");
    Buffer ids({1, 1, task.positions}, DType::i32);
    std::copy(c.ids.begin(), c.ids.end(), ids.tensor().as<int32_t>());
    coordinates_.push_back(
        {params.add("embed." + c.name, {c.size, s.width}, Init::normal(kEmbeddingStd)),
         placed(std::move(ids), params.device())});
  }
}

Var Embed::operator()(Pass& pass, const Inputs& in) const {
  Var x = ad::embed(pass.tape, in.tokens, pass.param(tokens_), in.batch());
  if (scale_ != 1) {
    x = ad::scale(pass.tape, x, scale_);
  }
  for (const Coordinate& c : coordinates_) {
    Tensor ids = c.ids;
    if (pass.cache != nullptr) {  // the open positions
      ids = {{1, 1, pass.cache->count()}, DType::i32, ids.as<int32_t>() + pass.cache->begin()};
    }
    x = ad::add(pass.tape, x, ad::embed(pass.tape, ids, pass.param(c.table), in.batch()));
  }
  return x;
}

}  // namespace sv::parts

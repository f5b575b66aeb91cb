// Tokens and coordinates to the encoded input.
#include <algorithm>

#include "kernels/memory/copy.h"
#include "models/parts/parts.h"

namespace sv::parts {

namespace {
constexpr double kEmbeddingStd = 0.7;
}

Embed::Embed(Params& params, const TaskSpec& task, const ModelSettings& s)
    : tokens_(params.add("embed.tokens", {task.vocab, s.width}, Init::normal(kEmbeddingStd))) {
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
  for (const Coordinate& c : coordinates_) {
    x = ad::add(pass.tape, x, ad::embed(pass.tape, c.ids, pass.param(c.table), in.batch()));
  }
  return x;
}

}  // namespace sv::parts

#include "models/parts/gru.h"

namespace sv::parts {

Gru::Gru(Params& params, const std::string& name, int64_t in, int64_t width)
    : width_(width),
      input_(params, name + ".input", in, 3 * width, fan_in(in), true),
      state_(params, name + ".state", width, 3 * width, fan_in(width), true) {}

Var Gru::gates(Pass& pass, Var x) const {
  return input_(pass, x);
}

Var Gru::operator()(Pass& pass, Var h, Var gates) const {
  Tape& t = pass.tape;
  const auto sigmoid = [&](Var x) { return ad::activate(t, ops::Activation::sigmoid, x); };
  const Var u = state_(pass, h);
  const Var both = sigmoid(ad::add(
      t, ad::slice_columns(t, gates, 0, 2 * width_), ad::slice_columns(t, u, 0, 2 * width_)));
  const Var r = ad::slice_columns(t, both, 0, width_);
  const Var z = ad::slice_columns(t, both, width_, width_);
  const Var i_n = ad::slice_columns(t, gates, 2 * width_, width_);
  const Var u_n = ad::slice_columns(t, u, 2 * width_, width_);
  const Var n = ad::activate(t, ops::Activation::tanh, ad::add(t, i_n, ad::mul(t, r, u_n)));
  return ad::add(t, n, ad::mul(t, z, ad::mix(t, h, 1, n, -1)));
}

namespace {

/// Positions [begin, end) joined pairwise, so that none is copied more than log T times.
Var joined(Tape& t, const Var* states, int64_t begin, int64_t end) {
  if (end - begin == 1) {
    return states[begin];
  }
  const int64_t middle = begin + (end - begin) / 2;
  return ad::concat_positions(t, joined(t, states, begin, middle), joined(t, states, middle, end));
}

}  // namespace

Var Gru::over(Pass& pass, Var x, bool backwards, Var in_use) const {
  Tape& t = pass.tape;
  const Var all = gates(pass, x);
  const int64_t models = x.shape()[0], batch = x.shape()[1], positions = x.shape()[2];
  Var* states = t.host().alloc_n<Var>(static_cast<size_t>(positions));
  Var h = zeros(pass, {models, batch, 1, width_}, x.value().dtype);
  for (int64_t i = 0; i < positions; ++i) {
    const int64_t at = backwards ? positions - 1 - i : i;
    h = (*this)(pass, h, ad::slice_positions(t, all, at, 1));
    if (in_use) {
      h = ad::mul_rows(t, h, ad::slice_positions(t, in_use, at, 1));
    }
    states[at] = h;
  }
  return joined(t, states, 0, positions);
}

}  // namespace sv::parts

#include "models/parts/conv.h"

#include <cmath>

namespace sv::parts {

namespace {
constexpr int kKernel = 3;

int64_t taps(int dimensions) {
  return dimensions == 1 ? kKernel : kKernel * kKernel;
}
}  // namespace

Conv::Conv(Params& params, const std::string& name, int dimensions, int64_t in, int64_t out)
    : dimensions_(dimensions),
      map_(params, name, taps(dimensions) * in, out, fan_in(taps(dimensions) * in)) {}

Var Conv::operator()(Pass& pass, Var x) const {
  const int64_t positions = x.shape()[2];
  int64_t height = 1, width = positions;
  if (dimensions_ == 2) {
    height = width = std::llround(std::sqrt(static_cast<double>(positions)));
    SV_CHECK(height * width == positions, positions, " positions are no square");
  }
  const Var patches =
      ad::unfold(pass.tape, x, static_cast<int>(height), static_cast<int>(width), kKernel);
  return map_(pass, patches);
}

}  // namespace sv::parts

#include "kernels/math/atan.h"
#include "kernels/ops/adam_atan2/adam_atan2.h"
#include "kernels/ops/adamw/adamw_loop.h"

namespace sv::ops {

namespace {

struct AdamAtan2 {
  template <class T>
  static AdamWElement<T> update(const AdamWConstants<T>& c,
                                const AdamWRates<T>& r,
                                AdamWElement<T> x,
                                T grad) {
    x = adamw_moments(c, r, x, grad);
    x.param = r.keep * x.param - r.rate * point::angle(x.m, std::sqrt(x.v) * c.root);
    return x;
  }
};

}  // namespace

void adam_atan2(const Context& ctx, std::span<const AdamWTensors> list, const AdamWStep& s) {
  expect_host(ctx, "adam_atan2");
  adam::check(list, s, "adam_atan2");
  for (const AdamWTensors& t : list) {
    adam::update_tensor<AdamAtan2>(ctx, t, s);
  }
}

}  // namespace sv::ops

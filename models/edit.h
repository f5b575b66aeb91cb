// Edits: writes whose values are known without a look at the site, so that a device makes them by
// itself.
#pragma once
#include <functional>

#include "kernels/memory/context.h"
#include "models/site.h"

namespace sv {

/// One row of a site (M, B, T, W).
struct EditRow {
  const Site& site;
  const Tensor& x;  // shape and type; on a device its elements cannot be read
  int64_t m, b, t;
};

struct Edit {
  enum class Kind : uint8_t {
    replace,  // x = v
    add,      // x = x + v
    within,   // x = x + sum_k q_k (q_k . (v - x)) over orthonormal axes q
  };
  Kind kind = Kind::replace;
  /// Puts v (W) of a row; false leaves the row as it is. v is made before the reads of the same run
  /// have arrived on the host (taps.h), so it must not come from them.
  std::function<bool(const EditRow&, std::span<double> v)> value;
  std::span<const double> axes;  // (k, W) of `within`; must outlive the run
};

/// Writes the selected rows of x (M, B, T, W), of live models. On the CPU `within` sums in double,
/// axis after axis; on a device in f32, all axes together.
void apply_edit(
    const Context& ctx, const Edit& edit, const Site& site, const Select& select, const Tensor& x);
/// Zeros where the selection is, at a site of any shape.
void zero_selected(const Context& ctx, const Select& select, const Tensor& x);

}  // namespace sv

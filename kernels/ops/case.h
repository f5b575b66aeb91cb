// Case: one description of one call of an op, from which parity, gradient and law tests and bench
// entries follow. An op's cases.h returns a vector of them; kernels/ops/all_cases.cpp lists the
// ops.
#pragma once
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "core/rng.h"
#include "kernels/memory/context.h"

namespace sv::cases {

using Array = std::vector<double>;  // one tensor in double, row-major; integers too
using Arrays = std::vector<Array>;
using Tensors = std::vector<Tensor>;
using Grads = std::vector<Grad>;  // one per input, in order; mode ignore where not differentiable

/// Element type of an argument: `real` is f32 or f64, whatever the op is being run in.
enum class Kind : uint8_t { real, f64, i32 };

/// An argument that is read. Axis 0 is M, or 1 when all models share it.
struct Input {
  std::string name;
  Shape shape;
  Array values;  // representable in f32, so that f32, f64 and the reference see the same numbers
  Kind kind = Kind::real;
  bool differentiable = false;
  bool rows = false;  // axis 1 runs over rows that do not depend on each other (for the row law)
};

/// An argument that is written. `saved` outputs (norm statistics, logz) are kept for the VJP and
/// take no part in the scalar whose gradient is checked.
struct Output {
  std::string name;
  Shape shape;
  Kind kind = Kind::real;
  bool saved = false;
  bool rows = false;
  int starts_as = -1;    // an in-place output starts as a copy of this input
  Array cotangent = {};  // set by CaseRun; empty when it takes no part in the gradient
};

/// Largest allowed max|got - reference| / max(1, max|reference|), per dtype, with the reason for
/// the size.
struct Tolerance {
  double f32 = 0;  // 0 means bit-exact
  double f64 = 0;
  std::string reason;
};

struct Case {
  std::string name;  // letters, digits and blanks: "M3 N5 D7"
  int models = 1;    // M
  std::vector<Input> inputs;
  std::vector<Output> outputs;
  /// Runs the op. Shapes must be taken from the tensors: the pack law calls it with M = 1.
  std::function<void(const Context&, const Tensors& in, const Tensors& out)> run;
  /// The equation with obvious loops in double; `out` comes sized (and filled where `starts_as` is
  /// set).
  std::function<void(const Arrays& in, Arrays& out)> reference;
  /// Runs the VJP: `out` as `run` left it, `dout` one per output (empty for saved and i32). Absent:
  /// no gradient.
  std::function<void(
      const Context&, const Tensors& in, const Tensors& out, const Tensors& dout, const Grads& din)>
      vjp;
  Tolerance tolerance;
  double flops = 0;  // of the forward call, for all models
  double bytes = 0;  // read and written once by the forward call in f32
};

/// All cases of one op.
struct OpCases {
  std::string op;
  std::vector<Case> (*make)();
};

/// Standard normal values times `scale`, differentiable.
inline Input normal(const std::string& name,
                    const Shape& shape,
                    double scale = 1.0,
                    bool rows = false) {
  Input in{name, shape, Array(static_cast<size_t>(shape.numel())), Kind::real, true, rows};
  const Rng rng(7, stream_of(name));
  for (size_t i = 0; i < in.values.size(); ++i) {
    in.values[i] = static_cast<double>(static_cast<float>(scale * rng.normal(i)));
  }
  return in;
}

/// Given values of any kind, not differentiable; integers and f32-representable numbers only.
inline Input given(const std::string& name,
                   const Shape& shape,
                   Array values,
                   Kind kind = Kind::real) {
  SV_CHECK_EQ(shape.numel(), static_cast<int64_t>(values.size()), name);
  return {name, shape, std::move(values), kind, false, false};
}

/// Uniform integers in [low, high), i32.
inline Input integers(const std::string& name, const Shape& shape, int low, int high) {
  Array values(static_cast<size_t>(shape.numel()));
  const Rng rng(11, stream_of(name));
  for (size_t i = 0; i < values.size(); ++i) {
    values[i] = low + static_cast<int>(rng.below(i, static_cast<uint32_t>(high - low)));
  }
  return given(name, shape, std::move(values), Kind::i32);
}

/// The same input marked as one whose axis 1 is a row axis.
inline Input by_rows(Input in) {
  in.rows = true;
  return in;
}
/// The same input, taken out of the gradient check.
inline Input constant(Input in) {
  in.differentiable = false;
  return in;
}

}  // namespace sv::cases

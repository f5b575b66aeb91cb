// Materialises a Case: guarded memory, forward and backward calls, slices of it. For tests and
// benches only.
#pragma once
#include <memory>
#include <span>
#include <vector>

#include "kernels/ops/case.h"

namespace sv::cases {

/// A tensor with 64 sentinel bytes on each side; its own bytes start as the sentinel too.
class Guarded {
 public:
  Guarded(const Shape& shape, DType dtype);
  const Tensor& tensor() const { return tensor_; }
  void fill(const Array& values) const;
  Array read() const;
  /// No byte outside the tensor was written.
  bool intact() const;
  /// No byte of the tensor's entry `index` of axis 0 was written.
  bool untouched(int64_t index) const;

 private:
  std::unique_ptr<std::byte[]> memory_;
  std::byte* begin_ = nullptr;
  Tensor tensor_;
};

/// One case in one dtype with all of its memory.
class CaseRun {
 public:
  CaseRun(const Case& c, DType real);
  void forward(int threads, std::span<const int> models = {});
  /// Runs the VJP after `forward` with every differentiable input in `mode`, or only input `only`.
  /// Gradients start as the sentinel (overwrite) or as 0.5 (accumulate).
  void backward(int threads,
                GradientMode mode = GradientMode::overwrite,
                std::span<const int> models = {},
                int only = -1);
  const Case& description() const { return case_; }
  const std::vector<Guarded>& inputs() const { return in_; }
  const std::vector<Guarded>& outputs() const { return out_; }
  const std::vector<Guarded>& gradients() const { return din_; }
  const std::vector<Guarded>& cotangents() const { return dout_; }
  Arena& arena() { return arena_; }

 private:
  Case case_;
  Arena arena_{size_t{1} << 20};
  std::vector<Guarded> in_, out_, dout_, din_;
};

/// Model m of the case as a pack of one, and the case with only the first `rows` rows.
Case only_model(const Case& c, int m);
Case first_rows(const Case& c, int64_t rows);
/// Equal shape and equal bits.
bool same_bits(const Tensor& a, const Tensor& b);

}  // namespace sv::cases

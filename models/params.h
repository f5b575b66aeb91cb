// Params: named parameters (M, ...) with their gradients; init, lookup, counting. The names are
// those of the safetensors file.
#pragma once
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "kernels/memory/tensor.h"
#include "kernels/ops/matmul/matmul.h"

namespace sv {

/// How a parameter starts. Draws are keyed by (the model's own seed, "init." + name, element),
/// never by its place.
struct Init {
  enum class Kind : uint8_t {
    constant,
    normal,
    uniform,
    truncated_normal,
    identity
  } kind = Kind::constant;
  double scale = 0;  // the constant; the standard deviation; the half-width
  double cut = 0;    // of truncated_normal: draws lie within cut * scale

  static Init zeros() { return {Kind::constant, 0}; }
  static Init ones() { return {Kind::constant, 1}; }
  static Init constant(double value) { return {Kind::constant, value}; }
  /// The identity matrix: ones where row and column agree.
  static Init identity() { return {Kind::identity, 1}; }
  static Init normal(double std_dev) { return {Kind::normal, std_dev}; }
  static Init uniform(double half_width) { return {Kind::uniform, half_width}; }
  /// A normal of that standard deviation without its tails beyond `cut` standard deviations, which
  /// must be at least 0.5. What is left spreads less; `corrected` widens the normal so that the
  /// draws have `std_dev` (jax.nn.initializers' truncated normal; HRM with cut 2 and std_dev =
  /// 1/sqrt(inputs)). They then lie within cut * std_dev / truncated_std(cut).
  static Init truncated_normal(double std_dev, double cut, bool corrected = false);
};

/// Standard deviation of a standard normal that is cut at +-cut:
/// sqrt(1 - 2 cut phi(cut) / (2 Phi(cut) - 1)).
double truncated_std(double cut);

using ParamId = int;

struct Param {
  std::string name;
  Shape shape;   // (M, ...)
  Buffer value;  // of that shape, as are the gradients
  Buffer grad;
  bool decay = false;         // weight decay applies (matrices; not gains, biases, embeddings)
  bool sparse_sign = false;   // a table updated by signs of gradients, used rows alone: Optimiser
  bool fixed = false;         // saved with the model, never trained and not counted
  bool halting = false;       // makes the halting score alone: what train.gate_only trains
  bool frozen = false;        // not trained at this step
  std::vector<Buffer> lanes;  // further gradients, see Params::reserve_lanes
  const Buffer& lane(int i) const { return i == 0 ? grad : lanes[static_cast<size_t>(i - 1)]; }
};

/// Which models of a pack a run is of: its tensors lead with `count` where those of the whole pack
/// lead with M.
struct Members {
  int first = 0;
  int count = 0;  // 0: all M, from the first
  int lane = 0;   // where parameter gradients go
  /// That part of a parameter, or the whole of it.
  Tensor of(const Tensor& x) const { return count == 0 || !x ? x : x.slice(first, count); }
};

class Params {
 public:
  /// One seed per model of the pack; M = seeds.size(). `dtype` f64 serves oracles and gradient
  /// checks. Values and gradients live on the device (null: the CPU), which must outlive them; they
  /// start with the same bits everywhere, drawn on the host. `allocate` false: parameters have
  /// names and shapes alone, for counting and for the layouts of files.
  explicit Params(std::vector<uint64_t> seeds,
                  DType dtype = DType::f32,
                  Device* device = nullptr,
                  bool allocate = true);

  /// Adds a parameter of per-model shape `inner` and fills it. A name that exists already throws.
  ParamId add(const std::string& name, const Shape& inner, const Init& init, bool decay = false);

  int models() const { return static_cast<int>(seeds_.size()); }
  const std::vector<uint64_t>& seeds() const { return seeds_; }
  DType dtype() const { return dtype_; }
  /// Where values and gradients are, and so where the model runs. Null: the CPU.
  Device* device() const { return device_; }
  size_t size() const { return params_.size(); }
  Param& operator[](ParamId id) { return params_[static_cast<size_t>(id)]; }
  const Param& operator[](ParamId id) const { return params_[static_cast<size_t>(id)]; }
  auto begin() { return params_.begin(); }
  auto end() { return params_.end(); }
  auto begin() const { return params_.begin(); }
  auto end() const { return params_.end(); }
  /// Id of a name; an unknown one throws and names the nearest.
  ParamId find(const std::string& name) const;
  bool allocates() const { return allocate_; }
  /// Scalars of one model that are trained.
  int64_t count() const;
  void zero_grad();

  /// Gradient buffers for runs of parts of a batch that go on at the same time, `count` in all.
  void reserve_lanes(int count);
  void zero_lane(const Members& members);
  /// Adds lanes 1 .. count-1 to the gradient of the live models, in order.
  void fold_lanes(const Context& ctx, int count);

 private:
  std::vector<uint64_t> seeds_;
  DType dtype_;
  Device* device_ = nullptr;
  bool allocate_ = true;
  std::vector<Param> params_;
};

/// The matrices of a Params as panels for matmul, packed once and read by all updates of a run or a
/// step. They are copies: pack again when a weight has changed. Products on a device read the
/// weights themselves: there nothing is packed.
class PackedWeights {
 public:
  void pack(const Context& ctx, const Params& params);
  /// Panels of the members' matrix; empty for parameters that are no matrices.
  ops::Panels of(ParamId id, const Members& members) const {
    const Entry& e = entries_[static_cast<size_t>(id)];
    return {members.of(e.y), members.of(e.dx)};
  }

 private:
  struct Entry {
    Buffer y, dx;
  };
  std::vector<Entry> entries_;
};

}  // namespace sv

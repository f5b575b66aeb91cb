// Params: named parameters (M, ...) with their gradients; init, lookup, counting. The names are
// those of the safetensors file.
#pragma once
#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "kernels/memory/tensor.h"

namespace sv {

/// How a parameter starts. Draws are keyed by (the model's own seed, "init." + name, element),
/// never by its place.
struct Init {
  enum class Kind : uint8_t { constant, normal, uniform } kind = Kind::constant;
  double scale = 0;  // the constant; the standard deviation; the half-width

  static Init zeros() { return {Kind::constant, 0}; }
  static Init ones() { return {Kind::constant, 1}; }
  static Init constant(double value) { return {Kind::constant, value}; }
  static Init normal(double std_dev) { return {Kind::normal, std_dev}; }
  static Init uniform(double half_width) { return {Kind::uniform, half_width}; }
};

using ParamId = int;

struct Param {
  std::string name;
  Buffer value;        // (M, ...)
  Buffer grad;         // (M, ...)
  bool decay = false;  // weight decay applies (matrices; not gains, biases, embeddings)
};

class Params {
 public:
  /// One seed per model of the pack; M = seeds.size(). `dtype` f64 serves oracles and gradient
  /// checks.
  explicit Params(std::vector<uint64_t> seeds, DType dtype = DType::f32);

  /// Adds a parameter of per-model shape `inner` and fills it. A name that exists already throws.
  ParamId add(const std::string& name, const Shape& inner, const Init& init, bool decay = false);

  int models() const { return static_cast<int>(seeds_.size()); }
  const std::vector<uint64_t>& seeds() const { return seeds_; }
  DType dtype() const { return dtype_; }
  size_t size() const { return params_.size(); }
  Param& operator[](ParamId id) { return params_[static_cast<size_t>(id)]; }
  const Param& operator[](ParamId id) const { return params_[static_cast<size_t>(id)]; }
  auto begin() { return params_.begin(); }
  auto end() { return params_.end(); }
  auto begin() const { return params_.begin(); }
  auto end() const { return params_.end(); }
  /// Id of a name; an unknown one throws and names the nearest.
  ParamId find(const std::string& name) const;
  /// Scalars of one model.
  int64_t count() const;
  void zero_grad();

 private:
  std::vector<uint64_t> seeds_;
  DType dtype_;
  std::vector<Param> params_;
};

}  // namespace sv

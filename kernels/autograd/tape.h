// Tape: records one hand-written VJP per op in arena memory and walks them backwards. Model code is
// forward-only. There is no double backward, on purpose (architecture.md section 6 of the design).
#pragma once
#include <new>
#include <type_traits>

#include "kernels/memory/context.h"

namespace sv {

/// A value on the tape. `grad` is arena memory that comes into being with the first contribution,
/// except for parameters, whose gradient buffer is the owner's and is always added to.
struct Node {
  Tensor value;
  Tensor grad;
  bool needs_grad = false;
  bool has_grad = false;  // grad holds a contribution
};

/// Handle of a Node; empty means "absent" (an optional bias, say). Lives as long as the arena's
/// mark.
class Var {
 public:
  Var() = default;
  explicit Var(Node* node) : node_(node) {}
  explicit operator bool() const { return node_ != nullptr; }
  Node* operator->() const { return node_; }
  /// The value, or an empty tensor for an absent Var.
  Tensor value() const { return node_ ? node_->value : Tensor{}; }
  const Shape& shape() const { return node_->value.shape; }
  bool needs_grad() const { return node_ && node_->needs_grad; }

 private:
  Node* node_ = nullptr;
};

class Tape {
 public:
  /// `recording` false: ops only compute (inference, or the updates that carry no gradient).
  Tape(const Context& context, bool recording) : ctx(context), recording_(recording) {}
  Tape(const Tape&) = delete;
  Tape& operator=(const Tape&) = delete;

  Context ctx;  // ctx.models may change between ops; every record remembers the list it ran with

  bool recording() const { return recording_; }
  /// Whoever records parameters shall record constants: only gradients of inputs are wanted.
  void fix_parameters() { fixed_parameters_ = true; }
  bool fixed_parameters() const { return fixed_parameters_; }
  Arena& arena() const { return *ctx.arena; }
  /// Memory for what host code keeps: nodes, records, lists of models.
  Arena& host() const { return ctx.host(); }

  /// A value without gradient.
  Var constant(const Tensor& value) { return Var(new_node({value, {}, false, false})); }
  /// A parameter: contributions are added to `grad`, which the owner zeroes. Empty `grad`: frozen.
  Var parameter(const Tensor& value, const Tensor& grad) {
    const bool wanted = recording_ && grad;
    return Var(new_node({value, grad, wanted, wanted}));
  }
  /// A leaf whose gradient can be asked for after backward (inputs of a checkpoint, probes of the
  /// state).
  Var input(const Tensor& value) { return Var(new_node({value, {}, recording_, false})); }
  /// The output of an op: uninitialised value; gradient wanted if recording and any input wants it.
  Var output(const Shape& shape, DType dtype, bool inputs_need_grad) {
    return Var(
        new_node({make_tensor(arena(), shape, dtype), {}, recording_ && inputs_need_grad, false}));
  }

  /// Another name for x: the same memory, a gradient of its own (to route gradients, see unroll's
  /// last_k).
  Var alias(Var x) { return Var(new_node({x->value, {}, recording_ && x.needs_grad(), false})); }

  /// Appends the VJP of the op that produced `y`: called as vjp(tape, dy) when y has received a
  /// gradient. The closure is copied into the arena, so it must be trivially destructible (capture
  /// Vars and numbers).
  template <class F>
  void record(Var y, F vjp) {
    static_assert(std::is_trivially_destructible_v<F>,
                  "a VJP may capture only Vars, tensors and numbers");
    if (!y.needs_grad()) {
      return;
    }
    auto* state = new (host().alloc(sizeof(F))) F(vjp);
    auto* entry = new (host().alloc(sizeof(Record))) Record;
    *entry = {[](void* s, Tape& tape, const Tensor& dy) { (*static_cast<F*>(s))(tape, dy); },
              state,
              y,
              ctx.models,
              last_};
    last_ = entry;
  }

  /// Where a VJP writes the gradient of `x`: ignored, first written, or added.
  Grad grad_into(Var x);
  /// dx += dy, taking over dy's memory when it is the first contribution and nobody reads dy later.
  void pass_grad(Var x, const Tensor& dy);
  /// Makes sure that `x` has a gradient buffer (zeros if nothing has contributed yet).
  void ensure_grad(Var x) {
    if (x.needs_grad() && !x->has_grad) {
      begin_grad(x);
    }
  }
  /// Adds `seed` to the gradient of `y` (an empty seed means ones), before backward().
  void seed_grad(Var y, const Tensor& seed = {});
  /// Runs all records in reverse order. Afterwards inputs and parameters hold their gradients.
  void backward();

 private:
  struct Record {
    void (*run)(void*, Tape&, const Tensor&);
    void* state;
    Var y;
    std::span<const int> models;
    Record* previous;
  };
  Node* new_node(const Node& n) { return new (host().alloc(sizeof(Node))) Node(n); }
  void begin_grad(Var x);

  Record* last_ = nullptr;
  bool recording_;
  bool fixed_parameters_ = false;
};

}  // namespace sv

// Context: what every op is given. Device, arena, thread count, and which models of the pack are
// live.
#pragma once
#include <span>

#include "kernels/memory/arena.h"
#include "kernels/memory/tensor.h"

namespace sv {

/// Gradient outputs of a VJP: not wanted, written, or added to.
enum class GradientMode : uint8_t { ignore, overwrite, accumulate };

/// What matrix products on a device compute with. f32: one chain of fused multiply-adds. tf32,
/// bf16: tensor cores, operands rounded to 10 or 7 bits of mantissa, sums in f32. The CPU has f32
/// alone and refuses the others.
enum class Precision : uint8_t { f32, tf32, bf16 };

/// One gradient output of a VJP. `mode` ignore means that `t` may be empty.
struct Grad {
  Tensor t;
  GradientMode mode = GradientMode::ignore;
  bool wanted() const { return mode != GradientMode::ignore; }
  bool adds() const { return mode == GradientMode::accumulate; }
};

/// Every op computes only the models listed in `models` (places on the leading axis, ascending);
/// the slots of the others are neither read nor written. An empty list means all models. Rows of
/// one model never depend on which other models are listed, so a seed has the same bits alone and
/// in a pack.
struct Context {
  Arena* arena = nullptr;
  int threads = 1;
  std::span<const int> models;
  Device* device = nullptr;  // null: the CPU. Otherwise tensors and arena are that device's memory
  Precision precision = Precision::f32;
  Arena* notes = nullptr;  // host memory beside a device arena, for what host code itself reads

  int model_count(const Tensor& x) const {
    return models.empty() ? static_cast<int>(x.dim(0)) : static_cast<int>(models.size());
  }
  int model(int i) const { return models.empty() ? i : models[static_cast<size_t>(i)]; }
  /// Where host code keeps records and lists: beside the tensors, or in the notes of a device run.
  Arena& host() const {
    SV_CHECK(device == nullptr || notes != nullptr,
             "a run on a device needs host memory for notes");
    return device == nullptr ? *arena : *notes;
  }
};

/// Rewinds all memory of the context when the scope ends.
class MemoryScope {
 public:
  explicit MemoryScope(const Context& ctx) : tensors_(*ctx.arena), host_(ctx.host()) {}

 private:
  ArenaScope tensors_, host_;
};

/// What a run works in: an arena where it computes and, for a device, host memory for its notes.
class Workspace {
 public:
  static constexpr size_t kBlock = size_t{64} << 20, kNotesBlock = size_t{1} << 20;

  /// `device` null: the CPU.
  explicit Workspace(Device* device = nullptr, size_t block_bytes = kBlock)
      : device_(device), arena_(device, block_bytes), notes_(kNotesBlock) {}
  Context context(int threads, std::span<const int> models = {}) {
    Context ctx{&arena_, threads, models, device_};
    ctx.notes = device_ ? &notes_ : nullptr;
    return ctx;
  }
  Arena& arena() { return arena_; }
  void reset() {
    arena_.reset();
    notes_.reset();
  }
  size_t system_allocations() const {
    return arena_.system_allocations() + notes_.system_allocations();
  }

 private:
  Device* device_;
  Arena arena_, notes_;
};

}  // namespace sv

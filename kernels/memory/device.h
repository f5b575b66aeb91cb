// Device: where tensors of a device live and kernels run. The one abstract class between an op's
// host side and its kernels: with it that host side is ordinary code, which the tests run end to
// end on the executor (kernels/simt/simt_device.h) and a GPU runs through CudaDevice.
#pragma once
#include <array>
#include <cstddef>
#include <cstdio>
#include <string>
#include <type_traits>

#include "kernels/memory/context.h"
#include "kernels/simt/live_models.h"

namespace sv {

struct LaunchShape {
  int grid_x = 1, grid_y = 1, grid_z = 1;
  int block = 128;       // threads, a multiple of 32
  int shared_bytes = 0;  // dynamic shared memory
};

/// A product of one model on tensor cores that a vendor's library may compute, all in f32:
/// out (R, C) (+)= sum over the depth of a b, then + bias. Row-major in device memory.
struct LargeProduct {
  const float* a = nullptr;     // (R, depth), or (depth, R) where wide_a
  const float* b = nullptr;     // (C, depth), or (depth, C) where wide_b
  const float* bias = nullptr;  // (C) or null
  float* out = nullptr;
  int64_t R = 0, C = 0, depth = 0;
  bool wide_a = false, wide_b = false;
  bool adds = false;  // to what is in out
  int alignment = 4;  // of all of them, in bytes: as good for every model of the pack
  Precision precision = Precision::tf32;
};

class Device {
 public:
  Device() = default;
  virtual ~Device() = default;
  Device(const Device&) = delete;
  Device& operator=(const Device&) = delete;

  /// "cuda:0 NVIDIA H100", "simt".
  virtual std::string name() const = 0;
  /// Uninitialised memory, aligned to 256 bytes. Out of memory: Error with requested and free
  /// bytes.
  virtual void* alloc(size_t bytes) = 0;
  virtual void free(void* p) = 0;
  /// Copies and launches happen in the order of the calls. `src` may be reused at once.
  virtual void to_device(void* dst, const void* src, size_t bytes) = 0;
  /// Begins a copy of what `src` holds after all calls before this one. `dst` belongs to the device
  /// until finish_copies() returns, when the bytes of all copies begun are there.
  virtual void to_host_later(void* dst, const void* src, size_t bytes) = 0;
  virtual void finish_copies() = 0;
  /// Gives up the copies begun: an error is on its way, and with it goes the memory they are for.
  virtual void drop_copies() noexcept = 0;
  void to_host(void* dst, const void* src, size_t bytes) {
    to_host_later(dst, src, bytes);
    finish_copies();
  }
  virtual void copy(void* dst, const void* src, size_t bytes) = 0;
  virtual void zero(void* dst, size_t bytes) = 0;
  /// Runs the kernel of that name; a grid without blocks runs nothing.
  virtual void launch(const char* kernel,
                      const LaunchShape& shape,
                      const void* args,
                      size_t args_bytes) = 0;
  /// Returns when all work is done; throws with the kernel's name if one failed.
  virtual void synchronise() = 0;
  /// Multiprocessors: how many blocks it takes to give each something to do.
  virtual int processors() const { return 1; }
  /// Has a library compute the product, in the order of launches; false: it is left to our kernels.
  virtual bool library_product(const LargeProduct&) { return false; }
  /// What computed the matrix products up to now, for the record of a run.
  virtual std::string products() const { return "own kernels"; }
  /// A named stretch of the calls, for profilers; stretches nest (TimeRange).
  virtual void range_push(const char* /*name*/) {}
  virtual void range_pop() noexcept {}
};

/// Names what is asked of the device while it lives: "step 12" > "iteration 3" > "block 0" >
/// kernels. On the CPU a null test.
class TimeRange {
 public:
  explicit TimeRange(Device* device, const char* what, int64_t number = -1) : device_(device) {
    if (device_ == nullptr) {
      return;
    }
    if (number < 0) {
      device_->range_push(what);
      return;
    }
    std::array<char, 48> text{};
    std::snprintf(text.data(), text.size(), "%s %lld", what, static_cast<long long>(number));
    device_->range_push(text.data());
  }
  ~TimeRange() {
    if (device_ != nullptr) {
      device_->range_pop();
    }
  }
  TimeRange(const TimeRange&) = delete;
  TimeRange& operator=(const TimeRange&) = delete;

 private:
  Device* device_;
};

/// For messages; null is the CPU.
inline std::string device_name(const Device* device) {
  return device ? device->name() : "the CPU";
}

/// Launches kernel K (kernels/simt/context.h) with its arguments, by name through the device's
/// table.
template <class K>
void launch(const Context& ctx, const LaunchShape& shape, const typename K::Args& args) {
  static_assert(std::is_trivially_copyable_v<typename K::Args>);
  static_assert(sizeof(typename K::Args) <= 4096, "kernel arguments are limited to 4 KB");
  ctx.device->launch(K::kName, shape, &args, sizeof args);
}

/// The models of `ctx` (of a pack of M) in the form that kernels take.
inline LiveModels live_models(const Context& ctx, int64_t M) {
  LiveModels live;
  live.all = ctx.models.empty();
  live.count = static_cast<int>(live.all ? M : static_cast<int64_t>(ctx.models.size()));
  SV_CHECK(live.all || live.count <= LiveModels::kMost,
           "a device launch takes a list of at most ",
           LiveModels::kMost,
           " models, got ",
           live.count);
  for (int i = 0; !live.all && i < live.count; ++i) {
    live.id[i] = static_cast<uint16_t>(ctx.models[static_cast<size_t>(i)]);
  }
  return live;
}

/// f32, or an Error that says what the device does not do.
inline void expect_device_f32(const Tensor& t, const char* op) {
  SV_CHECK(t.dtype == DType::f32, op, " on a device takes f32, got ", dtype_name(t.dtype));
}

}  // namespace sv

// Recorder: passes everything on to a device, and keeps what was launched.
#pragma once
#include <string>
#include <vector>

#include "kernels/memory/device.h"

namespace sv::gpu {

struct Launch {
  std::string kernel;
  LaunchShape shape;
  std::vector<std::byte> args;
};

class Recorder final : public Device {
 public:
  explicit Recorder(Device& device) : device_(device) {}

  std::string name() const override { return device_.name(); }
  void* alloc(size_t bytes) override { return device_.alloc(bytes); }
  void free(void* p) override { device_.free(p); }
  void to_device(void* dst, const void* src, size_t bytes) override {
    device_.to_device(dst, src, bytes);
  }
  void to_host_later(void* dst, const void* src, size_t bytes) override {
    device_.to_host_later(dst, src, bytes);
  }
  void finish_copies() override { device_.finish_copies(); }
  void drop_copies() noexcept override { device_.drop_copies(); }
  void copy(void* dst, const void* src, size_t bytes) override { device_.copy(dst, src, bytes); }
  void zero(void* dst, size_t bytes) override { device_.zero(dst, bytes); }
  void launch(const char* kernel,
              const LaunchShape& shape,
              const void* args,
              size_t args_bytes) override {
    const auto* from = static_cast<const std::byte*>(args);
    launches_.push_back({kernel, shape, {from, from + args_bytes}});
    device_.launch(kernel, shape, args, args_bytes);
  }
  void synchronise() override { device_.synchronise(); }
  int processors() const override { return processors_ > 0 ? processors_ : device_.processors(); }
  bool library_product(const LargeProduct& p) override {
    const bool done = device_.library_product(p);
    library_products_ += done ? 1 : 0;
    return done;
  }
  std::string products() const override { return device_.products(); }

  /// To be taken for a device of another size, as some ops choose their kernels by it; 0: its own.
  void pretend(int processors) { processors_ = processors; }
  int64_t library_products() const { return library_products_; }
  /// Launches since the last call.
  std::vector<Launch> take() { return std::exchange(launches_, {}); }
  Device& device() { return device_; }

 private:
  Device& device_;
  std::vector<Launch> launches_;
  int processors_ = 0;
  int64_t library_products_ = 0;
};

}  // namespace sv::gpu

#include "kernels/simt/simt_device.h"

#include <cstring>
#include <vector>

namespace sv::simt {

namespace {
constexpr int kPoison = 0xFF;  // NaN as a float
}

void KernelTable::add(const char* name, const Entry& entry) {
  SV_CHECK(kernels_.emplace(name, entry).second, "two kernels are named ", name);
}

const KernelTable::Entry& KernelTable::find(const std::string& name) const {
  const auto found = kernels_.find(name);
  SV_CHECK(found != kernels_.end(), "no kernel '", name, "' in the table of the device");
  return found->second;
}

SimtDevice::SimtDevice(int threads, SwitchKind kind) : executor_(threads, kind) {
  add_all_kernels(kernels_);
}

void SimtDevice::to_device(void* dst, const void* src, size_t bytes) {
  const DeviceMemory::Open open(memory_);
  memory_.expect_inside(dst, bytes, "to_device");
  memory_.expect_outside(src, "to_device");
  std::memcpy(dst, src, bytes);
}

void SimtDevice::to_host_later(void* dst, const void* src, size_t bytes) {
  const DeviceMemory::Open open(memory_);
  memory_.expect_inside(src, bytes, "to_host");
  memory_.expect_outside(dst, "to_host");
  const auto* from = static_cast<const std::byte*>(src);
  coming_.push_back({dst, {from, from + bytes}});
  std::memset(dst, kPoison, bytes);
}

void SimtDevice::finish_copies() {
  waits_ += coming_.empty() ? 0 : 1;
  for (const Coming& c : coming_) {
    std::memcpy(c.dst, c.bytes.data(), c.bytes.size());
  }
  coming_.clear();
}

void SimtDevice::copy(void* dst, const void* src, size_t bytes) {
  const DeviceMemory::Open open(memory_);
  memory_.expect_inside(dst, bytes, "copy");
  memory_.expect_inside(src, bytes, "copy");
  std::memmove(dst, src, bytes);
}

void SimtDevice::zero(void* dst, size_t bytes) {
  const DeviceMemory::Open open(memory_);
  memory_.expect_inside(dst, bytes, "zero");
  std::memset(dst, 0, bytes);
}

void SimtDevice::range_push(const char* name) {
  range_ends_.push_back(range_.size());
  range_ += std::string(name) + "/";
}

void SimtDevice::range_pop() noexcept {
  range_.resize(range_ends_.back());
  range_ends_.pop_back();
}

void SimtDevice::launch(const char* kernel,
                        const LaunchShape& shape,
                        const void* args,
                        size_t args_bytes) {
  const KernelTable::Entry& entry = kernels_.find(kernel);
  SV_CHECK(
      args_bytes <= kMostArgBytes, "kernel '", kernel, "' has ", args_bytes, " bytes of arguments");
  SV_CHECK_EQ(args_bytes, entry.args_bytes, "arguments of kernel '", kernel, "'");
  SV_CHECK(shape.block <= entry.max_block,
           "kernel '",
           kernel,
           "' in blocks of ",
           shape.block,
           " threads, compiled for at most ",
           entry.max_block);
  ++launches_;
  ++by_range_[range_ + kernel];
  const DeviceMemory::Open open(memory_);
  executor_.run({kernel, entry.body, args, shape}, schedule_);
  const std::string damage = memory_.damage();
  if (!damage.empty()) {
    throw Fault(detail::concat("kernel '", kernel, "' ", damage));
  }
}

}  // namespace sv::simt

// SimtDevice: a Device whose kernels run on the executor. For tests only.
#pragma once
#include <map>
#include <string>

#include "kernels/memory/device.h"
#include "kernels/simt/device_memory.h"
#include "kernels/simt/executor.h"

namespace sv::simt {

/// Kernels by name. A body header's `<op>_kernels(table)` fills it.
class KernelTable {
 public:
  template <class K>
  void add() {
    using Args = typename K::Args;
    static_assert(std::is_trivially_copyable_v<Args> && sizeof(Args) <= kMostArgBytes);
    add(K::kName,
        {[](ThreadContext& ctx, const void* args) {
           K::body(ctx, *static_cast<const Args*>(args));
         },
         sizeof(Args),
         max_block<K>()});
  }
  struct Entry {
    void (*body)(ThreadContext&, const void*);
    size_t args_bytes;
    int max_block;
  };
  const Entry& find(const std::string& name) const;
  bool has(const std::string& name) const { return kernels_.contains(name); }

 private:
  void add(const char* name, const Entry& entry);
  std::map<std::string, Entry> kernels_;
};

/// Every op's kernels (kernels/simt/all_kernels.cpp).
void add_all_kernels(KernelTable& table);

class SimtDevice : public Device {
 public:
  explicit SimtDevice(int threads = 2, SwitchKind kind = default_switch());

  std::string name() const override { return "simt"; }
  void* alloc(size_t bytes) override { return memory_.alloc(bytes); }
  void free(void* p) override { memory_.free(p); }
  void to_device(void* dst, const void* src, size_t bytes) override;
  void to_host(void* dst, const void* src, size_t bytes) override;
  void copy(void* dst, const void* src, size_t bytes) override;
  void zero(void* dst, size_t bytes) override;
  /// Runs the kernel to its end, and throws a Fault for a mistake in it.
  void launch(const char* kernel,
              const LaunchShape& shape,
              const void* args,
              size_t args_bytes) override;
  void synchronise() override {}

  KernelTable& kernels() { return kernels_; }
  DeviceMemory& memory() { return memory_; }
  void set_schedule(const Schedule& s) { schedule_ = s; }
  const Schedule& schedule() const { return schedule_; }
  int64_t launches() const { return launches_; }

 private:
  KernelTable kernels_;
  DeviceMemory memory_;
  Executor executor_;
  Schedule schedule_;
  int64_t launches_ = 0;
};

}  // namespace sv::simt

// SimtDevice: a Device whose kernels run on the executor. For tests only.
#pragma once
#include <map>
#include <string>
#include <vector>

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
  /// As late as it may: `dst` is poisoned, and gets the bytes from finish_copies().
  void to_host_later(void* dst, const void* src, size_t bytes) override;
  void finish_copies() override;
  void drop_copies() noexcept override { coming_.clear(); }
  void copy(void* dst, const void* src, size_t bytes) override;
  void zero(void* dst, size_t bytes) override;
  /// Runs the kernel to its end, and throws a Fault for a mistake in it.
  void launch(const char* kernel,
              const LaunchShape& shape,
              const void* args,
              size_t args_bytes) override;
  void synchronise() override {}
  void range_push(const char* name) override;
  void range_pop() noexcept override;
  int processors() const override { return processors_; }

  /// The size of GPU to be taken for; 1 until it is set.
  void set_processors(int n) { processors_ = n; }
  KernelTable& kernels() { return kernels_; }
  DeviceMemory& memory() { return memory_; }
  void set_schedule(const Schedule& s) { schedule_ = s; }
  const Schedule& schedule() const { return schedule_; }
  int64_t launches() const { return launches_; }
  /// How often the host waited for bytes.
  int64_t waits() const { return waits_; }
  /// Launches by the ranges around them: "step 0/iteration 2/block 1/rmsnorm" (the kernel comes
  /// last).
  const std::map<std::string, int64_t>& launches_by_range() const { return by_range_; }
  /// Ranges that are open.
  size_t open_ranges() const { return range_ends_.size(); }

 private:
  KernelTable kernels_;
  DeviceMemory memory_;
  Executor executor_;
  Schedule schedule_;
  int64_t launches_ = 0, waits_ = 0;
  struct Coming {
    void* dst;
    std::vector<std::byte> bytes;
  };
  std::vector<Coming> coming_;
  std::string range_;               // names of the open ranges, each with a '/' behind it
  std::vector<size_t> range_ends_;  // its length before each of them
  std::map<std::string, int64_t> by_range_;
  int processors_ = 1;
};

}  // namespace sv::simt

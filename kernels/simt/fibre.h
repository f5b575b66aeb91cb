// Fibres: stacks that one OS thread switches between. On x86-64 our own switch of the callee-saved
// registers, elsewhere (or on request, for the tests) ucontext. Stacks are pooled, end in a guard
// page, and start at staggered offsets so that the tops of 1024 stacks do not share cache sets.
#pragma once
#include <signal.h>
#include <ucontext.h>

#include <cstddef>
#include <memory>
#include <vector>

namespace sv::simt {

enum class SwitchKind { own, ucontext };
/// The fastest kind on this machine.
SwitchKind default_switch();

class Fibre {
 public:
  Fibre() = default;
  ~Fibre();
  Fibre(const Fibre&) = delete;
  Fibre& operator=(const Fibre&) = delete;

  /// The OS thread's own stack, to come back to.
  void adopt_thread(SwitchKind kind);
  /// Prepares entry(argument) on [low, low + size); entry never returns. A fibre that was left in
  /// the middle of something may be started again: its old frames are given up.
  void start(SwitchKind kind, std::byte* low, size_t size, void (*entry)(void*), void* argument);
  /// Leaves `this`, which must be running, for `to`.
  void switch_to(Fibre& to);
  /// Leaves `this` for good.
  void finish(Fibre& to);
  /// First thing in `entry`.
  void entered();

 private:
  void jump(Fibre& to, bool for_good);

  SwitchKind kind_ = SwitchKind::own;
  void* stack_pointer_ = nullptr;
  std::unique_ptr<ucontext_t> context_;
  const void* low_ = nullptr;  // what the sanitizers are told about the stack
  size_t size_ = 0;
  void* fake_stack_ = nullptr;  // AddressSanitizer's
  void* tsan_ = nullptr;        // ThreadSanitizer's
  bool owns_tsan_ = false;
};

/// Stacks numbered from 0, mapped 32 at a time when first asked for.
class StackPool {
 public:
  StackPool() = default;
  ~StackPool();
  StackPool(const StackPool&) = delete;
  StackPool& operator=(const StackPool&) = delete;
  struct Stack {
    std::byte* low;
    size_t size;
  };
  Stack stack(int i);
  /// Whether the address lies in the guard page below one of the stacks.
  bool is_guard(const void* p) const;

 private:
  static constexpr int kSlab = 32;
  static constexpr size_t kGuardBytes = 4096;
  std::vector<std::byte*> slabs_;
};

/// A stack for signal handlers on this OS thread, so that an overflow of a fibre can be reported.
class SignalStack {
 public:
  SignalStack();
  ~SignalStack();
  SignalStack(const SignalStack&) = delete;
  SignalStack& operator=(const SignalStack&) = delete;

 private:
  std::vector<std::byte> memory_;
  stack_t before_;
};

}  // namespace sv::simt

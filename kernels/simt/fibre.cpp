#include "kernels/simt/fibre.h"

#include <sys/mman.h>

#include <cstdint>

#include "core/check.h"

#if defined(__clang__)
#if __has_feature(address_sanitizer)
#define SV_ASAN 1
#endif
#if __has_feature(thread_sanitizer)
#define SV_TSAN 1
#endif
#elif defined(__SANITIZE_ADDRESS__)
#define SV_ASAN 1
#elif defined(__SANITIZE_THREAD__)
#define SV_TSAN 1
#endif
#if defined(SV_ASAN)
#include <sanitizer/asan_interface.h>
#include <sanitizer/common_interface_defs.h>
#endif
#if defined(SV_TSAN)
#include <sanitizer/tsan_interface.h>
#endif

namespace sv::simt {

namespace {

#if defined(SV_ASAN) || defined(SV_TSAN)
constexpr size_t kStackBytes = size_t{256} << 10;  // instrumented frames are several times larger
#else
constexpr size_t kStackBytes = size_t{64} << 10;  // an exception with its message needs about 8 KB
#endif
constexpr size_t kColours = 32;  // offsets of 128 bytes

}  // namespace

#if defined(__x86_64__)
extern "C" void sv_fibre_switch(void** save, void* load);
extern "C" void sv_fibre_first();
// System V ABI: rbx, rbp, r12-r15 and the stack belong to the caller; the control words of SSE and
// x87 are left alone, as no body changes them. A new fibre arrives in sv_fibre_first with the entry
// in r12 and its argument in rbx.
asm(R"(
.text
.p2align 4
.globl sv_fibre_switch
.hidden sv_fibre_switch
.type sv_fibre_switch, @function
sv_fibre_switch:
  pushq %rbp
  pushq %rbx
  pushq %r12
  pushq %r13
  pushq %r14
  pushq %r15
  movq %rsp, (%rdi)
  movq %rsi, %rsp
  popq %r15
  popq %r14
  popq %r13
  popq %r12
  popq %rbx
  popq %rbp
  ret
.size sv_fibre_switch, .-sv_fibre_switch
.globl sv_fibre_first
.hidden sv_fibre_first
.type sv_fibre_first, @function
sv_fibre_first:
  movq %rbx, %rdi
  call *%r12
  ud2
.size sv_fibre_first, .-sv_fibre_first
)");

SwitchKind default_switch() {
  return SwitchKind::own;
}
#else
SwitchKind default_switch() {
  return SwitchKind::ucontext;
}
#endif

namespace {

/// makecontext passes ints only: the two pointers travel as halves.
void ucontext_first(unsigned a, unsigned b, unsigned c, unsigned d) {
  const auto entry = reinterpret_cast<void (*)(void*)>((uintptr_t{a} << 32) | b);
  entry(reinterpret_cast<void*>((uintptr_t{c} << 32) | d));
}

}  // namespace

Fibre::~Fibre() {
#if defined(SV_TSAN)
  if (owns_tsan_) {
    __tsan_destroy_fiber(tsan_);
  }
#endif
}

void Fibre::adopt_thread(SwitchKind kind) {
  kind_ = kind;
  low_ = nullptr;
  if (!context_ && kind == SwitchKind::ucontext) {
    context_ = std::make_unique<ucontext_t>();
  }
#if defined(SV_TSAN)
  tsan_ = __tsan_get_current_fiber();
#endif
}

void Fibre::start(
    SwitchKind kind, std::byte* low, size_t size, void (*entry)(void*), void* argument) {
  kind_ = kind;
  low_ = low;
  size_ = size;
#if defined(SV_ASAN)
  __asan_unpoison_memory_region(low, size);
#endif
#if defined(SV_TSAN)
  if (!tsan_) {
    tsan_ = __tsan_create_fiber(0);
    owns_tsan_ = true;
  }
#endif
#if defined(__x86_64__)
  if (kind == SwitchKind::own) {
    const auto top = reinterpret_cast<uintptr_t>(low + size) / 16 * 16;
    // sv_fibre_first begins with the stack pointer behind this frame: a multiple of 16, as its
    // call needs.
    auto* frame = reinterpret_cast<uintptr_t*>(top - 7 * sizeof(uintptr_t));
    frame[0] = frame[1] = frame[2] = 0;  // r15, r14, r13
    frame[3] = reinterpret_cast<uintptr_t>(entry);
    frame[4] = reinterpret_cast<uintptr_t>(argument);
    frame[5] = 0;  // rbp: the end of the chain of frames
    frame[6] = reinterpret_cast<uintptr_t>(&sv_fibre_first);
    stack_pointer_ = frame;
    return;
  }
#endif
  SV_CHECK(kind == SwitchKind::ucontext, "this processor has only the ucontext switch");
  if (!context_) {
    context_ = std::make_unique<ucontext_t>();
  }
  SV_CHECK(getcontext(context_.get()) == 0, "getcontext failed");
  context_->uc_stack.ss_sp = low;
  context_->uc_stack.ss_size = size;
  context_->uc_link = nullptr;
  const auto e = reinterpret_cast<uintptr_t>(entry), a = reinterpret_cast<uintptr_t>(argument);
  makecontext(context_.get(),
              reinterpret_cast<void (*)()>(&ucontext_first),
              4,
              static_cast<unsigned>(e >> 32),
              static_cast<unsigned>(e),
              static_cast<unsigned>(a >> 32),
              static_cast<unsigned>(a));
}

void Fibre::jump(Fibre& to, [[maybe_unused]] bool for_good) {
#if defined(SV_ASAN)
  __sanitizer_start_switch_fiber(for_good ? nullptr : &fake_stack_, to.low_, to.size_);
#endif
#if defined(SV_TSAN)
  __tsan_switch_to_fiber(to.tsan_, 0);
#endif
#if defined(__x86_64__)
  if (kind_ == SwitchKind::own) {
    sv_fibre_switch(&stack_pointer_, to.stack_pointer_);
  } else {
    swapcontext(context_.get(), to.context_.get());
  }
#else
  swapcontext(context_.get(), to.context_.get());
#endif
}

void Fibre::switch_to(Fibre& to) {
#if defined(SV_ASAN)
  if (!low_) {  // the OS thread's stack
    pthread_attr_t attributes;
    void* low = nullptr;
    pthread_getattr_np(pthread_self(), &attributes);
    pthread_attr_getstack(&attributes, &low, &size_);
    pthread_attr_destroy(&attributes);
    low_ = low;
  }
#endif
  jump(to, false);
#if defined(SV_ASAN)
  __sanitizer_finish_switch_fiber(fake_stack_, nullptr, nullptr);
#endif
}

void Fibre::finish(Fibre& to) {
  jump(to, true);
}

void Fibre::entered() {
#if defined(SV_ASAN)
  __sanitizer_finish_switch_fiber(fake_stack_, nullptr, nullptr);
#endif
}

StackPool::~StackPool() {
  for (std::byte* slab : slabs_) {
    munmap(slab, kSlab * (kStackBytes + kGuardBytes));
  }
}

StackPool::Stack StackPool::stack(int i) {
  constexpr size_t stride = kStackBytes + kGuardBytes;
  while (static_cast<int>(slabs_.size()) <= i / kSlab) {
    void* slab = mmap(nullptr,
                      kSlab * stride,
                      PROT_READ | PROT_WRITE,
                      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE,
                      -1,
                      0);
    SV_CHECK(slab != MAP_FAILED, "no memory for ", kSlab, " fibre stacks");
    slabs_.push_back(static_cast<std::byte*>(slab));
    for (size_t k = 0; k < kSlab; ++k) {
      SV_CHECK(mprotect(slabs_.back() + k * stride, kGuardBytes, PROT_NONE) == 0, "mprotect");
    }
  }
  std::byte* guard =
      slabs_[static_cast<size_t>(i / kSlab)] + static_cast<size_t>(i % kSlab) * stride;
  const size_t colour = static_cast<size_t>(i) % kColours * 128;
  return {guard + kGuardBytes, kStackBytes - colour};
}

bool StackPool::is_guard(const void* p) const {
  constexpr size_t stride = kStackBytes + kGuardBytes;
  const auto* byte = static_cast<const std::byte*>(p);
  for (const std::byte* slab : slabs_) {
    if (byte >= slab && byte < slab + kSlab * stride) {
      return static_cast<size_t>(byte - slab) % stride < kGuardBytes;
    }
  }
  return false;
}

SignalStack::SignalStack() : memory_(size_t{64} << 10) {
  stack_t stack = {};
  stack.ss_sp = memory_.data();
  stack.ss_size = memory_.size();
  SV_CHECK(sigaltstack(&stack, &before_) == 0, "sigaltstack failed");
}

SignalStack::~SignalStack() {
  sigaltstack(&before_, nullptr);
}

}  // namespace sv::simt

// Detection of the instruction set at run time.
#include "kernels/cpu/isa.h"

#include <atomic>
#include <cstdlib>
#include <string>

#include "core/check.h"

namespace sv::cpu {

namespace {
constexpr Isa kAll[] = {Isa::avx512, Isa::avx2, Isa::portable};

Isa choose() {
  Isa limit = Isa::avx512;
  if (const char* asked = std::getenv("SV_ISA"); asked && *asked) {
    bool known = false;
    for (const Isa isa : kAll) {
      if (isa_name(isa) == asked) {
        limit = isa;
        known = true;
      }
    }
    SV_CHECK(known, "SV_ISA=", asked, ", known are portable, avx2, avx512");
  }
  for (const Isa isa : kAll) {
    if (isa <= limit && has_isa(isa)) {
      return isa;
    }
  }
  return Isa::portable;
}
}  // namespace

std::string_view isa_name(Isa isa) {
  switch (isa) {
    case Isa::portable:
      return "portable";
    case Isa::avx2:
      return "avx2";
    case Isa::avx512:
      return "avx512";
  }
  return "?";
}

bool has_isa(Isa isa) {
#if defined(SV_GEMM_X86)
  // The kernels of avx512 need the F and VL subsets only.
  switch (isa) {
    case Isa::portable:
      return true;
    case Isa::avx2:
      return __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma");
    case Isa::avx512:
      return has_isa(Isa::avx2) && __builtin_cpu_supports("avx512f") &&
             __builtin_cpu_supports("avx512vl");
  }
#endif
  return isa == Isa::portable;
}

namespace {
std::atomic<Isa>& chosen() {
  static std::atomic<Isa> isa = choose();
  return isa;
}
}  // namespace

Isa isa() {
  return chosen().load(std::memory_order_relaxed);
}

void use_isa(Isa isa) {
  SV_CHECK(has_isa(isa), "this machine or build has no ", isa_name(isa));
  chosen().store(isa, std::memory_order_relaxed);
}

}  // namespace sv::cpu

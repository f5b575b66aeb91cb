#include "kernels/ops/all_cases.h"

#include "kernels/ops/attention/cases.h"
#include "kernels/ops/matmul/cases.h"
#include "kernels/ops/rmsnorm/cases.h"

namespace sv::cases {

std::vector<OpCases> all_cases() {
  return {
      {"attention_mix", attention_mix_cases},
      {"attention_pattern", attention_pattern_cases},
      {"matmul", matmul_cases},
      {"rmsnorm", rmsnorm_cases},
  };
}

}  // namespace sv::cases

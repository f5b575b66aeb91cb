#include "kernels/ops/all_cases.h"

#include "kernels/ops/rmsnorm/cases.h"

namespace sv::cases {

std::vector<OpCases> all_cases() {
  return {
      {"rmsnorm", rmsnorm_cases},
  };
}

}  // namespace sv::cases

// The table of all ops with cases; tests/kernels and bench run over it.
#pragma once
#include "kernels/ops/case.h"

namespace sv::cases {

/// One line per op, in alphabetical order (kernels/ops/all_cases.cpp).
std::vector<OpCases> all_cases();

}  // namespace sv::cases

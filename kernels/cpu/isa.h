// Which instruction set the matrix kernels use: the best one of the machine, or a lower one on
// request.
#pragma once
#include <string_view>

namespace sv::cpu {

/// Ascending. avx2 and avx512 compute the same fused chains and so the same bits; portable rounds
/// the product and the sum apart.
enum class Isa { portable, avx2, avx512 };

std::string_view isa_name(Isa isa);
/// True when this machine and this build have it.
bool has_isa(Isa isa);
/// The set in use, decided at the first call: the highest one present, not above the environment
/// variable SV_ISA (portable, avx2 or avx512; anything else throws).
Isa isa();
/// Sets the one in use for the whole process. Panels packed for another set must be packed again;
/// throws where the machine or build has no such set.
void use_isa(Isa);

}  // namespace sv::cpu

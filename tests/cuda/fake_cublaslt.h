// A stand-in for cuBLASLt: a shared object with the entry points that kernels/cuda/cublaslt_api.h
// names, which computes on host memory, column-major as the library does.
#pragma once
#include <vector>

namespace sv::fake {

/// What the library is asked to be, and what it saw. One for the process.
struct Lt {
  int create_status = 0, heuristic_status = 0, matmul_status = 0;
  bool has_algorithm = true;

  int handles = 0, descriptors = 0;  // that live: of all kinds
  int heuristics = 0, products = 0;  // calls
  std::vector<unsigned> alignments;  // asked for, of each call of the heuristic
  int compute = 0;                   // of the last product
  const void *workspace = nullptr, *stream = nullptr;
};

}  // namespace sv::fake

/// Found by name in the shared object.
extern "C" sv::fake::Lt* sv_fake_lt();

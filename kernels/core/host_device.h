// Marks of functions that nvcc and the host compiler both compile.
#pragma once

#if defined(__CUDACC__)
/// Callable from host and device; small functions of one element.
#define SV_HD __host__ __device__
/// Device code proper: kernel bodies and their helpers, always inlined into the kernel. It says
/// `inline` already.
#define SV_DEVICE __device__ __forceinline__
#else
#define SV_HD
#define SV_DEVICE inline
#endif

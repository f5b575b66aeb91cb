// Marks of functions that nvcc and the host compiler both compile.
#pragma once

#if defined(__CUDACC__)
/// Callable from host and device; small functions of one element.
#define SV_HD __host__ __device__
/// Device code proper: kernel bodies and their helpers, always inlined into the kernel. It says
/// `inline` already.
#define SV_DEVICE __device__ __forceinline__
/// Before a loop of a kernel: unroll it n times, no more (nvcc's own choice may spill registers).
#define SV_PRAGMA(text) _Pragma(#text)
#define SV_UNROLL(n) SV_PRAGMA(unroll n)
#else
#define SV_HD
#define SV_DEVICE inline
#define SV_UNROLL(n)
#endif

// CudaContext: the vocabulary of kernels/simt/context.h as thin inline PTX (nvcc only, sm_80 on).
#pragma once
#if !defined(__CUDACC__)
#error "context_cuda.cuh is for nvcc; the host compiler runs bodies through kernels/simt/executor.h"
#endif
#include <cstdint>
#include <type_traits>

#include "kernels/simt/context.h"

namespace sv::simt {

extern __shared__ __align__(16) unsigned char sv_dynamic_shared[];

class CudaContext {
 public:
  // --- place
  SV_DEVICE int thread() const { return static_cast<int>(threadIdx.x); }
  SV_DEVICE int threads() const { return static_cast<int>(blockDim.x); }
  SV_DEVICE int lane() const { return static_cast<int>(threadIdx.x) % kWarp; }
  SV_DEVICE int warp() const { return static_cast<int>(threadIdx.x) / kWarp; }
  SV_DEVICE int warps() const { return static_cast<int>(blockDim.x) / kWarp; }
  SV_DEVICE int block_x() const { return static_cast<int>(blockIdx.x); }
  SV_DEVICE int block_y() const { return static_cast<int>(blockIdx.y); }
  SV_DEVICE int block_z() const { return static_cast<int>(blockIdx.z); }
  SV_DEVICE int grid_x() const { return static_cast<int>(gridDim.x); }
  SV_DEVICE int grid_y() const { return static_cast<int>(gridDim.y); }
  SV_DEVICE int grid_z() const { return static_cast<int>(gridDim.z); }

  // --- barriers and warp ops
  SV_DEVICE void barrier() { __syncthreads(); }
  SV_DEVICE void warp_barrier() { __syncwarp(); }
  template <class T>
  SV_DEVICE T shfl_xor(T x, int mask) {
    return each_word(x, [&](uint32_t w) { return __shfl_xor_sync(kAll, w, mask); });
  }
  template <class T>
  SV_DEVICE T shfl_down(T x, int by) {
    return each_word(x, [&](uint32_t w) { return __shfl_down_sync(kAll, w, by); });
  }
  template <class T>
  SV_DEVICE T shfl(T x, int from) {
    return each_word(x, [&](uint32_t w) { return __shfl_sync(kAll, w, from); });
  }
  SV_DEVICE uint32_t ballot(bool x) { return __ballot_sync(kAll, x); }
  SV_DEVICE bool any(bool x) { return __any_sync(kAll, x); }
  SV_DEVICE bool all(bool x) { return __all_sync(kAll, x); }

  // --- shared memory
  template <class T>
  SV_DEVICE T* shared(int byte_offset, int /*count*/) {
    return reinterpret_cast<T*>(sv_dynamic_shared + byte_offset);
  }

  // --- asynchronous copies
  template <int bytes, class T>
  SV_DEVICE void copy_async(T* to, const void* from) {
    static_assert(bytes == 4 || bytes == 8 || bytes == 16);
    if constexpr (bytes == 16) {
      asm volatile("cp.async.cg.shared.global [%0], [%1], 16;"
                   :
                   : "r"(shared_address(to)), "l"(from)
                   : "memory");
    } else {
      asm volatile("cp.async.ca.shared.global [%0], [%1], %2;"
                   :
                   : "r"(shared_address(to)), "l"(from), "n"(bytes)
                   : "memory");
    }
  }
  template <class T>
  SV_DEVICE void copy_async16(T* to, const void* from) {
    copy_async<16>(to, from);
  }
  SV_DEVICE void commit_async() { asm volatile("cp.async.commit_group;" ::: "memory"); }
  template <int n>
  SV_DEVICE void wait_async() {
    asm volatile("cp.async.wait_group %0;" ::"n"(n) : "memory");
  }

  // --- matrix products
  SV_DEVICE void mma_bf16_16816(float (&d)[4], const uint32_t (&a)[4], const uint32_t (&b)[2]) {
    asm volatile(
        "mma.sync.aligned.m16n8k16.row.col.f32.bf16.bf16.f32 "
        "{%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, {%0, %1, %2, %3};"
        : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3])
        : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]));
  }
  SV_DEVICE void mma_tf32_1688(float (&d)[4], const uint32_t (&a)[4], const uint32_t (&b)[2]) {
    asm volatile(
        "mma.sync.aligned.m16n8k8.row.col.f32.tf32.tf32.f32 "
        "{%0, %1, %2, %3}, {%4, %5, %6, %7}, {%8, %9}, {%0, %1, %2, %3};"
        : "+f"(d[0]), "+f"(d[1]), "+f"(d[2]), "+f"(d[3])
        : "r"(a[0]), "r"(a[1]), "r"(a[2]), "r"(a[3]), "r"(b[0]), "r"(b[1]));
  }
  template <class T>
  SV_DEVICE void ldmatrix_x4(uint32_t (&r)[4], const T* row) {
    asm volatile("ldmatrix.sync.aligned.m8n8.x4.shared.b16 {%0, %1, %2, %3}, [%4];"
                 : "=r"(r[0]), "=r"(r[1]), "=r"(r[2]), "=r"(r[3])
                 : "r"(shared_address(row))
                 : "memory");
  }
  template <class T>
  SV_DEVICE void ldmatrix_x4_trans(uint32_t (&r)[4], const T* row) {
    asm volatile("ldmatrix.sync.aligned.m8n8.x4.trans.shared.b16 {%0, %1, %2, %3}, [%4];"
                 : "=r"(r[0]), "=r"(r[1]), "=r"(r[2]), "=r"(r[3])
                 : "r"(shared_address(row))
                 : "memory");
  }
  template <class T>
  SV_DEVICE void ldmatrix_x2(uint32_t (&r)[2], const T* row) {
    asm volatile("ldmatrix.sync.aligned.m8n8.x2.shared.b16 {%0, %1}, [%2];"
                 : "=r"(r[0]), "=r"(r[1])
                 : "r"(shared_address(row))
                 : "memory");
  }
  template <class T>
  SV_DEVICE void ldmatrix_x2_trans(uint32_t (&r)[2], const T* row) {
    asm volatile("ldmatrix.sync.aligned.m8n8.x2.trans.shared.b16 {%0, %1}, [%2];"
                 : "=r"(r[0]), "=r"(r[1])
                 : "r"(shared_address(row))
                 : "memory");
  }

  // --- global memory. CUDA's atomicAdd and its kin are relaxed: these are not.
  template <class T>
  SV_DEVICE T atomic_add(T* p, T x) {
    static_assert(kWordInteger<T>, "sums of floats have one order: no atomics");
    uint32_t old;
    asm volatile("atom.acq_rel.gpu.global.add.u32 %0, [%1], %2;"
                 : "=r"(old)
                 : "l"(p), "r"(static_cast<uint32_t>(x))
                 : "memory");
    return static_cast<T>(old);
  }
  template <class T>
  SV_DEVICE T atomic_exchange(T* p, T x) {
    static_assert(kWordInteger<T>);
    uint32_t old;
    asm volatile("atom.acq_rel.gpu.global.exch.b32 %0, [%1], %2;"
                 : "=r"(old)
                 : "l"(p), "r"(static_cast<uint32_t>(x))
                 : "memory");
    return static_cast<T>(old);
  }
  template <class T>
  SV_DEVICE T atomic_cas(T* p, T expected, T desired) {
    static_assert(kWordInteger<T>);
    uint32_t old;
    asm volatile("atom.acq_rel.gpu.global.cas.b32 %0, [%1], %2, %3;"
                 : "=r"(old)
                 : "l"(p), "r"(static_cast<uint32_t>(expected)), "r"(static_cast<uint32_t>(desired))
                 : "memory");
    return static_cast<T>(old);
  }
  SV_DEVICE int load_acquire(const int* p) {
    int x;
    asm volatile("ld.acquire.gpu.global.s32 %0, [%1];" : "=r"(x) : "l"(p) : "memory");
    return x;
  }
  SV_DEVICE void store_release(int* p, int x) {
    asm volatile("st.release.gpu.global.s32 [%0], %1;" ::"l"(p), "r"(x) : "memory");
  }
  SV_DEVICE int load_volatile(const int* p) { return *static_cast<const volatile int*>(p); }

  // --- numbers
  SV_DEVICE float fma(float a, float b, float c) { return __fmaf_rn(a, b, c); }
  SV_DEVICE float to_tf32(float x) {
    uint32_t bits;
    asm("cvt.rna.tf32.f32 %0, %1;" : "=r"(bits) : "f"(x));
    return __uint_as_float(bits);
  }
  SV_DEVICE uint32_t to_bf16(float low, float high) {
    uint32_t bits;
    asm("cvt.rn.bf16x2.f32 %0, %1, %2;" : "=r"(bits) : "f"(high), "f"(low));
    return bits;
  }

 private:
  static constexpr uint32_t kAll = 0xffffffffu;
  template <class T>
  static constexpr bool kWordInteger = std::is_same_v<T, int> || std::is_same_v<T, unsigned>;

  static SV_DEVICE uint32_t shared_address(const void* p) {
    return static_cast<uint32_t>(__cvta_generic_to_shared(p));
  }
  /// Applies f to each 32-bit word of x.
  template <class T, class F>
  static SV_DEVICE T each_word(T x, F&& f) {
    static_assert(sizeof(T) == 4 || sizeof(T) == 8, "a warp op takes 4 or 8 bytes");
    union Words {
      T value;
      uint32_t word[sizeof(T) / 4];
      __device__ Words() {}
    } u;
    u.value = x;
    for (uint32_t& w : u.word) {
      w = f(w);
    }
    return u.value;
  }
};

}  // namespace sv::simt

// What `./run setup-cuda` compiles: headers, C++20, both architectures, a launch.
#include <cuda_bf16.h>
#include <cuda_runtime.h>

#include <concepts>

template <std::floating_point T>
__global__ void scale(T* x, int n) {
  const int i = static_cast<int>(blockIdx.x * blockDim.x + threadIdx.x);
  if (i < n) {
    x[i] *= T{2} + static_cast<T>(__bfloat162float(__float2bfloat16(1.0f)));
  }
}

cudaError_t scale_all(float* x, int n) {
  scale<<<(n + 127) / 128, 128>>>(x, n);
  return cudaGetLastError();
}

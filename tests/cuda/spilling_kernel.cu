// A kernel that must spill: 128 live values in the 32 registers of blocks of 1024 threads on two
// per processor.
namespace sv::cuda {
namespace {

struct SpillingKernel {
  struct Args {
    float* x;
    int steps;
  };
};

template <class K>
__global__ void __launch_bounds__(1024, 2) run(const __grid_constant__ typename K::Args a) {
  float v[128];
#pragma unroll
  for (int i = 0; i < 128; ++i) {
    v[i] = a.x[i * 1024 + threadIdx.x];
  }
  for (int s = 0; s < a.steps; ++s) {
#pragma unroll
    for (int i = 0; i < 128; ++i) {
      v[i] = v[i] * v[(i * 5 + 1) % 128] + 1.0f;
    }
  }
#pragma unroll
  for (int i = 0; i < 128; ++i) {
    a.x[i * 1024 + threadIdx.x] = v[i];
  }
}

}  // namespace

void spill(float* x, int steps) {
  run<SpillingKernel><<<1, 1024>>>({x, steps});
}

}  // namespace sv::cuda

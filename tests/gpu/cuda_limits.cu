#include "gpu/cuda_limits.h"

#include <cuda_runtime.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <functional>
#include <vector>

#include "gpu/wgmma.cuh"
#include "kernels/memory/cuda_check.h"

namespace sv::gpu {

namespace {

constexpr int kNodes = 1000;  // of a graph
constexpr double kSeconds = 0.03;

__global__ void empty() {}

/// Starts as soon as the kernel before it lets it.
__global__ void empty_early() {
#if __CUDA_ARCH__ >= 900
  asm volatile("griddepcontrol.launch_dependents;");
  asm volatile("griddepcontrol.wait;");
#endif
}

/// Body of a WHILE node: counts down, and sets the condition.
#if CUDART_VERSION >= 12040
__global__ void count_down(int* left, cudaGraphConditionalHandle handle) {
  cudaGraphSetConditional(handle, --*left > 0 ? 1 : 0);
}
#endif

/// `rounds` barriers of a cluster.
template <bool kRelaxed>
__global__ void cluster_barriers(int* out, int rounds) {
#if __CUDA_ARCH__ >= 900
  for (int r = 0; r < rounds; ++r) {
    if constexpr (kRelaxed) {
      asm volatile("barrier.cluster.arrive.relaxed.aligned;" ::: "memory");
    } else {
      asm volatile("barrier.cluster.arrive.release.aligned;" ::: "memory");
    }
    asm volatile("barrier.cluster.wait.acquire.aligned;" ::: "memory");
  }
  if (threadIdx.x == 0) {
    out[blockIdx.x] = rounds;
  }
#endif
}

constexpr int kRemoteChunks = 1024;  // of 16 bytes

/// Every block reads its neighbour's shared memory.
__global__ void read_remote(float* out, int steps) {
#if __CUDA_ARCH__ >= 900
  extern __shared__ float4 memory[];
  for (int i = threadIdx.x; i < kRemoteChunks; i += blockDim.x) {
    memory[i] = {1, 0, 0, 0};
  }
  asm volatile("barrier.cluster.arrive.release.aligned;" ::: "memory");
  asm volatile("barrier.cluster.wait.acquire.aligned;" ::: "memory");
  uint32_t rank, remote;
  asm("mov.u32 %0, %%cluster_ctarank;" : "=r"(rank));
  const auto mine = static_cast<uint32_t>(__cvta_generic_to_shared(memory));
  asm("mapa.shared::cluster.u32 %0, %1, %2;" : "=r"(remote) : "r"(mine), "r"(rank ^ 1u));
  float sum[4] = {};
#pragma unroll 8
  for (int s = 0; s < steps; ++s) {
    const uint32_t at = remote + ((threadIdx.x + 32 * s) & (kRemoteChunks - 1)) * 16;
    float v[4];
    asm volatile("ld.shared::cluster.v4.f32 {%0, %1, %2, %3}, [%4];"
                 : "=f"(v[0]), "=f"(v[1]), "=f"(v[2]), "=f"(v[3])
                 : "r"(at));
    for (int j = 0; j < 4; ++j) {
      sum[j] += v[j];
    }
  }
  asm volatile("barrier.cluster.arrive.release.aligned;" ::: "memory");
  asm volatile("barrier.cluster.wait.acquire.aligned;" ::: "memory");
  out[blockIdx.x * blockDim.x + threadIdx.x] = sum[0] + sum[1] + sum[2] + sum[3];
#endif
}

double seconds_of(cudaStream_t stream, const std::function<void()>& call) {
  using Clock = std::chrono::steady_clock;
  call();
  SV_CUDA_CALL(cudaStreamSynchronize(stream));
  for (int64_t count = 1;; count *= 4) {
    const auto start = Clock::now();
    for (int64_t i = 0; i < count; ++i) {
      call();
    }
    SV_CUDA_CALL(cudaStreamSynchronize(stream));
    const double took = std::chrono::duration<double>(Clock::now() - start).count();
    if (took >= kSeconds) {
      return took / static_cast<double>(count);
    }
  }
}

template <class T>
class Memory {
 public:
  explicit Memory(size_t count) {
    SV_CUDA_CALL(cudaMalloc(reinterpret_cast<void**>(&data_), count * sizeof(T)));
    SV_CUDA_CALL(cudaMemset(data_, 0, count * sizeof(T)));
  }
  ~Memory() { cudaFree(data_); }
  Memory(const Memory&) = delete;
  Memory& operator=(const Memory&) = delete;
  T* data() const { return data_; }
  T first() const {
    T x;
    SV_CUDA_CALL(cudaMemcpy(&x, data_, sizeof x, cudaMemcpyDeviceToHost));
    return x;
  }

 private:
  T* data_ = nullptr;
};

class Measure {
 public:
  Measure(int index, Runs& runs) : runs_(runs) {
    SV_CUDA_CALL(cudaSetDevice(index));
    SV_CUDA_CALL(cudaStreamCreateWithFlags(&stream_, cudaStreamNonBlocking));
    SV_CUDA_CALL(cudaGetDeviceProperties(&gpu_, index));
  }
  ~Measure() { cudaStreamDestroy(stream_); }
  Measure(const Measure&) = delete;
  Measure& operator=(const Measure&) = delete;

  void run() {
    attempt("limits.graph_node", [&] { return graph_node(empty, 1, false) * 1e6; });
    attempt("limits.graph_node_ten", [&] { return graph_node(empty, 10, false) * 1e6; });
    attempt("limits.while_node", [&] { return while_node() * 1e6; });
    if (gpu_.major != 9) {
      std::printf("clusters, programmatic launch and wgmma: Skipped: compute capability %d.%d\n",
                  gpu_.major,
                  gpu_.minor);
      return;
    }
    attempt("limits.graph_node_early", [&] { return graph_node(empty_early, 1, true) * 1e6; });
    for (const int size : {2, 4, 8, 16}) {
      attempt("limits.cluster_barrier_" + std::to_string(size),
              [&] { return cluster_barrier(cluster_barriers<false>, size) * 1e9; });
    }
    attempt("limits.cluster_barrier_8_relaxed",
            [&] { return cluster_barrier(cluster_barriers<true>, 8) * 1e9; });
    for (const int size : {8, 16}) {
      attempt("limits.clusters_" + std::to_string(size), [&] { return most_clusters(size); });
    }
    attempt("limits.remote_shared", [&] { return remote_rate() * 1e-9; });
    attempt("limits.wgmma", [&] { return wgmma_rate() * 1e-12; });
  }

 private:
  void attempt(const std::string& name, const std::function<double()>& measure) {
    try {
      runs_.add(name, measure());
    } catch (const std::exception& e) {
      std::printf("%s: Skipped: %s\n", name.c_str(), e.what());
    }
  }

  /// Seconds of a node of a chain of kernels without arguments.
  double graph_node(void (*kernel)(), int blocks, bool early) {
    cudaLaunchAttribute attribute{};
    attribute.id = cudaLaunchAttributeProgrammaticStreamSerialization;
    attribute.val.programmaticStreamSerializationAllowed = 1;
    cudaLaunchConfig_t config{};
    config.gridDim = dim3(static_cast<unsigned>(blocks));
    config.blockDim = dim3(32);
    config.stream = stream_;
    config.attrs = &attribute;
    config.numAttrs = early ? 1 : 0;
    cudaGraph_t graph;
    SV_CUDA_CALL(cudaStreamBeginCapture(stream_, cudaStreamCaptureModeThreadLocal));
    for (int i = 0; i < kNodes; ++i) {
      SV_CUDA_CALL(cudaLaunchKernelEx(&config, kernel));
    }
    SV_CUDA_CALL(cudaStreamEndCapture(stream_, &graph));
    return graph_seconds(graph) / kNodes;
  }

  /// Runs the graph and destroys it.
  double graph_seconds(cudaGraph_t graph, const std::function<void()>& before = {}) {
    cudaGraphExec_t ready;
    SV_CUDA_CALL(cudaGraphInstantiate(&ready, graph, 0));
    const double seconds = seconds_of(stream_, [&] {
      if (before) {
        before();
      }
      SV_CUDA_CALL(cudaGraphLaunch(ready, stream_));
    });
    SV_CUDA_CALL(cudaGraphExecDestroy(ready));
    SV_CUDA_CALL(cudaGraphDestroy(graph));
    return seconds;
  }

  double while_node() {
#if CUDART_VERSION >= 12040
    const Memory<int> left(1);
    const int turns = kNodes;
    cudaGraph_t graph;
    SV_CUDA_CALL(cudaGraphCreate(&graph, 0));
    cudaGraphConditionalHandle handle;
    SV_CUDA_CALL(cudaGraphConditionalHandleCreate(&handle, graph, 1, cudaGraphCondAssignDefault));
    cudaGraphNodeParams node{};
    node.type = cudaGraphNodeTypeConditional;
    node.conditional.handle = handle;
    node.conditional.type = cudaGraphCondTypeWhile;
    node.conditional.size = 1;
    cudaGraphNode_t at;
#if CUDART_VERSION >= 13000
    SV_CUDA_CALL(cudaGraphAddNode(&at, graph, nullptr, nullptr, 0, &node));
#else
    SV_CUDA_CALL(cudaGraphAddNode(&at, graph, nullptr, 0, &node));
#endif
    cudaGraph_t body = node.conditional.phGraph_out[0];
    int* pointer = left.data();
    void* list[] = {&pointer, &handle};
    cudaKernelNodeParams kernel{};
    kernel.func = reinterpret_cast<void*>(count_down);
    kernel.gridDim = dim3(1);
    kernel.blockDim = dim3(1);
    kernel.kernelParams = list;
    SV_CUDA_CALL(cudaGraphAddKernelNode(&at, body, nullptr, 0, &kernel));
    const double seconds = graph_seconds(graph, [&] {
      SV_CUDA_CALL(
          cudaMemcpyAsync(left.data(), &turns, sizeof turns, cudaMemcpyHostToDevice, stream_));
    });
    if (left.first() != 0) {
      throw Error("the loop did not count down", Exit::failed);
    }
    return seconds / turns;
#else
    throw Error("needs CUDA 12.4", Exit::environment);
#endif
  }

  cudaLaunchConfig_t clusters(cudaLaunchAttribute& attribute, int size, int blocks, int threads) {
    attribute.id = cudaLaunchAttributeClusterDimension;
    attribute.val.clusterDim = {static_cast<unsigned>(size), 1, 1};
    cudaLaunchConfig_t config{};
    config.gridDim = dim3(static_cast<unsigned>(blocks));
    config.blockDim = dim3(static_cast<unsigned>(threads));
    config.stream = stream_;
    config.attrs = &attribute;
    config.numAttrs = 1;
    return config;
  }

  template <class K>
  void allow_large(K kernel) {
    SV_CUDA_CALL(cudaFuncSetAttribute(
        reinterpret_cast<const void*>(kernel), cudaFuncAttributeNonPortableClusterSizeAllowed, 1));
  }

  double cluster_barrier(void (*kernel)(int*, int), int size) {
    constexpr int kRounds = 20000;
    const Memory<int> out(static_cast<size_t>(size));
    allow_large(kernel);
    cudaLaunchAttribute attribute{};
    const cudaLaunchConfig_t config = clusters(attribute, size, size, 256);
    const auto seconds = [&](int rounds) {
      return seconds_of(
          stream_, [&] { SV_CUDA_CALL(cudaLaunchKernelEx(&config, kernel, out.data(), rounds)); });
    };
    const double once = seconds(kRounds), twice = seconds(2 * kRounds);
    if (out.first() != 2 * kRounds) {
      throw Error("the kernel did not finish", Exit::failed);
    }
    return std::max(twice - once, 0.0) / kRounds;
  }

  double most_clusters(int size) {
    allow_large(read_remote);
    cudaLaunchAttribute attribute{};
    cudaLaunchConfig_t config = clusters(attribute, size, size, 256);
    config.dynamicSmemBytes = 200 << 10;
    SV_CUDA_CALL(cudaFuncSetAttribute(reinterpret_cast<const void*>(read_remote),
                                      cudaFuncAttributeMaxDynamicSharedMemorySize,
                                      200 << 10));
    int count = 0;
    SV_CUDA_CALL(cudaOccupancyMaxActiveClusters(
        &count, reinterpret_cast<const void*>(read_remote), &config));
    return count;
  }

  double remote_rate() {
    constexpr int kSteps = 4096, kThreads = 256;
    const int blocks = gpu_.multiProcessorCount / 2 * 2 * 4;
    const Memory<float> out(static_cast<size_t>(blocks) * kThreads);
    cudaLaunchAttribute attribute{};
    cudaLaunchConfig_t config = clusters(attribute, 2, blocks, kThreads);
    config.dynamicSmemBytes = kRemoteChunks * 16;
    const double seconds = seconds_of(stream_, [&] {
      SV_CUDA_CALL(cudaLaunchKernelEx(&config, read_remote, out.data(), kSteps));
    });
    if (out.first() != kSteps) {
      throw Error("the reads gave a wrong sum", Exit::failed);
    }
    return 16.0 * kSteps * blocks * kThreads / seconds;
  }

  double wgmma_rate() {
    constexpr int kSteps = 4096;
    const int blocks = gpu_.multiProcessorCount * 2;
    const Memory<float> out(static_cast<size_t>(blocks) * wgmma::kThreads);
    // Of ones the sums are known, whatever the layout in shared memory; of random numbers the power
    // is what it is in use.
    wgmma::products<<<blocks, wgmma::kThreads, wgmma::kBytes, stream_>>>(out.data(), 8, false);
    SV_CUDA_CALL(cudaGetLastError());
    SV_CUDA_CALL(cudaStreamSynchronize(stream_));
    if (out.first() != 8.0f * wgmma::kDepth * wgmma::kSums) {
      throw Error("the products of ones are wrong", Exit::failed);
    }
    const double seconds = seconds_of(stream_, [&] {
      wgmma::products<<<blocks, wgmma::kThreads, wgmma::kBytes, stream_>>>(
          out.data(), kSteps, true);
      SV_CUDA_CALL(cudaGetLastError());
    });
    return wgmma::kFlops * kSteps * blocks / seconds;
  }

  Runs& runs_;
  cudaStream_t stream_ = nullptr;
  cudaDeviceProp gpu_{};
};

}  // namespace

void measure_cuda_limits(int index, Runs& runs) {
  Measure(index, runs).run();
}

}  // namespace sv::gpu

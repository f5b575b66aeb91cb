#include "cuda/fake_cudart.h"

#define NVTX_NO_IMPL  // this file is the profiler
#include <nvtx3/nvToolsExt.h>

#include <cstdlib>
#include <cstring>
#include <deque>
#include <map>
#include <utility>

namespace sv::fake {

namespace {

Runtime g_runtime;
std::map<void*, size_t> g_blocks;           // device memory
std::deque<std::function<void()>> g_queue;  // work of the stream, not done yet
size_t g_done = 0;                          // of all work ever queued
std::map<cudaEvent_t, size_t> g_events;     // how much work an event waits for
bool g_launched = false;
cudaError_t g_last = cudaSuccess;

/// Counts the call; the chosen one fails.
cudaError_t seen(const char* name) {
  const bool fails = static_cast<int>(g_runtime.calls.size()) == g_runtime.fail_call;
  g_runtime.calls.emplace_back(name);
  return g_last = fails ? cudaErrorUnknown : cudaSuccess;
}

void run_until(size_t count) {
  while (g_done < count && !g_queue.empty()) {
    g_queue.front()();
    g_queue.pop_front();
    ++g_done;
  }
}
void queue(std::function<void()> work) {
  g_queue.push_back(std::move(work));
}

int range_push(const char* name) {
  g_runtime.ranges.emplace_back(name);
  return 0;
}
int range_pop() {
  g_runtime.ranges.emplace_back("-");
  return 0;
}
/// What a profiler does when NVTX finds it.
int attach(NvtxGetExportTableFunc_t tables) {
  const auto* callbacks = static_cast<const NvtxExportTableCallbacks*>(tables(NVTX_ETID_CALLBACKS));
  NvtxFunctionTable table = nullptr;
  unsigned size = 0;
  if (callbacks->GetModuleFunctionTable(NVTX_CB_MODULE_CORE, &table, &size) == 0) {
    return 0;
  }
  *table[NVTX_CBID_CORE_RangePushA] = reinterpret_cast<NvtxFunctionPointer>(range_push);
  *table[NVTX_CBID_CORE_RangePop] = reinterpret_cast<NvtxFunctionPointer>(range_pop);
  return 1;
}

}  // namespace

Runtime& runtime() {
  return g_runtime;
}

void reset() {
  g_runtime = {};
  g_queue.clear();
  g_events.clear();
  g_done = 0;
  g_launched = false;
  g_last = cudaSuccess;
}

}  // namespace sv::fake

using namespace sv::fake;

#define SV_FAKE(name)                                               \
  if (const cudaError_t sv_e_ = seen(name); sv_e_ != cudaSuccess) { \
    return sv_e_;                                                   \
  }

extern "C" {

/// Where NVTX (of CUDA 13) looks for a profiler that was linked into the program.
NvtxInitializeInjectionNvtxFunc_t InitializeInjectionNvtx2_fnptr = attach;

const char* cudaGetErrorName(cudaError_t e) {
  return e == cudaErrorMemoryAllocation     ? "cudaErrorMemoryAllocation"
         : e == cudaErrorInsufficientDriver ? "cudaErrorInsufficientDriver"
         : e == cudaErrorNoDevice           ? "cudaErrorNoDevice"
         : e == cudaErrorIllegalAddress     ? "cudaErrorIllegalAddress"
                                            : "cudaErrorUnknown";
}
const char* cudaGetErrorString(cudaError_t) {
  return "what it means";
}
cudaError_t cudaGetLastError() {
  return std::exchange(g_last, cudaSuccess);
}
cudaError_t cudaGetDeviceCount(int* count) {
  *count = runtime().device_count;
  return g_last = runtime().count_error;
}
cudaError_t cudaGetDeviceProperties(cudaDeviceProp* p, int) {
  SV_FAKE("cudaGetDeviceProperties");
  *p = {};
  std::strcpy(p->name, "Fake GPU");
  p->major = 9;
  p->multiProcessorCount = 4;
  p->totalGlobalMem = runtime().memory;
  return cudaSuccess;
}
cudaError_t cudaRuntimeGetVersion(int* v) {
  *v = CUDART_VERSION;
  return cudaSuccess;
}
cudaError_t cudaDriverGetVersion(int* v) {
  *v = runtime().driver;
  return cudaSuccess;
}
cudaError_t cudaSetDevice(int) {
  SV_FAKE("cudaSetDevice");
  return cudaSuccess;
}
cudaError_t cudaDeviceGetAttribute(int* value, cudaDeviceAttr, int) {
  SV_FAKE("cudaDeviceGetAttribute");
  *value = runtime().shared_optin;
  return cudaSuccess;
}

cudaError_t cudaMalloc(void** p, size_t bytes) {
  SV_FAKE("cudaMalloc");
  if (runtime().used + bytes > runtime().memory) {
    return g_last = cudaErrorMemoryAllocation;
  }
  *p = std::malloc(bytes);
  std::memset(*p, 0xFF, bytes);
  g_blocks[*p] = bytes;
  runtime().used += bytes;
  return cudaSuccess;
}
cudaError_t cudaFree(void* p) {
  run_until(g_done + g_queue.size());
  if (p != nullptr) {
    runtime().used -= g_blocks.at(p);
    g_blocks.erase(p);
    std::free(p);
  }
  return cudaSuccess;
}
cudaError_t cudaMemGetInfo(size_t* left, size_t* total) {
  *total = runtime().memory;
  *left = runtime().memory - runtime().used;
  return cudaSuccess;
}
cudaError_t cudaMallocHost(void** p, size_t bytes) {
  SV_FAKE("cudaMallocHost");
  *p = std::malloc(bytes);
  ++runtime().pinned;
  return cudaSuccess;
}
cudaError_t cudaFreeHost(void* p) {
  runtime().pinned -= p != nullptr ? 1 : 0;
  std::free(p);
  return cudaSuccess;
}

cudaError_t cudaStreamCreateWithFlags(cudaStream_t* s, unsigned) {
  SV_FAKE("cudaStreamCreateWithFlags");
  *s = reinterpret_cast<cudaStream_t>(&g_runtime);
  ++runtime().streams;
  return cudaSuccess;
}
cudaError_t cudaStreamDestroy(cudaStream_t) {
  --runtime().streams;
  return cudaSuccess;
}
cudaError_t cudaStreamSynchronize(cudaStream_t) {
  SV_FAKE("cudaStreamSynchronize");
  run_until(g_done + g_queue.size());
  return g_last = std::exchange(g_launched, false) ? runtime().fault : cudaSuccess;
}
cudaError_t cudaEventCreateWithFlags(cudaEvent_t* e, unsigned) {
  SV_FAKE("cudaEventCreateWithFlags");
  *e = reinterpret_cast<cudaEvent_t>(std::malloc(1));
  ++runtime().events;
  return cudaSuccess;
}
cudaError_t cudaEventDestroy(cudaEvent_t e) {
  std::free(e);
  --runtime().events;
  return cudaSuccess;
}
cudaError_t cudaEventRecord(cudaEvent_t e, cudaStream_t) {
  SV_FAKE("cudaEventRecord");
  g_events[e] = g_done + g_queue.size();
  return cudaSuccess;
}
cudaError_t cudaEventSynchronize(cudaEvent_t e) {
  SV_FAKE("cudaEventSynchronize");
  run_until(g_events[e]);  // and no further
  return cudaSuccess;
}

cudaError_t cudaMemcpyAsync(
    void* to, const void* from, size_t bytes, cudaMemcpyKind, cudaStream_t) {
  SV_FAKE("cudaMemcpyAsync");
  queue([=] { std::memcpy(to, from, bytes); });
  return cudaSuccess;
}
cudaError_t cudaMemsetAsync(void* to, int value, size_t bytes, cudaStream_t) {
  SV_FAKE("cudaMemsetAsync");
  queue([=] { std::memset(to, value, bytes); });
  return cudaSuccess;
}

cudaError_t cudaFuncGetAttributes(cudaFuncAttributes*, const void*) {
  SV_FAKE("cudaFuncGetAttributes");
  return g_last = runtime().has_code ? cudaSuccess : cudaErrorNoKernelImageForDevice;
}
cudaError_t cudaFuncSetAttribute(const void* f, cudaFuncAttribute, int value) {
  SV_FAKE("cudaFuncSetAttribute");
  runtime().shared_limits.emplace_back(f, value);
  return cudaSuccess;
}
cudaError_t cudaLaunchKernel(
    const void* f, dim3 grid, dim3 block, void** args, size_t shared, cudaStream_t) {
  SV_FAKE("cudaLaunchKernel");
  const auto* bytes = static_cast<const std::byte*>(args[0]);
  runtime().launches.push_back({f, grid, block, {bytes, bytes + runtime().args_bytes}, shared});
  g_launched = true;
  return g_last = runtime().launch_error;
}

}  // extern "C"

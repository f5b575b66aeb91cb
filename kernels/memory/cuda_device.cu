#include "kernels/memory/cuda_device.h"

#include <algorithm>
#include <cstdlib>
#include <map>
#include <sstream>

#if __has_include(<nvtx3/nvToolsExt.h>)
#include <nvtx3/nvToolsExt.h>
#define SV_NVTX 1
#endif

#include "kernels/cuda/kernel_table.h"
#include "kernels/memory/cuda_check.h"
#include "kernels/memory/cuda_library.h"
#include "kernels/memory/cuda_staging.h"

namespace sv::cuda {

void check(cudaError_t status, const char* call, const char* file, int line) {
  if (status != cudaSuccess) {
    cudaGetLastError();  // or the next launch would report this error again
    throw Error(sv::detail::concat(cudaGetErrorName(status),
                                   " (",
                                   static_cast<int>(status),
                                   ", ",
                                   cudaGetErrorString(status),
                                   ") at ",
                                   file,
                                   ":",
                                   line,
                                   ": ",
                                   call),
                Exit::environment);
  }
}

namespace {

constexpr double kMiB = 1 << 20;

/// A stream that waits for its work before it goes.
class Stream {
 public:
  Stream() { SV_CUDA_CALL(cudaStreamCreateWithFlags(&stream_, cudaStreamNonBlocking)); }
  ~Stream() {
    cudaStreamSynchronize(stream_);
    cudaStreamDestroy(stream_);
  }
  Stream(const Stream&) = delete;
  Stream& operator=(const Stream&) = delete;
  operator cudaStream_t() const { return stream_; }

 private:
  cudaStream_t stream_ = nullptr;
};

class CudaDevice final : public Device {
 public:
  CudaDevice(const DeviceInfo& info, const Options& options)
      : info_(info), kernels_(all_kernels()), library_(options.cublaslt) {
    use();
    if (options.more != nullptr) {
      kernels_.add_all(*options.more);
    }
    staging_ = std::make_unique<Staging>();
    stream_ = std::make_unique<Stream>();
    SV_CUDA_CALL(cudaDeviceGetAttribute(
        &shared_limit_, cudaDevAttrMaxSharedMemoryPerBlockOptin, info_.index));
    check_code();
  }
  std::string name() const override {
    return sv::detail::concat("cuda:", info_.index, " ", info_.name);
  }

  void* alloc(size_t bytes) override {
    use();
    void* p = nullptr;
    const cudaError_t status = cudaMalloc(&p, std::max<size_t>(bytes, 1));
    if (status == cudaErrorMemoryAllocation) {
      fail_out_of_memory(bytes);
    }
    SV_CUDA_CALL(status);
    return p;
  }

  // Called from destructors, so it does not throw; an error shows again at the next checked call.
  void free(void* p) override {
    cudaSetDevice(info_.index);
    cudaFree(p);
  }

  void to_device(void* dst, const void* src, size_t bytes) override {
    use();
    staging_->to_device(dst, src, bytes, *stream_);
  }

  void to_host_later(void* dst, const void* src, size_t bytes) override {
    use();
    staging_->to_host_later(dst, src, bytes, *stream_);
  }

  void finish_copies() override {
    use();
    staging_->finish();
  }

  void drop_copies() noexcept override { staging_->drop(); }

  void copy(void* dst, const void* src, size_t bytes) override {
    use();
    SV_CUDA_CALL(cudaMemcpyAsync(dst, src, bytes, cudaMemcpyDeviceToDevice, *stream_));
  }

  void zero(void* dst, size_t bytes) override {
    use();
    SV_CUDA_CALL(cudaMemsetAsync(dst, 0, bytes, *stream_));
  }

  void launch(const char* name, const LaunchShape& s, const void* args, size_t bytes) override {
    use();
    const TimeRange range(this, name);
    const Kernel& kernel = kernels_.at(name);
    SV_CHECK_EQ(bytes, kernel.args_bytes, name);
    if (s.grid_x == 0 || s.grid_y == 0 || s.grid_z == 0) {
      return;
    }
    check_shape(name, kernel, s);
    raise_shared_limit(kernel, s.shared_bytes);
    void* list[] = {const_cast<void*>(args)};
    const cudaError_t status = cudaLaunchKernel(kernel.entry,
                                                dim3(static_cast<unsigned>(s.grid_x),
                                                     static_cast<unsigned>(s.grid_y),
                                                     static_cast<unsigned>(s.grid_z)),
                                                dim3(static_cast<unsigned>(s.block)),
                                                list,
                                                static_cast<size_t>(s.shared_bytes),
                                                *stream_);
    last_ = name;
    if (status != cudaSuccess) {
      fail_kernel(status, "");
    }
    if (every_) {
      synchronise();
    }
  }

  void synchronise() override {
    use();
    const cudaError_t status = cudaStreamSynchronize(*stream_);
    if (status != cudaSuccess) {
      fail_kernel(status,
                  every_ ? "" : " or one before it (SV_CUDA_SYNC=1 waits after each, and tells)");
    }
  }

  /// On the time line of a profiler; nothing where the toolkit has no NVTX. NVTX looks for the
  /// profiler itself, at the first call, and returns at once where there is none.
  void range_push([[maybe_unused]] const char* name) override {
#ifdef SV_NVTX
    nvtxRangePushA(name);
#endif
  }
  void range_pop() noexcept override {
#ifdef SV_NVTX
    nvtxRangePop();
#endif
  }
  int processors() const override { return info_.processors; }

  bool library_product(const LargeProduct& p) override {
    use();
    return library_.multiply(p, *stream_);
  }
  std::string products() const override { return library_.said(); }

 private:
  /// The current device belongs to the thread, and a caller may have opened another.
  void use() const {
    SV_CUDA_CALL(cudaSetDevice(info_.index));
  }

  void check_code() const {
    for (const auto& [name, kernel] : kernels_.all()) {
      cudaFuncAttributes attributes;
      const cudaError_t status = cudaFuncGetAttributes(&attributes, kernel.entry);
      if (status == cudaErrorNoKernelImageForDevice || status == cudaErrorInvalidDeviceFunction) {
        cudaGetLastError();
        throw Error(sv::detail::concat(this->name(),
                                       " has compute capability ",
                                       info_.major,
                                       ".",
                                       info_.minor,
                                       ", for which this program has no code; configure with "
                                       "-DCMAKE_CUDA_ARCHITECTURES=",
                                       info_.major,
                                       info_.minor,
                                       "-real"),
                    Exit::environment);
      }
      SV_CUDA_CALL(status);
      return;  // all kernels are compiled for the same architectures
    }
  }

  void check_shape(const char* name, const Kernel& kernel, const LaunchShape& s) const {
    SV_CHECK(s.grid_x > 0 && s.grid_y > 0 && s.grid_z > 0 && s.grid_y < 65536 && s.grid_z < 65536,
             name,
             ": a grid of ",
             s.grid_x,
             " x ",
             s.grid_y,
             " x ",
             s.grid_z);
    SV_CHECK(s.block > 0 && s.block <= kernel.max_block,
             name,
             ": blocks of ",
             s.block,
             " threads, compiled for at most ",
             kernel.max_block);
    SV_CHECK(s.shared_bytes >= 0 && s.shared_bytes <= shared_limit_,
             name,
             ": ",
             s.shared_bytes,
             " bytes of shared memory; ",
             this->name(),
             " has ",
             shared_limit_,
             " for a block");
  }

  /// Above 48 KiB a kernel must be told first; once for the most it has asked.
  void raise_shared_limit(const Kernel& kernel, int bytes) {
    int& told = shared_[kernel.entry];
    if (bytes > std::max(told, 48 << 10)) {
      SV_CUDA_CALL(
          cudaFuncSetAttribute(kernel.entry, cudaFuncAttributeMaxDynamicSharedMemorySize, bytes));
      told = bytes;
    }
  }

  [[noreturn]] void fail_kernel(cudaError_t status, const char* which) const {
    cudaGetLastError();
    throw Error(sv::detail::concat(name(),
                                   ": ",
                                   cudaGetErrorName(status),
                                   " (",
                                   cudaGetErrorString(status),
                                   ") in kernel ",
                                   last_,
                                   which),
                Exit::environment);
  }

  [[noreturn]] void fail_out_of_memory(size_t bytes) const {
    cudaGetLastError();
    size_t left = 0, total = 0;
    SV_CUDA_CALL(cudaMemGetInfo(&left, &total));
    std::ostringstream text;
    text.precision(1);
    text << std::fixed << name() << ": out of device memory: " << static_cast<double>(bytes) / kMiB
         << " MiB requested, " << static_cast<double>(left) / kMiB << " of "
         << static_cast<double>(total) / kMiB
         << " MiB free; make train.batch or the number of seeds smaller, or recompute with "
            "train.gradient=checkpoint:1";
    throw Error(text.str(), Exit::environment);
  }

  DeviceInfo info_;
  KernelTable kernels_;
  std::unique_ptr<Staging> staging_;
  Library library_;
  std::unique_ptr<Stream> stream_;  // goes first: work in it reads the memory of the two above
  int shared_limit_ = 0;
  std::map<const void*, int> shared_;
  std::string last_ = "(none yet)";
  bool every_ = std::getenv("SV_CUDA_SYNC") != nullptr;  // wait after every launch
};

std::string version_text(int v) {
  return sv::detail::concat(v / 1000, ".", v % 1000 / 10);
}

}  // namespace

std::string versions() {
  int runtime = 0, driver = 0;
  SV_CUDA_CALL(cudaRuntimeGetVersion(&runtime));
  if (cudaDriverGetVersion(&driver) != cudaSuccess) {
    cudaGetLastError();
  }
  return sv::detail::concat(version_text(runtime), " (driver ", version_text(driver), ")");
}

std::string why_none() {
  int count = 0;
  const cudaError_t status = cudaGetDeviceCount(&count);
  cudaGetLastError();
  if (status == cudaSuccess && count > 0) {
    return "";
  }
  const std::string error =
      sv::detail::concat(" (", cudaGetErrorName(status), ", error ", static_cast<int>(status), ")");
  if (status == cudaErrorInsufficientDriver) {
    int driver = 0;
    cudaDriverGetVersion(&driver);
    cudaGetLastError();
    return (driver == 0 ? "there is no NVIDIA driver on this machine" + error
                        : "the NVIDIA driver is for CUDA " + version_text(driver) + error) +
           "; this program needs one for CUDA " + version_text(CUDART_VERSION) + " or newer";
  }
  const char* visible = std::getenv("CUDA_VISIBLE_DEVICES");
  return "the NVIDIA driver shows no GPU" + error +
         (visible != nullptr ? sv::detail::concat("; CUDA_VISIBLE_DEVICES is '", visible, "'")
                             : "; nvidia-smi tells what it sees");
}

std::vector<DeviceInfo> devices() {
  std::vector<DeviceInfo> found;
  int count = 0;
  if (cudaGetDeviceCount(&count) != cudaSuccess) {
    cudaGetLastError();
    return found;
  }
  for (int i = 0; i < count; ++i) {
    cudaDeviceProp p;
    SV_CUDA_CALL(cudaGetDeviceProperties(&p, i));
    found.push_back({i, p.name, p.major, p.minor, p.multiProcessorCount, p.totalGlobalMem});
  }
  return found;
}

std::unique_ptr<Device> open(int index, const Options& options) {
  const std::vector<DeviceInfo> all = devices();
  if (all.empty()) {
    throw Error("no CUDA device: " + why_none(), Exit::environment);
  }
  if (index < 0 || index >= static_cast<int>(all.size())) {
    throw Error(sv::detail::concat("there is no device cuda:",
                                   index,
                                   "; this machine has ",
                                   all.size(),
                                   " (subvocal list devices)"),
                Exit::environment);
  }
  return std::make_unique<CudaDevice>(all[static_cast<size_t>(index)], options);
}

}  // namespace sv::cuda

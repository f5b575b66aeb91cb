// CublasLt: NVIDIA's products of matrices, from the library that a machine has, opened at run time.
//
// One call per model, so that a model's bits do not depend on the pack. The algorithm is asked for
// once per shape, without split sums (a reduction scheme), and without regard to where in memory a
// model stands. Which one that is depends on the library's version and the GPU.
#pragma once
#include <map>
#include <memory>
#include <string>
#include <tuple>

#include "kernels/cuda/cublaslt_api.h"
#include "kernels/memory/device.h"

namespace sv::cuda {

class CublasLt {
 public:
  /// Most scratch that an algorithm may want; the caller's, in device memory.
  static constexpr size_t kWorkspaceBytes = size_t{32} << 20;

  /// Opens the library that the environment variable SV_CUBLASLT names, else that of CUDA release
  /// `major`, then those of 13 and 12, by name and in /usr/local/cuda. Null where none works: `why`
  /// then says what was tried.
  static std::unique_ptr<CublasLt> open(int major, std::string& why);
  ~CublasLt();
  CublasLt(const CublasLt&) = delete;
  CublasLt& operator=(const CublasLt&) = delete;

  /// Queues the product on a stream. False where the library has no algorithm for it; throws
  /// (Exit::environment) where it fails.
  bool multiply(const LargeProduct& p, void* workspace, void* stream);
  /// "cuBLASLt 13.0.2, <path>".
  const std::string& name() const { return name_; }
  int64_t calls() const { return calls_; }

 private:
  struct Plan;
  /// Extents, orders, bias, precision, alignment.
  using Key = std::tuple<int64_t, int64_t, int64_t, bool, bool, bool, Precision, int>;
  CublasLt(void* library, void* handle, const lt::Api& api, std::string name);
  static std::unique_ptr<CublasLt> open_one(const std::string& file, std::string& why);
  const Plan& plan_of(const LargeProduct& p);
  std::unique_ptr<Plan> make_plan(const LargeProduct& p) const;
  void choose(Plan& plan, int alignment) const;

  void* library_;
  void* handle_;
  lt::Api api_;
  std::string name_;
  std::map<Key, std::unique_ptr<Plan>> plans_;
  int64_t calls_ = 0;
};

}  // namespace sv::cuda

// The library that may take over a CudaDevice's large products.
#pragma once
#include <memory>
#include <string>

#include "kernels/cuda/cublaslt.h"
#include "kernels/memory/cuda_check.h"

namespace sv::cuda {

/// cuBLASLt and its scratch, from the first product that it is asked for.
class Library {
 public:
  explicit Library(bool wanted) : wanted_(wanted) {}
  ~Library() { cudaFree(scratch_); }
  Library(const Library&) = delete;
  Library& operator=(const Library&) = delete;

  bool multiply(const LargeProduct& p, cudaStream_t stream) {
    if (wanted_ && !asked_) {
      asked_ = true;
      open();
    }
    return lt_ && lt_->multiply(p, scratch_, stream);
  }
  std::string said() const {
    return sv::detail::concat(
        "own kernels",
        !wanted_ ? " (cublaslt off)"
        : lt_    ? sv::detail::concat("; ", lt_->calls(), " large products by ", lt_->name())
        : asked_ ? " (no cuBLASLt: " + why_ + ")"
                 : std::string());
  }

 private:
  void open() {
    lt_ = CublasLt::open(CUDART_VERSION / 1000, why_);
    if (lt_ && cudaMalloc(&scratch_, CublasLt::kWorkspaceBytes) != cudaSuccess) {
      cudaGetLastError();
      lt_ = nullptr;
      why_ = "no memory for its scratch";
    }
  }

  bool wanted_, asked_ = false;
  std::unique_ptr<CublasLt> lt_;
  void* scratch_ = nullptr;
  std::string why_;
};

}  // namespace sv::cuda

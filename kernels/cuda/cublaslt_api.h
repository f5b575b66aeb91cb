// The few declarations of cuBLASLt that are used, so that no header of it is needed to build and no
// library to start. cublaslt_values.cu compares them with the toolkit's header where there is one.
// Source: cuBLAS documentation, "cuBLASLt datatypes reference" and "cuBLASLt API reference"; the
// numbers are the same from release 12.0 to 13.
#pragma once
#include <cstddef>
#include <cstdint>

namespace sv::cuda::lt {

// Values of enumerations, by their names there.
inline constexpr int kSuccess = 0, kNotSupported = 15;            // cublasStatus_t
inline constexpr int kNoTranspose = 0, kTranspose = 1;            // cublasOperation_t
inline constexpr int kR32F = 0;                                   // cudaDataType
inline constexpr int kCompute32FBf16 = 75, kCompute32FTf32 = 77;  // cublasComputeType_t
inline constexpr int kDescTransA = 3, kDescTransB = 4, kDescEpilogue = 7, kDescBiasPointer = 8;
inline constexpr int kEpilogueBias = 4;
inline constexpr int kPreferWorkspaceBytes = 1, kPreferReductionSchemes = 3, kPreferAlignmentA = 5,
                     kPreferAlignmentB = 6, kPreferAlignmentC = 7, kPreferAlignmentD = 8;

struct Algo {  // cublasLtMatmulAlgo_t
  uint64_t data[8];
};
struct Heuristic {  // cublasLtMatmulHeuristicResult_t
  Algo algo;
  size_t workspace;  // bytes
  int state;
  float waves;
  int reserved[4];
};

/// The entry points, in a library that was opened; handles and descriptors are opaque.
struct Api {
  int (*create)(void** handle);
  int (*destroy)(void* handle);
  size_t (*version)();
  int (*desc_create)(void** desc, int compute, int scale);
  int (*desc_set)(void* desc, int attribute, const void* value, size_t bytes);
  int (*desc_destroy)(void* desc);
  int (*layout_create)(void** layout, int type, uint64_t rows, uint64_t columns, int64_t stride);
  int (*layout_destroy)(void* layout);
  int (*preference_create)(void** preference);
  int (*preference_set)(void* preference, int attribute, const void* value, size_t bytes);
  int (*preference_destroy)(void* preference);
  int (*heuristic)(void* handle,
                   void* desc,
                   void* a,
                   void* b,
                   void* c,
                   void* d,
                   void* preference,
                   int wanted,
                   Heuristic* results,
                   int* found);
  int (*matmul)(void* handle,
                void* desc,
                const void* alpha,
                const void* a,
                void* a_layout,
                const void* b,
                void* b_layout,
                const void* beta,
                const void* c,
                void* c_layout,
                void* d,
                void* d_layout,
                const Algo* algo,
                void* workspace,
                size_t workspace_bytes,
                void* stream);
};

}  // namespace sv::cuda::lt

#include "cuda/fake_cublaslt.h"

#include <cstring>
#include <map>

#include "kernels/cuda/cublaslt_api.h"

namespace sv::fake {

namespace {

namespace lt = sv::cuda::lt;

Lt g_lt;

struct Layout {
  uint64_t rows, columns;
  int64_t stride;
};
struct Desc {
  int compute = 0, trans_a = lt::kNoTranspose, trans_b = lt::kNoTranspose, epilogue = 1;
  const float* bias = nullptr;
};
using Preference = std::map<int, uint64_t>;

template <class T>
int make(void** to, const T& value) {
  *to = new T(value);
  ++g_lt.descriptors;
  return lt::kSuccess;
}
template <class T>
int drop(void* of) {
  delete static_cast<T*>(of);
  --g_lt.descriptors;
  return lt::kSuccess;
}

constexpr int kInvalidValue = 7;  // CUBLAS_STATUS_INVALID_VALUE

/// op(X)(i, j) of a column-major matrix.
float at(const float* x, const Layout& l, int trans, uint64_t i, uint64_t j) {
  return trans == lt::kTranspose ? x[j + i * static_cast<uint64_t>(l.stride)]
                                 : x[i + j * static_cast<uint64_t>(l.stride)];
}

/// Whether op(a) (m, k) op(b) (k, n) makes c (m, n).
bool fits(const Desc& d, const Layout& a, const Layout& b, const Layout& c) {
  const bool ta = d.trans_a == lt::kTranspose, tb = d.trans_b == lt::kTranspose;
  return (ta ? a.columns : a.rows) == c.rows && (tb ? b.rows : b.columns) == c.columns &&
         (ta ? a.rows : a.columns) == (tb ? b.columns : b.rows);
}

}  // namespace

}  // namespace sv::fake

using namespace sv::fake;

extern "C" {

Lt* sv_fake_lt() {
  return &g_lt;
}

int cublasLtCreate(void** handle) {
  *handle = g_lt.create_status == 0 ? &g_lt : nullptr;
  g_lt.handles += g_lt.create_status == 0 ? 1 : 0;
  return g_lt.create_status;
}
int cublasLtDestroy(void*) {
  --g_lt.handles;
  return lt::kSuccess;
}
size_t cublasLtGetVersion() {
  return 120405;
}

int cublasLtMatmulDescCreate(void** desc, int compute, int scale) {
  return scale == lt::kR32F ? make(desc, Desc{compute}) : kInvalidValue;
}
int cublasLtMatmulDescDestroy(void* desc) {
  return drop<Desc>(desc);
}
int cublasLtMatmulDescSetAttribute(void* desc, int attribute, const void* value, size_t bytes) {
  Desc& d = *static_cast<Desc*>(desc);
  void* to = attribute == lt::kDescTransA        ? static_cast<void*>(&d.trans_a)
             : attribute == lt::kDescTransB      ? &d.trans_b
             : attribute == lt::kDescEpilogue    ? &d.epilogue
             : attribute == lt::kDescBiasPointer ? static_cast<void*>(&d.bias)
                                                 : nullptr;
  const size_t size = attribute == lt::kDescBiasPointer ? sizeof d.bias : sizeof(int);
  if (!to || bytes != size) {
    return kInvalidValue;
  }
  std::memcpy(to, value, bytes);
  return lt::kSuccess;
}

int cublasLtMatrixLayoutCreate(
    void** layout, int type, uint64_t rows, uint64_t columns, int64_t stride) {
  return type == lt::kR32F ? make(layout, Layout{rows, columns, stride}) : kInvalidValue;
}
int cublasLtMatrixLayoutDestroy(void* layout) {
  return drop<Layout>(layout);
}

int cublasLtMatmulPreferenceCreate(void** preference) {
  return make(preference, Preference{});
}
int cublasLtMatmulPreferenceDestroy(void* preference) {
  return drop<Preference>(preference);
}
int cublasLtMatmulPreferenceSetAttribute(void* preference,
                                         int attribute,
                                         const void* value,
                                         size_t bytes) {
  if (bytes != (attribute == lt::kPreferWorkspaceBytes ? 8u : 4u)) {
    return kInvalidValue;
  }
  std::memcpy(&(*static_cast<Preference*>(preference))[attribute], value, bytes);
  return lt::kSuccess;
}

int cublasLtMatmulAlgoGetHeuristic(void* handle,
                                   void* desc,
                                   void* a,
                                   void* b,
                                   void* c,
                                   void* d,
                                   void* preference,
                                   int wanted,
                                   lt::Heuristic* results,
                                   int* found) {
  const Preference& p = *static_cast<Preference*>(preference);
  // Every preference is given, and split sums are ruled out.
  if (handle != &g_lt || c != d || wanted != 1 || p.size() != 6 ||
      p.at(lt::kPreferReductionSchemes) != 0 ||
      !fits(*static_cast<Desc*>(desc),
            *static_cast<Layout*>(a),
            *static_cast<Layout*>(b),
            *static_cast<Layout*>(c))) {
    return kInvalidValue;
  }
  ++g_lt.heuristics;
  g_lt.alignments.push_back(static_cast<unsigned>(p.at(lt::kPreferAlignmentA)));
  *found = g_lt.has_algorithm ? 1 : 0;
  *results = {};
  results->algo.data[0] = 0xA160;
  results->workspace = 1024;
  return g_lt.heuristic_status;
}

int cublasLtMatmul(void* handle,
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
                   const lt::Algo* algo,
                   void* workspace,
                   size_t workspace_bytes,
                   void* stream) {
  const Desc& op = *static_cast<Desc*>(desc);
  const auto &la = *static_cast<Layout*>(a_layout), &lb = *static_cast<Layout*>(b_layout),
             &lc = *static_cast<Layout*>(c_layout);
  if (handle != &g_lt || c != d || c_layout != d_layout || !fits(op, la, lb, lc) ||
      algo->data[0] != 0xA160 || workspace_bytes != 1024) {
    return kInvalidValue;
  }
  ++g_lt.products;
  g_lt.compute = op.compute;
  g_lt.workspace = workspace;
  g_lt.stream = stream;
  if (g_lt.matmul_status != 0) {
    return g_lt.matmul_status;
  }
  const uint64_t depth = op.trans_a == lt::kTranspose ? la.rows : la.columns;
  auto* out = static_cast<float*>(d);
  for (uint64_t j = 0; j < lc.columns; ++j) {
    for (uint64_t i = 0; i < lc.rows; ++i) {
      double sum = 0;
      for (uint64_t k = 0; k < depth; ++k) {
        sum += static_cast<double>(at(static_cast<const float*>(a), la, op.trans_a, i, k)) *
               static_cast<double>(at(static_cast<const float*>(b), lb, op.trans_b, k, j));
      }
      float& to = out[i + j * static_cast<uint64_t>(lc.stride)];
      sum *= static_cast<double>(*static_cast<const float*>(alpha));
      const float scale = *static_cast<const float*>(beta);
      sum += scale == 0 ? 0 : static_cast<double>(scale) * static_cast<double>(to);
      sum += op.epilogue == lt::kEpilogueBias ? static_cast<double>(op.bias[i]) : 0;
      to = static_cast<float>(sum);
    }
  }
  return lt::kSuccess;
}

}  // extern "C"

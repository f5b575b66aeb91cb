#include "kernels/cuda/cublaslt.h"

#include <dlfcn.h>

#include <cstdlib>
#include <set>
#include <vector>

#include "core/check.h"

namespace sv::cuda {

namespace {

/// Every entry point of the library, or the name of one that is missing.
std::string load(void* library, lt::Api& api) {
  std::string missing;
  const auto take = [&](auto& entry, const char* name) {
    entry = reinterpret_cast<std::remove_reference_t<decltype(entry)>>(dlsym(library, name));
    if (!entry && missing.empty()) {
      missing = name;
    }
  };
  take(api.create, "cublasLtCreate");
  take(api.destroy, "cublasLtDestroy");
  take(api.version, "cublasLtGetVersion");
  take(api.desc_create, "cublasLtMatmulDescCreate");
  take(api.desc_set, "cublasLtMatmulDescSetAttribute");
  take(api.desc_destroy, "cublasLtMatmulDescDestroy");
  take(api.layout_create, "cublasLtMatrixLayoutCreate");
  take(api.layout_destroy, "cublasLtMatrixLayoutDestroy");
  take(api.preference_create, "cublasLtMatmulPreferenceCreate");
  take(api.preference_set, "cublasLtMatmulPreferenceSetAttribute");
  take(api.preference_destroy, "cublasLtMatmulPreferenceDestroy");
  take(api.heuristic, "cublasLtMatmulAlgoGetHeuristic");
  take(api.matmul, "cublasLtMatmul");
  return missing;
}

/// Where the library lies that `entry` belongs to.
std::string path_of(const void* entry, const std::string& asked) {
  Dl_info info;
  return dladdr(entry, &info) != 0 && info.dli_fname ? info.dli_fname : asked;
}

void check(int status, const char* what) {
  if (status != lt::kSuccess) {
    throw Error(detail::concat("cuBLASLt: ", what, " failed with status ", status),
                Exit::environment);
  }
}

}  // namespace

/// What one shape is computed with. Descriptors that were not made are null; the library takes
/// null.
struct CublasLt::Plan {
  explicit Plan(const lt::Api& of) : api(of) {}
  ~Plan() {
    for (void* layout : {a, b, out}) {
      if (layout) {
        api.layout_destroy(layout);
      }
    }
    if (desc) {
      api.desc_destroy(desc);
    }
  }
  Plan(const Plan&) = delete;
  Plan& operator=(const Plan&) = delete;

  const lt::Api& api;
  void *desc = nullptr, *a = nullptr, *b = nullptr, *out = nullptr;
  lt::Algo algo{};
  size_t workspace = 0;
  bool usable = false;
};

CublasLt::CublasLt(void* library, void* handle, const lt::Api& api, std::string name)
    : library_(library), handle_(handle), api_(api), name_(std::move(name)) {}

CublasLt::~CublasLt() {
  plans_.clear();
  api_.destroy(handle_);
  dlclose(library_);
}

std::unique_ptr<CublasLt> CublasLt::open_one(const std::string& file, std::string& why) {
  void* library = dlopen(file.c_str(), RTLD_NOW | RTLD_LOCAL);
  if (!library) {
    why += detail::concat(why.empty() ? "" : "; ", dlerror());
    return nullptr;
  }
  lt::Api api{};
  std::string problem = load(library, api);
  void* handle = nullptr;
  if (!problem.empty()) {
    problem = "has no " + problem;
  } else if (const int status = api.create(&handle); status != lt::kSuccess) {
    problem = detail::concat("cublasLtCreate failed with status ", status);
  }
  if (!problem.empty()) {
    dlclose(library);
    why += detail::concat(why.empty() ? "" : "; ", file, ": ", problem);
    return nullptr;
  }
  const size_t v = api.version();
  const void* entry = reinterpret_cast<const void*>(api.create);
  return std::unique_ptr<CublasLt>(new CublasLt(
      library,
      handle,
      api,
      detail::concat(
          "cuBLASLt ", v / 10000, ".", v / 100 % 100, ".", v % 100, ", ", path_of(entry, file))));
}

std::unique_ptr<CublasLt> CublasLt::open(int major, std::string& why) {
  why.clear();
  if (const char* file = std::getenv("SV_CUBLASLT")) {
    return open_one(file, why);
  }
  std::set<int> tried;
  for (const int release : {major, 13, 12}) {
    const std::string file = detail::concat("libcublasLt.so.", release);
    for (const char* folder : {"", "/usr/local/cuda/lib64/"}) {
      if (tried.contains(release)) {
        continue;
      }
      if (auto opened = open_one(folder + file, why)) {
        return opened;
      }
    }
    tried.insert(release);
  }
  return nullptr;
}

// The library is column-major: what it sees of our row-major out (R, C) is a matrix (C, R), so it
// is given b as its first factor and a as its second.
std::unique_ptr<CublasLt::Plan> CublasLt::make_plan(const LargeProduct& p) const {
  auto plan = std::make_unique<Plan>(api_);
  const int compute = p.precision == Precision::bf16 ? lt::kCompute32FBf16 : lt::kCompute32FTf32;
  check(api_.desc_create(&plan->desc, compute, lt::kR32F), "cublasLtMatmulDescCreate");
  const auto set = [&](int attribute, const auto& value) {
    check(api_.desc_set(plan->desc, attribute, &value, sizeof value),
          "cublasLtMatmulDescSetAttribute");
  };
  set(lt::kDescTransA, p.wide_b ? lt::kNoTranspose : lt::kTranspose);
  set(lt::kDescTransB, p.wide_a ? lt::kTranspose : lt::kNoTranspose);
  if (p.bias) {
    set(lt::kDescEpilogue, lt::kEpilogueBias);
    // Here only its alignment is looked at.
    set(lt::kDescBiasPointer, reinterpret_cast<const void*>(static_cast<uintptr_t>(p.alignment)));
  }
  const auto layout = [&](void*& to, int64_t rows, int64_t columns) {
    check(api_.layout_create(
              &to, lt::kR32F, static_cast<uint64_t>(rows), static_cast<uint64_t>(columns), rows),
          "cublasLtMatrixLayoutCreate");
  };
  layout(plan->b, p.wide_b ? p.C : p.depth, p.wide_b ? p.depth : p.C);
  layout(plan->a, p.wide_a ? p.R : p.depth, p.wide_a ? p.depth : p.R);
  layout(plan->out, p.C, p.R);
  choose(*plan, p.alignment);
  return plan;
}

/// The library's first choice for a plan's descriptors.
void CublasLt::choose(Plan& plan, int alignment) const {
  void* preference = nullptr;
  check(api_.preference_create(&preference), "cublasLtMatmulPreferenceCreate");
  int status = lt::kSuccess;
  const auto prefer = [&](int attribute, const auto& value) {
    if (status == lt::kSuccess) {
      status = api_.preference_set(preference, attribute, &value, sizeof value);
    }
  };
  prefer(lt::kPreferWorkspaceBytes, uint64_t{kWorkspaceBytes});
  prefer(lt::kPreferReductionSchemes, uint32_t{0});  // none: no sum is split
  for (const int which : {lt::kPreferAlignmentA,
                          lt::kPreferAlignmentB,
                          lt::kPreferAlignmentC,
                          lt::kPreferAlignmentD}) {
    prefer(which, static_cast<uint32_t>(alignment));
  }
  lt::Heuristic best{};
  int found = 0;
  if (status == lt::kSuccess) {
    status = api_.heuristic(
        handle_, plan.desc, plan.b, plan.a, plan.out, plan.out, preference, 1, &best, &found);
  }
  api_.preference_destroy(preference);
  if (status != lt::kNotSupported) {
    check(status, "cublasLtMatmulAlgoGetHeuristic");
  }
  plan.usable = status == lt::kSuccess && found > 0 && best.state == lt::kSuccess;
  plan.algo = best.algo;
  plan.workspace = best.workspace;
}

const CublasLt::Plan& CublasLt::plan_of(const LargeProduct& p) {
  std::unique_ptr<Plan>& plan =
      plans_[{p.R, p.C, p.depth, p.wide_a, p.wide_b, p.bias != nullptr, p.precision, p.alignment}];
  if (!plan) {
    plan = make_plan(p);
  }
  return *plan;
}

bool CublasLt::multiply(const LargeProduct& p, void* workspace, void* stream) {
  const Plan& plan = plan_of(p);
  if (!plan.usable) {
    return false;
  }
  if (p.bias) {
    check(api_.desc_set(plan.desc, lt::kDescBiasPointer, &p.bias, sizeof p.bias),
          "cublasLtMatmulDescSetAttribute");
  }
  const float alpha = 1, beta = p.adds ? 1 : 0;
  const int status = api_.matmul(handle_,
                                 plan.desc,
                                 &alpha,
                                 p.b,
                                 plan.b,
                                 p.a,
                                 plan.a,
                                 &beta,
                                 p.out,
                                 plan.out,
                                 p.out,
                                 plan.out,
                                 &plan.algo,
                                 workspace,
                                 plan.workspace,
                                 stream);
  if (status != lt::kSuccess) {
    throw Error(detail::concat(name_,
                               ": cublasLtMatmul failed with status ",
                               status,
                               " for ",
                               p.R,
                               " x ",
                               p.C,
                               " over ",
                               p.depth,
                               "; --cublaslt off leaves it out"),
                Exit::environment);
  }
  ++calls_;
  return true;
}

}  // namespace sv::cuda

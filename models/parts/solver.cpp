#include "models/parts/solver.h"

#include <Eigen/Cholesky>
#include <algorithm>
#include <cmath>

namespace sv::parts {

namespace {

constexpr double kRidge = 1e-8;  // of the largest squared residual, on the diagonal

template <class T>
double dot(const T* a, const T* b, int64_t n) {
  double sum = 0;
  for (int64_t i = 0; i < n; ++i) {
    sum += static_cast<double>(a[i]) * static_cast<double>(b[i]);
  }
  return sum;
}

/// One row of a problem: vectors of n numbers.
template <class T>
struct Row {
  const T* z;
  const T* f;
  T* memory;  // (slots, n)
  int64_t made;
  T* next;
  int64_t n;
  T* slot(int64_t i) const { return memory + i * n; }
};

/// memory: z_i in slots 0 .. m-1, F(z_i) behind them.
template <class T>
void anderson(const Row<T>& r, int m, double damping) {
  using Matrix = Eigen::
      Matrix<double, Eigen::Dynamic, Eigen::Dynamic, 0, Solver::kMostMemory, Solver::kMostMemory>;
  using Vector = Eigen::Matrix<double, Eigen::Dynamic, 1, 0, Solver::kMostMemory, 1>;
  const int64_t now = r.made % m;
  std::copy_n(r.z, r.n, r.slot(now));
  std::copy_n(r.f, r.n, r.slot(m + now));
  const auto count = static_cast<int>(std::min<int64_t>(r.made + 1, m));
  Matrix gram(count, count);
  for (int i = 0; i < count; ++i) {
    for (int j = 0; j <= i; ++j) {
      double sum = 0;
      for (int64_t k = 0; k < r.n; ++k) {
        sum += (static_cast<double>(r.slot(m + i)[k]) - r.slot(i)[k]) *
               (static_cast<double>(r.slot(m + j)[k]) - r.slot(j)[k]);
      }
      gram(i, j) = gram(j, i) = sum;
    }
  }
  const double largest = gram.diagonal().maxCoeff();
  gram.diagonal().array() += kRidge * largest + 1e-300;
  Vector alpha = gram.ldlt().solve(Vector::Ones(count));
  alpha /= alpha.sum();
  if (!alpha.allFinite()) {  // residuals of zero: this is the fixed point
    alpha.setZero();
    alpha(static_cast<int>(now)) = 1;
  }
  for (int64_t k = 0; k < r.n; ++k) {
    double sum = 0;
    for (int i = 0; i < count; ++i) {
      const double z = r.slot(i)[k], f = r.slot(m + i)[k];
      sum += alpha(i) * (z + damping * (f - z));
    }
    r.next[k] = static_cast<T>(sum);
  }
}

/// memory: slot 0 the last step, slot 1 the last g = F(z) - z, then u_i and v_i in turn. The
/// inverse Jacobian is -1 + sum u_i v_i^T.
template <class T>
void broyden(const Row<T>& r, int m) {
  const int64_t pairs = r.made == 0 ? 0 : (r.made - 1) % m;  // before this call's update
  const auto u = [&](int64_t i) { return r.slot(2 + 2 * i); };
  const auto v = [&](int64_t i) { return r.slot(3 + 2 * i); };
  int64_t used = 0;
  if (r.made > 0) {
    // dg in slot 1; the update's v = B^T step, u = (step - B dg) / (v . dg).
    T* step = r.slot(0);
    T* dg = r.slot(1);
    for (int64_t k = 0; k < r.n; ++k) {
      dg[k] = (r.f[k] - r.z[k]) - dg[k];
    }
    T* new_u = u(pairs);
    T* new_v = v(pairs);
    for (int64_t k = 0; k < r.n; ++k) {
      new_v[k] = -step[k];
      new_u[k] = step[k] + dg[k];
    }
    for (int64_t i = 0; i < pairs; ++i) {
      const auto along_u = static_cast<T>(dot(step, u(i), r.n));
      const auto along_v = static_cast<T>(dot(v(i), dg, r.n));
      for (int64_t k = 0; k < r.n; ++k) {
        new_v[k] += along_u * v(i)[k];
        new_u[k] -= along_v * u(i)[k];
      }
    }
    const double scale = dot(new_v, dg, r.n);
    const bool usable = std::abs(scale) > 1e-30;
    for (int64_t k = 0; k < r.n; ++k) {
      new_u[k] = usable ? static_cast<T>(new_u[k] / scale) : T{0};
    }
    used = pairs + 1;
  }
  T* step = r.slot(0);
  T* g = r.slot(1);
  for (int64_t k = 0; k < r.n; ++k) {
    g[k] = r.f[k] - r.z[k];
    step[k] = g[k];
  }
  for (int64_t i = 0; i < used; ++i) {
    const auto along = static_cast<T>(dot(v(i), g, r.n));
    for (int64_t k = 0; k < r.n; ++k) {
      step[k] -= along * u(i)[k];
    }
  }
  for (int64_t k = 0; k < r.n; ++k) {
    r.next[k] = r.z[k] + step[k];
  }
}

}  // namespace

Solver::Solver(const std::string& kind, int memory, double damping)
    : kind_(kind == "anderson"  ? Kind::anderson
            : kind == "broyden" ? Kind::broyden
                                : Kind::damped),
      memory_(memory),
      damping_(damping) {
  SV_CHECK(memory >= 1 && memory <= kMostMemory,
           "model.solver_memory=",
           memory,
           " is not in 1 .. ",
           kMostMemory);
}

int64_t Solver::slots() const {
  switch (kind_) {
    case Kind::anderson:
      return 2 * memory_;
    case Kind::broyden:
      return 2 + 2 * memory_;
    case Kind::damped:
      break;
  }
  return 0;
}

double Solver::count_after(double made) const {
  constexpr int kMost = 1 << 20;
  return made + 1 < kMost ? made + 1 : made + 1 - kMost / 2 / memory_ * memory_;
}

void Solver::next(const Context& ctx,
                  const Tensor& z,
                  const Tensor& f,
                  const Tensor& memory,
                  const double* made,
                  const Tensor& next) const {
  SV_CHECK(ctx.device == nullptr && !damped(), "model.solver runs on the CPU, and not if damped");
  const int64_t rows = z.dim(1), n = z.numel() / (z.dim(0) * rows);
  with_float(z.dtype, [&]<class T>() {
    for (int i = 0; i < ctx.model_count(z); ++i) {
      const int64_t m = ctx.model(i);
      for (int64_t b = 0; b < rows; ++b) {
        const int64_t at = m * rows + b;
        const Row<T> row{z.as<T>() + at * n,
                         f.as<T>() + at * n,
                         memory.as<T>() + at * slots() * n,
                         static_cast<int64_t>(made[at]),
                         next.as<T>() + at * n,
                         n};
        if (kind_ == Kind::anderson) {
          anderson(row, memory_, damping_);
        } else {
          broyden(row, memory_);
        }
      }
    }
  });
}

}  // namespace sv::parts

#include "kernels/ops/case_run.h"

#include <algorithm>
#include <cstring>

namespace sv::cases {

namespace {

constexpr size_t kGuard = 64;
constexpr unsigned char kSentinel = 0xA5;
constexpr double kGradientStart = 0.5;

DType dtype_for(Kind kind, DType real) {
  return kind == Kind::real ? real : kind == Kind::f64 ? DType::f64 : DType::i32;
}

bool all_sentinel(const std::byte* p, size_t count) {
  return std::all_of(p, p + count, [](std::byte b) { return b == std::byte{kSentinel}; });
}

/// Calls f with a typed pointer to the elements of t, whatever its dtype.
template <class F>
void with_elements(const Tensor& t, F&& f) {
  if (t.dtype == DType::i32) {
    f(t.as<int32_t>());
  } else if (t.dtype == DType::f64) {
    f(t.as<double>());
  } else {
    f(t.as<float>());
  }
}

Tensors tensors(const std::vector<Guarded>& list) {
  Tensors out;
  for (const Guarded& g : list) {
    out.push_back(g.tensor());
  }
  return out;
}

/// Elements [begin, begin + count) of axis `axis` of a row-major array.
Array take(const Array& values, const Shape& shape, int axis, int64_t begin, int64_t count) {
  int64_t outer = 1, inner = 1;
  for (int i = 0; i < shape.rank(); ++i) {
    (i < axis ? outer : inner) *= i == axis ? 1 : shape[i];
  }
  Array out;
  for (int64_t o = 0; o < outer; ++o) {
    const auto from = values.begin() + (o * shape[axis] + begin) * inner;
    out.insert(out.end(), from, from + count * inner);
  }
  return out;
}

template <class Argument>
void cut(Argument& a, Array& values, int axis, int64_t begin, int64_t count) {
  if (!values.empty()) {
    values = take(values, a.shape, axis, begin, count);
  }
}

/// Fixes the cotangents of the whole case, so that a slice of the case is given a slice of them.
void fix_cotangents(Case& c) {
  for (Output& o : c.outputs) {
    if (!o.saved && o.kind != Kind::i32 && o.cotangent.empty()) {
      o.cotangent = normal("cotangent." + o.name, o.shape).values;
    }
  }
}

}  // namespace

Guarded::Guarded(const Shape& shape, DType dtype) : tensor_(shape, dtype, nullptr) {
  const size_t total = tensor_.bytes() + 3 * kGuard;
  memory_ = std::make_unique<std::byte[]>(total);
  std::memset(memory_.get(), kSentinel, total);
  void* aligned = memory_.get();
  size_t space = total;
  std::align(kGuard, tensor_.bytes() + 2 * kGuard, aligned, space);
  begin_ = static_cast<std::byte*>(aligned);
  tensor_.data = begin_ + kGuard;
}

void Guarded::fill(const Array& values) const {
  SV_CHECK_EQ(static_cast<int64_t>(values.size()), tensor_.numel());
  with_elements(tensor_, [&](auto* p) {
    for (size_t i = 0; i < values.size(); ++i) {
      p[i] = static_cast<std::remove_reference_t<decltype(*p)>>(values[i]);
    }
  });
}

Array Guarded::read() const {
  Array values(static_cast<size_t>(tensor_.numel()));
  with_elements(tensor_, [&](const auto* p) {
    for (size_t i = 0; i < values.size(); ++i) {
      values[i] = static_cast<double>(p[i]);
    }
  });
  return values;
}

bool Guarded::intact() const {
  return all_sentinel(begin_, kGuard) && all_sentinel(begin_ + kGuard + tensor_.bytes(), kGuard);
}

bool Guarded::untouched(int64_t index) const {
  const Tensor slot = tensor_.slice(index, 1);
  return all_sentinel(static_cast<const std::byte*>(slot.data), slot.bytes());
}

CaseRun::CaseRun(const Case& c, DType real) : case_(c) {
  fix_cotangents(case_);
  for (const Input& in : case_.inputs) {
    in_.emplace_back(in.shape, dtype_for(in.kind, real)).fill(in.values);
    din_.emplace_back(in.differentiable ? in.shape : Shape{0}, dtype_for(in.kind, real));
  }
  for (const Output& out : case_.outputs) {
    out_.emplace_back(out.shape, dtype_for(out.kind, real));
    const Shape& shape = out.cotangent.empty() ? Shape{0} : out.shape;
    dout_.emplace_back(shape, dtype_for(out.kind, real)).fill(out.cotangent);
  }
}

void CaseRun::forward(int threads, std::span<const int> models) {
  for (size_t i = 0; i < out_.size(); ++i) {
    if (case_.outputs[i].starts_as >= 0) {
      out_[i].fill(case_.inputs[static_cast<size_t>(case_.outputs[i].starts_as)].values);
    }
  }
  case_.run({&arena_, threads, models}, tensors(in_), tensors(out_));
}

void CaseRun::backward(int threads, GradientMode mode, std::span<const int> models, int only) {
  Grads grads;
  for (size_t i = 0; i < din_.size(); ++i) {
    const bool wanted = case_.inputs[i].differentiable && (only < 0 || only == static_cast<int>(i));
    grads.push_back(wanted ? Grad{din_[i].tensor(), mode} : Grad{});
    if (wanted && mode == GradientMode::accumulate) {
      din_[i].fill(Array(static_cast<size_t>(din_[i].tensor().numel()), kGradientStart));
    }
  }
  case_.vjp({&arena_, threads, models}, tensors(in_), tensors(out_), tensors(dout_), grads);
}

Case only_model(const Case& c, int m) {
  Case one = c;
  fix_cotangents(one);
  one.models = 1;
  for (Input& in : one.inputs) {
    if (in.shape[0] != 1) {
      cut(in, in.values, 0, m, 1);
      in.shape = in.shape.with(0, 1);
    }
  }
  for (Output& out : one.outputs) {
    cut(out, out.cotangent, 0, m, 1);
    out.shape = out.shape.with(0, 1);
  }
  return one;
}

Case first_rows(const Case& c, int64_t rows) {
  Case few = c;
  fix_cotangents(few);
  for (Input& in : few.inputs) {
    if (in.rows) {
      cut(in, in.values, 1, 0, rows);
      in.shape = in.shape.with(1, rows);
    }
  }
  for (Output& out : few.outputs) {
    if (out.rows) {
      cut(out, out.cotangent, 1, 0, rows);
      out.shape = out.shape.with(1, rows);
    }
  }
  return few;
}

bool same_bits(const Tensor& a, const Tensor& b) {
  return a.shape == b.shape && a.dtype == b.dtype && std::memcmp(a.data, b.data, a.bytes()) == 0;
}

}  // namespace sv::cases

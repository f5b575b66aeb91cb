#include "models/layouts/layout.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "core/nearest.h"
#include "kernels/memory/copy.h"

namespace sv {

namespace {

std::string stripped(std::string_view name, const Layout& layout) {
  for (const std::string_view prefix : layout.prefixes) {
    if (name.starts_with(prefix)) {
      name.remove_prefix(prefix.size());
    }
  }
  return std::string(name);
}

int64_t elements(const std::vector<int64_t>& shape) {
  return std::accumulate(shape.begin(), shape.end(), int64_t{1}, std::multiplies<>());
}

std::string shape_text(const std::vector<int64_t>& shape) {
  std::string out;
  for (const int64_t n : shape) {
    out += (out.empty() ? "" : ", ") + std::to_string(n);
  }
  return "[" + out + "]";
}

}  // namespace

LayoutFile::LayoutFile(const Safetensors& file, const Layout& layout, const std::string& source)
    : source_(source) {
  for (const TensorView& t : file.tensors()) {
    const std::string name = stripped(t.name, layout);
    SV_CHECK(tensors_.emplace(name, &t).second, source, " holds '", name, "' twice");
    shapes_[name] = t.shape;
  }
}

void LayoutFile::expect(std::span<const LayoutTensor> tensors) const {
  std::vector<std::string> known;
  for (const LayoutTensor& t : tensors) {
    known.push_back(t.name);
  }
  for (const LayoutTensor& t : tensors) {
    const auto found = shapes_.find(t.name);
    if (found == shapes_.end()) {
      SV_CHECK(t.repeated, source_, ": the tensor '", t.name, "' is missing");
      continue;
    }
    SV_CHECK(found->second == t.shape,
             source_,
             ": '",
             t.name,
             "' has shape ",
             shape_text(found->second),
             ", this model needs ",
             shape_text(t.shape));
  }
  for (const auto& [name, shape] : shapes_) {
    SV_CHECK(std::ranges::find(known, name) != known.end(),
             source_,
             " holds the tensor '",
             name,
             "', which this model does not have",
             did_you_mean(name, known));
  }
}

std::vector<double> LayoutFile::values(const std::string& name) const {
  const TensorView& t = *tensors_.at(name);
  const auto converted = [](const auto& from) {
    std::vector<double> out(from.size());
    std::transform(from.begin(), from.end(), out.begin(), [](auto x) {
      return static_cast<double>(static_cast<float>(x));
    });
    return out;
  };
  switch (t.type) {
    case Element::f64:
      return t.values<double>();
    case Element::f32:
      return converted(t.values<float>());
    case Element::bf16:
      return converted(t.values<bf16>());
    default:
      fail(source_, ": '", name, "' holds ", element_name(t.type), ", not f32, f64 or bf16");
  }
}

namespace {

/// Model m of a parameter in host memory.
Tensor slice_of(const Params& params, const std::string& name, int m) {
  const Tensor& all = params[params.find(name)].value;
  return all.slice(m, 1);
}

/// Calls f(element of ours, element of theirs) for every element of a piece.
template <class F>
void for_each_element(const Piece& piece, int64_t count, F&& f) {
  for (int64_t i = 0; i < count; ++i) {
    f(i, piece.offset + i * piece.stride);
  }
}

}  // namespace

void import_tensors(const LayoutFile& file,
                    std::span<const LayoutTensor> tensors,
                    int m,
                    Params& params) {
  file.expect(tensors);
  std::vector<std::pair<Tensor, Buffer>> found;  // where values go, and they
  for (const LayoutTensor& t : tensors) {
    if (!file.shapes().contains(t.name)) {
      continue;
    }
    const std::vector<double> values = file.values(t.name);
    for (size_t i = 0; i < values.size(); ++i) {
      SV_CHECK(std::isfinite(values[i]),
               file.source(),
               ": '",
               t.name,
               "' holds a number that is not finite");
    }
    for (const Piece& piece : t.pieces) {
      const Tensor to = slice_of(params, piece.param, m);
      Buffer copy(to.shape, to.dtype);
      with_float(to.dtype, [&]<class T>() {
        for_each_element(piece, to.numel(), [&](int64_t ours, int64_t theirs) {
          copy.tensor().as<T>()[ours] = static_cast<T>(values[static_cast<size_t>(theirs)]);
        });
      });
      const auto same =
          std::ranges::find_if(found, [&](const auto& x) { return x.first.data == to.data; });
      if (same == found.end()) {
        found.emplace_back(to, std::move(copy));
        continue;
      }
      SV_CHECK(std::memcmp(same->second.tensor().data, copy.tensor().data, to.bytes()) == 0,
               file.source(),
               ": '",
               t.name,
               "' is another name of ",
               piece.param,
               ", but its values differ");
    }
  }
  for (const auto& [to, values] : found) {
    write_tensor(params.device(), to, values.tensor().data);
  }
}

std::vector<HostTensor> export_tensors(std::span<const LayoutTensor> tensors,
                                       int m,
                                       const Params& params) {
  for (const Param& p : params) {
    const bool placed = std::ranges::any_of(tensors, [&](const LayoutTensor& t) {
      return std::ranges::any_of(t.pieces, [&](const Piece& x) { return x.param == p.name; });
    });
    SV_CHECK(placed, "the parameter ", p.name, " has no place in this layout");
  }
  std::vector<HostTensor> out;
  for (const LayoutTensor& t : tensors) {
    std::vector<float> values(static_cast<size_t>(elements(t.shape)));
    for (const Piece& piece : t.pieces) {
      const Tensor from = slice_of(params, piece.param, m);
      Buffer copy(from.shape, from.dtype);
      read_tensor(params.device(), copy.tensor().data, from);
      for_each_element(piece, from.numel(), [&](int64_t ours, int64_t theirs) {
        values[static_cast<size_t>(theirs)] = static_cast<float>(element(copy, ours));
      });
    }
    const auto bytes = std::as_bytes(std::span(values));
    out.push_back({t.name, Element::f32, t.shape, {bytes.begin(), bytes.end()}});
  }
  return out;
}

std::vector<int64_t> TensorList::shape_of(const std::string& ours) const {
  std::vector<int64_t> shape = params_[params_.find(ours)].shape.to_vector();
  shape.erase(shape.begin());  // the model axis
  return shape;
}

void TensorList::add(const std::string& theirs,
                     const std::vector<std::string>& ours,
                     std::vector<int64_t> shape) {
  LayoutTensor t{theirs, {}, {}};
  int64_t offset = 0, rows = 0;
  for (const std::string& name : ours) {
    const std::vector<int64_t> mine = shape_of(name);
    t.pieces.push_back({name, offset, 1});
    offset += elements(mine);
    rows += mine.at(0);
    t.shape = mine;
  }
  t.shape.at(0) = rows;
  if (!shape.empty()) {
    SV_CHECK(
        elements(shape) == offset, theirs, " has ", elements(shape), " elements, ours ", offset);
    t.shape = std::move(shape);
  }
  tensors_.push_back(std::move(t));
}

void TensorList::add_columns(const std::string& theirs,
                             const std::vector<std::string>& ours,
                             std::vector<int64_t> shape) {
  LayoutTensor t{theirs, std::move(shape), {}};
  const auto count = static_cast<int64_t>(ours.size());
  for (int64_t k = 0; k < count; ++k) {
    t.pieces.push_back({ours[static_cast<size_t>(k)], k, count});
  }
  tensors_.push_back(std::move(t));
}

void TensorList::add_repeated(const std::string& theirs, const std::string& ours) {
  tensors_.push_back({theirs, shape_of(ours), {{ours, 0, 1}}, true});
}

int count_layers(const TensorShapes& shapes, const std::string& prefix) {
  int count = 0;
  while (std::ranges::any_of(shapes, [&](const auto& t) {
    return t.first.starts_with(prefix + std::to_string(count) + ".");
  })) {
    ++count;
  }
  return count;
}

int64_t size_in(const TensorShapes& shapes, const std::string& name, size_t axis) {
  const auto found = shapes.find(name);
  SV_CHECK(found != shapes.end() && axis < found->second.size(),
           "the tensor '",
           name,
           "' is missing: this is no checkpoint of that layout");
  return found->second[axis];
}

}  // namespace sv

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
      SV_CHECK(t.repeated || t.value, source_, ": the tensor '", t.name, "' is missing");
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

/// Calls f(element of ours, element of theirs) for every element of a piece of a parameter of
/// `size` elements.
template <class F>
void for_each_element(const Piece& piece, int64_t size, F&& f) {
  const int64_t count = piece.count < 0 ? size : piece.count;
  for (int64_t i = 0; i < count; ++i) {
    f(piece.begin + i, piece.offset + i * piece.stride);
  }
}

/// What a file says about one parameter of a model.
struct Found {
  Tensor to;
  Buffer values;
  std::vector<bool> known;  // elements that have been read
};

/// Puts the elements of a piece where they belong; one that has been read already must be equal.
void collect(const LayoutFile& file,
             const LayoutTensor& t,
             const Piece& piece,
             const std::vector<double>& values,
             Found& found) {
  with_float(found.to.dtype, [&]<class T>() {
    T* mine = found.values.tensor().as<T>();
    for_each_element(piece, found.to.numel(), [&](int64_t ours, int64_t theirs) {
      const T value = static_cast<T>(values[static_cast<size_t>(theirs)]);
      const auto at = static_cast<size_t>(ours);
      SV_CHECK(!found.known[at] || mine[ours] == value,
               file.source(),
               ": '",
               t.name,
               "' is another name of ",
               piece.param,
               ", but its values differ");
      mine[ours] = value;
      found.known[at] = true;
    });
  });
}

/// A table that follows from the settings is what they make it.
void check_computed(const LayoutFile& file,
                    const LayoutTensor& t,
                    const std::vector<double>& values) {
  constexpr double kBound = 1e-2;  // twice what bf16 loses of a number up to 1
  for (size_t i = 0; i < values.size(); ++i) {
    const double expected = t.value(static_cast<int64_t>(i));
    SV_CHECK(std::abs(values[i] - expected) <= kBound,
             file.source(),
             ": '",
             t.name,
             "' holds ",
             values[i],
             " at element ",
             i,
             ", where the settings make it ",
             expected);
  }
}

}  // namespace

void import_tensors(const LayoutFile& file,
                    std::span<const LayoutTensor> tensors,
                    int m,
                    Params& params) {
  file.expect(tensors);
  std::vector<Found> found;
  for (const LayoutTensor& t : tensors) {
    if (!file.shapes().contains(t.name)) {
      continue;
    }
    const std::vector<double> values = file.values(t.name);
    SV_CHECK(std::ranges::all_of(values, [](double x) { return std::isfinite(x); }),
             file.source(),
             ": '",
             t.name,
             "' holds a number that is not finite");
    if (t.value) {
      check_computed(file, t, values);
    }
    for (const Piece& piece : t.pieces) {
      const Tensor to = slice_of(params, piece.param, m);
      auto at = std::ranges::find_if(found, [&](const Found& x) { return x.to.data == to.data; });
      if (at == found.end()) {
        const auto count = static_cast<size_t>(to.numel());
        at = found.insert(at, {to, {to.shape, to.dtype}, std::vector<bool>(count, false)});
      }
      collect(file, t, piece, values, *at);
    }
  }
  for (const Found& f : found) {
    write_tensor(params.device(), f.to, f.values.tensor().data);
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
    for (size_t i = 0; t.value && i < values.size(); ++i) {
      values[i] = static_cast<float>(t.value(static_cast<int64_t>(i)));
    }
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

void TensorList::add_part(const std::string& theirs, const std::string& ours, int i, int parts) {
  std::vector<int64_t> shape = shape_of(ours);
  shape.at(0) /= parts;
  const int64_t count = elements(shape);
  tensors_.push_back({theirs, shape, {{ours, 0, 1, i * count, count}}});
}

void TensorList::add_computed(const std::string& theirs,
                              std::vector<int64_t> shape,
                              std::function<double(int64_t)> value) {
  tensors_.push_back({theirs, std::move(shape), {}, false, std::move(value)});
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

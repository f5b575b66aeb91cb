// safetensors: weights and resume state. Layout: u64 header size (little endian), JSON header,
// tensor bytes. The reader accepts nothing that the format's text does not allow and bounds
// everything that a file may claim; the size of an allocation never comes from the file's content,
// only from its length.
#pragma once
#include <map>
#include <span>
#include <string>
#include <vector>

#include "data/io/element.h"
#include "data/io/publish.h"

namespace sv {

using Metadata = std::map<std::string, std::string>;

struct SafetensorsLimits {
  uint64_t header_bytes = uint64_t{1} << 20;  // the format itself allows up to 100 MB
  size_t tensors = 16'384;
  size_t name_bytes = 256;
  int rank = 8;
  size_t metadata_entries = 256;
  size_t string_bytes = size_t{64} << 10;
};

/// A named array that somebody else owns: the writer takes these, the reader hands them out.
/// Row-major.
struct TensorView {
  std::string name;
  Element type = Element::f32;
  std::vector<int64_t> shape;
  std::span<const std::byte> bytes;

  /// Copies the values out; T must be the tensor's own type. The bytes need not be aligned.
  template <class T>
  std::vector<T> values() const {
    std::vector<T> out(bytes.size() / sizeof(T));
    copy_to(std::span<T>(out));
    return out;
  }
  template <class T>
  void copy_to(std::span<T> out) const {
    SV_CHECK(type == element_of<T>,
             "'",
             name,
             "' holds ",
             element_name(type),
             ", not ",
             element_name(element_of<T>));
    copy_bytes_to(std::as_writable_bytes(out));
  }
  void copy_bytes_to(std::span<std::byte> out) const;
};

/// A view of a caller's array: tensor_view("w", std::span(w), {2, 3}).
template <class T>
TensorView tensor_view(std::string name, std::span<const T> values, std::vector<int64_t> shape) {
  return {std::move(name), element_of<T>, std::move(shape), std::as_bytes(values)};
}

/// An array that owns its bytes, for callers that have nothing to point at.
struct HostTensor {
  std::string name;
  Element type = Element::f32;
  std::vector<int64_t> shape;
  std::vector<std::byte> bytes;
  TensorView view() const { return {name, type, shape, bytes}; }
};

/// Writes header and tensors without copying them; equal input gives equal bytes. Tensors stand in
/// the order given, larger element sizes first, so that every tensor is aligned. Each tensor is a
/// section named "tensor <name>".
void write_safetensors(ByteSink& sink,
                       std::span<const TensorView> tensors,
                       const Metadata& metadata = {});

/// The same as a file for publish().
NewFile safetensors_file(std::string name, std::vector<TensorView> tensors, Metadata metadata = {});

/// A file in memory with a checked header. Movable; the views point into it.
class Safetensors {
 public:
  /// Checks everything; `source` is named in every error.
  static Safetensors parse(std::vector<std::byte> bytes,
                           const std::string& source,
                           const SafetensorsLimits& limits = {});
  /// Reads a file published by us: the digest in the manifest is checked first.
  static Safetensors read(const std::string& path,
                          const SafetensorsLimits& limits = {},
                          Files& files = real_files());
  /// Reads a file from elsewhere: no digest, the same checks. The header is checked before the data
  /// are read.
  static Safetensors read_foreign(const std::string& path,
                                  const SafetensorsLimits& limits = {},
                                  Files& files = real_files());

  const std::vector<TensorView>& tensors() const& { return tensors_; }
  const std::vector<TensorView>& tensors() && =
      delete;  // "for (t : read(path).tensors())" would dangle
  const Metadata& metadata() const& { return metadata_; }
  const Metadata& metadata() && = delete;
  const TensorView* find(const std::string& name) const;
  /// The tensor, or an error that names file and tensor.
  const TensorView& at(const std::string& name) const;
  /// The same, and its type and shape must be those expected: a file cannot change a model.
  const TensorView& at(const std::string& name,
                       Element type,
                       const std::vector<int64_t>& shape) const;
  /// Names "tensor[index]" of f32, f64 and bf16 tensors that hold a NaN or an infinity; at most
  /// `limit` of them.
  std::vector<std::string> non_finite(size_t limit = 8) const;

 private:
  std::vector<std::byte> bytes_;
  std::string source_;
  Metadata metadata_;
  std::vector<TensorView> tensors_;  // sorted by name
};

}  // namespace sv

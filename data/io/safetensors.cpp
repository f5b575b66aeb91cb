// Reader and writer of safetensors, with the limits for files from others.
#include "data/io/safetensors.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstring>
#include <nlohmann/json.hpp>

#include "core/check.h"
#include "data/io/safetensors_header.h"

namespace sv {
namespace {

using detail::kMetadataKey;
using detail::kSafetensorsPrefix;
using nlohmann::json;

static_assert(std::endian::native == std::endian::little,
              "tensor bytes are written as they lie in memory");

std::string header_text(std::span<const TensorView* const> order, const Metadata& metadata) {
  json root = json::object();
  if (!metadata.empty()) {
    root[std::string(kMetadataKey)] = metadata;
  }
  uint64_t at = 0;
  for (const TensorView* t : order) {
    detail::check_tensor_name(t->name, "writing safetensors", SafetensorsLimits{}.name_bytes);
    SV_CHECK(t->name != kMetadataKey && !root.contains(t->name),
             "two tensors are called '",
             t->name,
             "'");
    SV_CHECK(
        checked_numel(t->shape) >= 0 && t->shape.size() <= 8, "'", t->name, "' has no valid shape");
    SV_CHECK_EQ(static_cast<size_t>(checked_numel(t->shape)) * element_size(t->type),
                t->bytes.size(),
                "bytes of '",
                t->name,
                "'");
    root[t->name] = {{"dtype", detail::safetensors_type(t->type)},
                     {"shape", t->shape},
                     {"data_offsets", {at, at + t->bytes.size()}}};
    at += t->bytes.size();
  }
  std::string text = root.dump();
  text.resize((text.size() + kSafetensorsPrefix + 63) / 64 * 64 - kSafetensorsPrefix,
              ' ');  // data begin on a cache line
  SV_CHECK(text.size() <= SafetensorsLimits{}.header_bytes, "a header of ", text.size(), " bytes");
  return text;
}

bool is_finite_at(const TensorView& t, size_t i) {
  const std::byte* at = t.bytes.data() + i * element_size(t.type);
  if (t.type == Element::f64) {
    double x;
    std::memcpy(&x, at, sizeof x);
    return std::isfinite(x);
  }
  if (t.type == Element::f32) {
    float x;
    std::memcpy(&x, at, sizeof x);
    return std::isfinite(x);
  }
  bf16 x;
  std::memcpy(&x.bits, at, sizeof x.bits);
  return std::isfinite(static_cast<float>(x));
}

}  // namespace

void TensorView::copy_bytes_to(std::span<std::byte> out) const {
  SV_CHECK_EQ(out.size(), bytes.size(), "bytes of '", name, "'");
  if (!out.empty()) {
    std::memcpy(out.data(), bytes.data(), out.size());
  }
}

void write_safetensors(ByteSink& sink,
                       std::span<const TensorView> tensors,
                       const Metadata& metadata) {
  std::vector<const TensorView*> order;
  for (const TensorView& t : tensors) {
    order.push_back(&t);
  }
  std::ranges::stable_sort(
      order, std::greater<>(), [](const TensorView* t) { return element_size(t->type); });
  const std::string text = header_text(order, metadata);
  const uint64_t size = text.size();
  sink.section("header");
  sink.write(std::as_bytes(std::span(&size, 1)));
  sink.write(as_bytes(text));
  for (const TensorView* t : order) {
    sink.section("tensor " + t->name);
    sink.write(t->bytes);
  }
}

NewFile safetensors_file(std::string name, std::vector<TensorView> tensors, Metadata metadata) {
  return {std::move(name),
          [tensors = std::move(tensors), metadata = std::move(metadata)](ByteSink& sink) {
            write_safetensors(sink, tensors, metadata);
          }};
}

Safetensors Safetensors::parse(std::vector<std::byte> bytes,
                               const std::string& source,
                               const SafetensorsLimits& limits) {
  Safetensors file;
  file.source_ = source;
  file.bytes_ = std::move(bytes);
  const std::span<const std::byte> all(file.bytes_);
  const uint64_t size = detail::safetensors_header_size(all, all.size(), source, limits);
  const auto data = all.subspan(kSafetensorsPrefix + size);
  auto header = detail::parse_safetensors_header(
      as_text(all.subspan(kSafetensorsPrefix, size)), data.size(), source, limits);
  file.metadata_ = std::move(header.metadata);
  for (detail::PlacedTensor& t : header.tensors) {
    t.view.bytes = data.subspan(t.begin, t.end - t.begin);
    file.tensors_.push_back(std::move(t.view));
  }
  std::ranges::sort(file.tensors_, {}, &TensorView::name);
  return file;
}

Safetensors Safetensors::read(const std::string& path,
                              const SafetensorsLimits& limits,
                              Files& files) {
  return parse(read_published(path, files), path, limits);
}

Safetensors Safetensors::read_foreign(const std::string& path,
                                      const SafetensorsLimits& limits,
                                      Files& files) {
  InFile in(files, path);
  const auto file_bytes = static_cast<uint64_t>(in.size());
  std::vector<std::byte> bytes(std::min<uint64_t>(file_bytes, kSafetensorsPrefix));
  in.read(bytes);
  const uint64_t size = detail::safetensors_header_size(bytes, file_bytes, path, limits);
  bytes.resize(kSafetensorsPrefix + size);
  in.read(std::span(bytes).subspan(kSafetensorsPrefix));
  detail::parse_safetensors_header(as_text(bytes).substr(kSafetensorsPrefix),
                                   file_bytes - kSafetensorsPrefix - size,
                                   path,
                                   limits);
  if (in.size() > kMaxPublishedBytes) {
    fail("'", path, "' has ", in.size(), " bytes, more than the limit of ", kMaxPublishedBytes);
  }
  bytes.resize(file_bytes);  // only now: the header has accounted for every byte
  in.read(std::span(bytes).subspan(kSafetensorsPrefix + size));
  return parse(std::move(bytes), path, limits);
}

const TensorView* Safetensors::find(const std::string& name) const {
  const auto at = std::ranges::lower_bound(tensors_, name, {}, &TensorView::name);
  return at != tensors_.end() && at->name == name ? &*at : nullptr;
}

const TensorView& Safetensors::at(const std::string& name) const {
  const TensorView* tensor = find(name);
  if (!tensor) {
    fail(source_, ": there is no tensor '", name, "'");
  }
  return *tensor;
}

const TensorView& Safetensors::at(const std::string& name,
                                  Element type,
                                  const std::vector<int64_t>& shape) const {
  const auto text = [](Element e, const std::vector<int64_t>& sizes) {
    std::string out(element_name(e));
    for (const int64_t size : sizes) {
      out += ' ' + std::to_string(size);
    }
    return out;
  };
  const TensorView& tensor = at(name);
  if (tensor.type != type || tensor.shape != shape) {
    fail(source_,
         ": tensor '",
         name,
         "' is ",
         text(tensor.type, tensor.shape),
         ", expected ",
         text(type, shape));
  }
  return tensor;
}

std::vector<std::string> Safetensors::non_finite(size_t limit) const {
  std::vector<std::string> found;
  for (const TensorView& t : tensors_) {
    const bool real = t.type == Element::f64 || t.type == Element::f32 || t.type == Element::bf16;
    const size_t n = real ? t.bytes.size() / element_size(t.type) : 0;
    for (size_t i = 0; i < n && found.size() < limit; ++i) {
      if (!is_finite_at(t, i)) {
        found.push_back(t.name + '[' + std::to_string(i) + ']');
      }
    }
  }
  return found;
}

}  // namespace sv

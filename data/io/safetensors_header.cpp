// A SAX state machine over the header: nothing is built that is not part of a valid header, so a
// hostile one costs no more than reading it.
#include "data/io/safetensors_header.h"

#include <algorithm>
#include <cstring>
#include <nlohmann/json.hpp>

#include "core/check.h"

namespace sv::detail {
namespace {

using nlohmann::json;

constexpr uint64_t kFormatHeaderLimit = 100'000'000;  // from the format's own text

struct NamedType {
  std::string_view name;
  Element type;
};
constexpr NamedType kTypes[] = {{"F64", Element::f64},
                                {"F32", Element::f32},
                                {"BF16", Element::bf16},
                                {"I64", Element::i64},
                                {"I32", Element::i32},
                                {"U8", Element::u8}};

class HeaderSax final : public json::json_sax_t {
 public:
  HeaderSax(const std::string& source, const SafetensorsLimits& limits)
      : source_(source), limits_(limits) {}
  SafetensorsHeader take() { return std::move(header_); }

  bool null() override { refuse("null"); }
  bool boolean(bool) override { refuse("a boolean"); }
  bool number_integer(number_integer_t) override { refuse("a negative number"); }
  bool number_float(number_float_t, const string_t&) override {
    refuse("a number that is not a 64-bit integer");
  }
  bool binary(binary_t&) override { refuse("binary data"); }
  bool number_unsigned(number_unsigned_t value) override;
  bool string(string_t& value) override;
  bool key(string_t& name) override;
  bool start_object(std::size_t) override;
  bool end_object() override;
  bool start_array(std::size_t) override;
  bool end_array() override {
    place_ = Place::tensor;
    return true;
  }
  bool parse_error(std::size_t position, const std::string&, const json::exception&) override {
    fail(source_, ": the header is not valid JSON near its byte ", position);
  }

 private:
  enum class Place : uint8_t { outside, root, metadata, tensor, shape, offsets };
  enum Part : uint8_t { kNone = 0, kDtype = 1, kShape = 2, kOffsets = 4 };

  PlacedTensor& tensor() { return header_.tensors.back(); }
  std::string here() const {
    switch (place_) {
      case Place::metadata:
        return source_ + ": metadata '" + key_.substr(0, 80) + "'";
      case Place::tensor:
      case Place::shape:
      case Place::offsets:
        return source_ + ": tensor '" + header_.tensors.back().view.name + "'";
      default:
        return source_ + ": the header";
    }
  }
  [[noreturn]] void refuse(const char* what) const {
    fail(here(), " holds ", what, " where none may stand");
  }
  void start_tensor();
  void finish_tensor();

  const std::string& source_;
  const SafetensorsLimits& limits_;
  SafetensorsHeader header_;
  Place place_ = Place::outside;
  std::string key_;
  uint8_t part_ = kNone;   // the key of the tensor being read
  uint8_t parts_ = kNone;  // those read so far
  int offsets_ = 0;
  bool has_metadata_ = false;
};

bool HeaderSax::number_unsigned(number_unsigned_t value) {
  if (place_ == Place::shape) {
    if (static_cast<int>(tensor().view.shape.size()) >= limits_.rank) {
      fail(here(), ": more than ", limits_.rank, " sizes in shape");
    }
    if (value > static_cast<uint64_t>(INT64_MAX)) {
      fail(here(), ": the size ", value, " in shape is out of range");
    }
    tensor().view.shape.push_back(static_cast<int64_t>(value));
    return true;
  }
  if (place_ == Place::offsets && offsets_ < 2) {
    (offsets_++ == 0 ? tensor().begin : tensor().end) = value;
    return true;
  }
  refuse("a number");
}

bool HeaderSax::string(string_t& value) {
  if (place_ == Place::metadata) {
    if (value.size() > limits_.string_bytes) {
      fail(here(), " has ", value.size(), " bytes; the limit is ", limits_.string_bytes);
    }
    header_.metadata[key_] = std::move(value);
    return true;
  }
  if (place_ == Place::tensor && part_ == kDtype) {
    const auto type = std::ranges::find(kTypes, value, &NamedType::name);
    if (type == std::end(kTypes)) {
      fail(
          here(), ": dtype '", value.substr(0, 20), "' is not one of F64, F32, BF16, I64, I32, U8");
    }
    tensor().view.type = type->type;
    return true;
  }
  refuse("a string");
}

bool HeaderSax::key(string_t& name) {
  if (place_ == Place::metadata) {
    if (header_.metadata.size() >= limits_.metadata_entries || name.size() > limits_.string_bytes) {
      fail(source_,
           ": more than ",
           limits_.metadata_entries,
           " metadata entries, or a key above ",
           limits_.string_bytes,
           " bytes");
    }
    if (header_.metadata.contains(name)) {
      fail(source_, ": the metadata key '", name.substr(0, 80), "' occurs twice");
    }
  } else if (place_ == Place::tensor) {
    part_ = name == "dtype"          ? kDtype
            : name == "shape"        ? kShape
            : name == "data_offsets" ? kOffsets
                                     : kNone;
    if (part_ == kNone || (parts_ & part_)) {
      fail(here(), ": the key '", name.substr(0, 80), "' is unknown or occurs twice");
    }
    parts_ |= part_;
  }
  key_ = std::move(name);
  return true;
}

bool HeaderSax::start_object(std::size_t) {
  if (place_ == Place::outside) {
    place_ = Place::root;
  } else if (place_ == Place::root && key_ == kMetadataKey) {
    if (has_metadata_) {
      fail(source_, ": __metadata__ occurs twice");
    }
    has_metadata_ = true;
    place_ = Place::metadata;
  } else if (place_ == Place::root) {
    start_tensor();
  } else {
    refuse("an object");
  }
  return true;
}

bool HeaderSax::start_array(std::size_t) {
  if (place_ == Place::tensor && (part_ == kShape || part_ == kOffsets)) {
    place_ = part_ == kShape ? Place::shape : Place::offsets;
    return true;
  }
  refuse("an array");
}

bool HeaderSax::end_object() {
  if (place_ == Place::tensor) {
    finish_tensor();
  }
  place_ = place_ == Place::root ? Place::outside : Place::root;
  return true;
}

void HeaderSax::start_tensor() {
  check_tensor_name(key_, source_, limits_.name_bytes);
  if (header_.tensors.size() >= limits_.tensors) {
    fail(source_, ": more than ", limits_.tensors, " tensors");
  }
  header_.tensors.emplace_back();
  tensor().view.name = key_;
  place_ = Place::tensor;
  parts_ = part_ = kNone;
  offsets_ = 0;
}

void HeaderSax::finish_tensor() {
  if (parts_ != (kDtype | kShape | kOffsets) || offsets_ != 2) {
    fail(here(), ": dtype, shape or data_offsets [begin, end] is missing");
  }
  const PlacedTensor& t = tensor();
  uint64_t bytes = 0;
  const int64_t numel = checked_numel(t.view.shape);
  if (numel < 0 ||
      __builtin_mul_overflow(static_cast<uint64_t>(numel), element_size(t.view.type), &bytes)) {
    fail(here(), ": the product of its shape does not fit");
  }
  if (t.end < t.begin || t.end - t.begin != bytes) {
    fail(here(),
         ": data_offsets [",
         t.begin,
         ", ",
         t.end,
         "] do not span the ",
         bytes,
         " bytes of its shape");
  }
}

void check_names_differ(const std::vector<PlacedTensor>& tensors, const std::string& source) {
  std::vector<std::string_view> names;
  for (const PlacedTensor& t : tensors) {
    names.push_back(t.view.name);
  }
  std::ranges::sort(names);
  const auto twice = std::ranges::adjacent_find(names);
  if (twice != names.end()) {
    fail(source, ": the tensor '", *twice, "' occurs twice");
  }
}

// Sorted by begin the ranges must run from 0 to the end of the file without overlap or hole.
void check_cover(std::vector<PlacedTensor>& tensors,
                 uint64_t data_bytes,
                 const std::string& source) {
  std::ranges::sort(tensors, [](const PlacedTensor& a, const PlacedTensor& b) {
    return std::pair(a.begin, a.end) < std::pair(b.begin, b.end);
  });
  uint64_t at = 0;
  for (const PlacedTensor& t : tensors) {
    if (t.begin != at) {
      fail(source,
           ": tensor '",
           t.view.name,
           "' begins at byte ",
           t.begin,
           " of the data, expected ",
           at,
           t.begin < at ? " (overlap)" : " (hole)");
    }
    at = t.end;
  }
  if (at != data_bytes) {
    fail(source, ": the tensors cover ", at, " bytes, the file holds ", data_bytes);
  }
}

}  // namespace

std::string_view safetensors_type(Element type) {
  return std::ranges::find(kTypes, type, &NamedType::type)->name;
}

// That it is UTF-8 is checked by the JSON parser when reading and by the JSON printer when writing.
void check_tensor_name(const std::string& name, const std::string& source, size_t limit) {
  const bool clean =
      std::ranges::none_of(name, [](unsigned char c) { return c < 0x20 || c == 0x7f; });
  if (name.empty() || name.size() > limit || !clean) {
    fail(source,
         ": a tensor name is empty, longer than ",
         limit,
         " bytes or holds control characters");
  }
}

uint64_t safetensors_header_size(std::span<const std::byte> prefix,
                                 uint64_t file_bytes,
                                 const std::string& source,
                                 const SafetensorsLimits& limits) {
  if (file_bytes < kSafetensorsPrefix + 2) {
    fail(source, ": ", file_bytes, " bytes are too few for a safetensors file");
  }
  uint64_t size = 0;
  std::memcpy(&size, prefix.data(), kSafetensorsPrefix);
  const uint64_t limit = std::min(limits.header_bytes, kFormatHeaderLimit);
  if (size > limit) {
    fail(source, ": the header claims ", size, " bytes; the limit is ", limit);
  }
  if (size < 2 || size > file_bytes - kSafetensorsPrefix) {
    fail(source,
         ": the header claims ",
         size,
         " bytes, the file has ",
         file_bytes - kSafetensorsPrefix,
         " after its size field");
  }
  return size;
}

SafetensorsHeader parse_safetensors_header(std::string_view text,
                                           uint64_t data_bytes,
                                           const std::string& source,
                                           const SafetensorsLimits& limits) {
  if (text.empty() || text.front() != '{') {
    fail(source, ": the header does not start with '{'");
  }
  if (text.find('\0') !=
      std::string_view::npos) {  // the JSON parser would take it for the end of the text
    fail(source, ": the header holds a zero byte");
  }
  HeaderSax sax(source, limits);
  json::sax_parse(text.begin(), text.end(), &sax);
  SafetensorsHeader header = sax.take();
  check_names_differ(header.tensors, source);
  check_cover(header.tensors, data_bytes, source);
  return header;
}

}  // namespace sv::detail

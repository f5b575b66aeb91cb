// H5Reader: digest first, then the closed schema, then the values.
#include <algorithm>
#include <cstring>

#include "core/check.h"
#include "core/digest.h"
#include "data/io/h5.h"
#include "data/io/h5_handle.h"

namespace sv {
namespace {

using detail::h5_check;
using detail::H5Handle;

struct Array {
  bool is_text = false;
  Element type = Element::f32;
  size_t element = 0;  // bytes
  std::vector<int64_t> sizes;
};

hid_t memory_type(Element type) {
  switch (type) {
    case Element::f64:
      return H5T_NATIVE_DOUBLE;
    case Element::f32:
      return H5T_NATIVE_FLOAT;
    case Element::i64:
      return H5T_NATIVE_INT64;
    case Element::i32:
      return H5T_NATIVE_INT32;
    default:
      return H5T_NATIVE_UINT8;
  }
}

// The stored type as one of ours, or an error: references, compounds, variable-length types and odd
// floats end here.
void classify(hid_t type, Array& array, const std::string& what) {
  array.element = H5Tget_size(type);
  if (H5Tget_class(type) == H5T_STRING && H5Tis_variable_str(type) == 0 && array.element >= 1 &&
      array.element <= 4096) {
    array.is_text = true;
    return;
  }
  for (const auto& [stored, element] : {std::pair<hid_t, Element>(H5T_IEEE_F64LE, Element::f64),
                                        {H5T_IEEE_F32LE, Element::f32},
                                        {H5T_STD_I64LE, Element::i64},
                                        {H5T_STD_I32LE, Element::i32},
                                        {H5T_STD_U8LE, Element::u8}}) {
    if (H5Tequal(type, stored) > 0) {
      array.type = element;
      return;
    }
  }
  fail(what, ": its element type is not f64, f32, i64, i32, u8 or a fixed-length string");
}

void check_storage(hid_t dataset, const std::string& what) {
  const H5Handle creation(H5Dget_create_plist(dataset), what);
  const H5D_layout_t layout = H5Pget_layout(creation);
  if (layout != H5D_CHUNKED && layout != H5D_CONTIGUOUS && layout != H5D_COMPACT) {
    fail(what, ": virtual datasets are not read");
  }
  if (h5_check(H5Pget_external_count(creation), what) != 0) {
    fail(what, ": external storage is not read");
  }
  const int filters = h5_check(H5Pget_nfilters(creation), what);
  for (int i = 0; i < filters; ++i) {
    unsigned flags = 0;
    unsigned config = 0;
    size_t values = 0;
    const H5Z_filter_t id = H5Pget_filter2(
        creation, static_cast<unsigned>(i), &flags, &values, nullptr, 0, nullptr, &config);
    if (id != H5Z_FILTER_FLETCHER32 && id != H5Z_FILTER_DEFLATE && id != H5Z_FILTER_SHUFFLE) {
      fail(what, ": filter ", id, " is not fletcher32, deflate or shuffle");
    }
  }
}

void check_size(hid_t dataset,
                Array& array,
                int64_t file_bytes,
                const H5Limits& limits,
                const std::string& what) {
  const H5Handle space(H5Dget_space(dataset), what);
  const int rank = H5Sget_simple_extent_ndims(space);
  if (H5Sis_simple(space) <= 0 || rank < 0 || rank > 8) {
    fail(what, ": rank ", rank, " is not 0 to 8");
  }
  std::vector<hsize_t> extent(static_cast<size_t>(rank));
  h5_check(H5Sget_simple_extent_dims(space, extent.data(), nullptr), what);
  array.sizes.assign(extent.begin(), extent.end());
  const int64_t numel = checked_numel(array.sizes);
  const int64_t most = std::min(limits.dataset_bytes, file_bytes * limits.expansion);
  if (numel < 0 || numel > most / static_cast<int64_t>(array.element)) {
    fail(what,
         ": its shape claims more than ",
         most,
         " bytes, the limit for a file of ",
         file_bytes);
  }
}

// Opens the file that lies in `image`, which must outlive it. The callbacks make libhdf5 read that
// memory in place; H5LTopen_file_image would too, but loses 72 bytes at each call (1.10.8).
H5Handle open_image(std::span<std::byte> image, const std::string& what) {
  const H5Handle access(H5Pcreate(H5P_FILE_ACCESS), what);
  h5_check(H5Pset_fapl_core(access, 1u << 16, false), what);
  H5FD_file_image_callbacks_t in_place = {
      [](size_t, H5FD_file_image_op_t, void* memory) { return memory; },
      [](void* to, const void*, size_t, H5FD_file_image_op_t, void*) { return to; },
      [](void*, size_t, H5FD_file_image_op_t, void*) -> void* { return nullptr; },  // never grows
      [](void*, H5FD_file_image_op_t, void*) -> herr_t { return 0; },
      [](void* memory) { return memory; },
      [](void*) -> herr_t { return 0; },
      image.data()};
  h5_check(H5Pset_file_image_callbacks(access, &in_place), what);
  h5_check(H5Pset_file_image(access, image.data(), image.size()), what);
  return {H5Fopen(detail::h5_memory_name(image.data()).c_str(), H5F_ACC_RDONLY, access), what};
}

using Arrays = std::map<std::string, Array>;

struct Walk {
  std::vector<std::string> names;
  std::string refusal;
  int64_t limit = 0;
};

herr_t visit_link(hid_t, const char* name, const H5L_info_t* info, void* data) {
  Walk& walk = *static_cast<Walk*>(data);
  if (info->type != H5L_TYPE_HARD) {
    walk.refusal = std::string("'") + name + "' is a soft or external link, which is not followed";
    return 1;
  }
  if (static_cast<int64_t>(walk.names.size()) >= walk.limit) {
    walk.refusal = "more than " + std::to_string(walk.limit) + " arrays";
    return 1;
  }
  walk.names.emplace_back(name);
  return 0;
}

H5Value read_attribute(hid_t attribute, const std::string& what) {
  const H5Handle type(H5Aget_type(attribute), what);
  const H5Handle space(H5Aget_space(attribute), what);
  const size_t size = H5Tget_size(type);
  if (H5Sget_simple_extent_npoints(space) != 1) {
    fail(what, ": not a single value");
  }
  if (H5Tget_class(type) == H5T_STRING && H5Tis_variable_str(type) == 0 && size <= (1u << 20)) {
    std::string text(size, '\0');
    h5_check(H5Aread(attribute, type, text.data()), what);
    return text.substr(0, text.find('\0'));
  }
  if (H5Tget_class(type) == H5T_INTEGER && size <= 8) {
    int64_t value = 0;
    h5_check(H5Aread(attribute, H5T_NATIVE_INT64, &value), what);
    return value;
  }
  if (H5Tget_class(type) == H5T_FLOAT && size <= 8) {
    double value = 0;
    h5_check(H5Aread(attribute, H5T_NATIVE_DOUBLE, &value), what);
    return value;
  }
  fail(what, ": not a fixed-length string, an integer or a float");
}

// Written by the dimension-scale library for itself; they hold references.
bool is_scale_attribute(const std::string& key) {
  return key == "CLASS" || key == "NAME" || key == "DIMENSION_LIST" || key == "REFERENCE_LIST";
}

herr_t scale_name(hid_t, unsigned, hid_t scale, void* out) {
  char name[512] = {};
  const ssize_t length = H5Iget_name(scale, name, sizeof name);
  if (length > 1 && length < static_cast<ssize_t>(sizeof name)) {
    *static_cast<std::string*>(out) = name + 1;  // "/depth"
  }
  return 1;  // one scale per axis
}

}  // namespace

struct H5Reader::Impl {
  std::string source;
  std::vector<std::byte> bytes;  // libhdf5 reads this memory; nothing is read from disk again
  H5Handle file;
  Arrays arrays;

  void open(const H5Limits& limits);
  const Array& at(const std::string& name) const;
  H5Handle dataset(const std::string& name) const {
    return {H5Dopen2(file, name.c_str(), H5P_DEFAULT), source + ": array '" + name + "'"};
  }
};

void H5Reader::Impl::open(const H5Limits& limits) {
  detail::h5_quiet();
  const std::string not_hdf5 = source + ": not an HDF5 file that can be opened";
  if (bytes.empty()) {
    fail(not_hdf5, ": it is empty");
  }
  file = open_image(bytes, not_hdf5);
  Walk walk{{}, {}, limits.datasets};
  h5_check(H5Literate(file, H5_INDEX_NAME, H5_ITER_INC, nullptr, visit_link, &walk),
           source + ": listing its arrays");
  if (!walk.refusal.empty()) {
    fail(source, ": ", walk.refusal);
  }
  for (const std::string& name : walk.names) {
    const std::string what = source + ": array '" + name + "'";
    const H5Handle object(H5Oopen(file, name.c_str(), H5P_DEFAULT), what);
    if (H5Iget_type(object) != H5I_DATASET) {
      fail(source, ": '", name, "' is not an array; files with groups or named types are not read");
    }
    const H5Handle type(H5Dget_type(object), what);
    Array array;
    classify(type, array, what);
    check_storage(object, what);
    check_size(object, array, static_cast<int64_t>(bytes.size()), limits, what);
    arrays.emplace(name, std::move(array));
  }
}

const Array& H5Reader::Impl::at(const std::string& name) const {
  const auto found = arrays.find(name);
  if (found == arrays.end()) {
    fail(source, ": there is no array '", name, "'");
  }
  return found->second;
}

H5Reader::H5Reader(const std::string& path,
                   const H5Trust& trust,
                   const H5Limits& limits,
                   Files& files)
    : impl_(std::make_unique<Impl>()) {
  impl_->source = path;
  if (trust.kind_ == H5Trust::Kind::manifest) {
    impl_->bytes = read_published(path, files);
  } else {
    impl_->bytes = read_file(path, limits.file_bytes, files);
  }
  if (trust.kind_ == H5Trust::Kind::digest && sha256_hex(impl_->bytes) != trust.sha256_) {
    fail("'", path, "' has the SHA-256 ", sha256_hex(impl_->bytes), ", expected ", trust.sha256_);
  }
  impl_->open(limits);
}

H5Reader::H5Reader(std::vector<std::byte> bytes, const std::string& source, const H5Limits& limits)
    : impl_(std::make_unique<Impl>()) {
  impl_->source = source;
  impl_->bytes = std::move(bytes);
  impl_->open(limits);
}

H5Reader::~H5Reader() = default;

std::vector<std::string> H5Reader::list() const {
  std::vector<std::string> names;
  for (const auto& [name, array] : impl_->arrays) {
    names.push_back(name);
  }
  return names;
}

bool H5Reader::has(const std::string& name) const {
  return impl_->arrays.contains(name);
}

std::vector<int64_t> H5Reader::sizes(const std::string& name) const {
  return impl_->at(name).sizes;
}

std::optional<Element> H5Reader::element(const std::string& name) const {
  const Array& array = impl_->at(name);
  return array.is_text ? std::nullopt : std::optional(array.type);
}

bool H5Reader::is_coordinate(const std::string& name) const {
  return H5DSis_scale(impl_->dataset(name)) > 0;
}

std::vector<std::string> H5Reader::dims(const std::string& name) const {
  const size_t rank = impl_->at(name).sizes.size();
  const H5Handle dataset = impl_->dataset(name);
  if (is_coordinate(name)) {
    return {name};
  }
  std::vector<std::string> names(rank);
  for (size_t i = 0; i < rank; ++i) {
    H5DSiterate_scales(dataset, static_cast<unsigned>(i), nullptr, scale_name, &names[i]);
    if (names[i].empty()) {
      fail(impl_->source, ": axis ", i, " of '", name, "' has no named dimension");
    }
  }
  return names;
}

void H5Reader::get(const std::string& name, Element type, std::span<std::byte> into) const {
  const Array& array = impl_->at(name);
  if (array.is_text || array.type != type) {
    fail(impl_->source,
         ": '",
         name,
         "' holds ",
         array.is_text ? "strings" : element_name(array.type),
         ", not ",
         element_name(type));
  }
  const H5Handle dataset = impl_->dataset(name);
  h5_check(H5Dread(dataset, memory_type(type), H5S_ALL, H5S_ALL, H5P_DEFAULT, into.data()),
           impl_->source + ": reading '" + name + "'");
}

std::vector<std::string> H5Reader::read_labels(const std::string& name) const {
  const Array& array = impl_->at(name);
  if (!array.is_text) {
    fail(impl_->source, ": '", name, "' holds ", element_name(array.type), ", not strings");
  }
  const auto count = static_cast<size_t>(checked_numel(array.sizes));
  std::vector<char> flat(count * array.element);
  const H5Handle dataset = impl_->dataset(name);
  const H5Handle type = detail::h5_string_type(array.element);
  h5_check(H5Dread(dataset, type, H5S_ALL, H5S_ALL, H5P_DEFAULT, flat.data()),
           impl_->source + ": reading '" + name + "'");
  std::vector<std::string> values;
  for (size_t i = 0; i < count; ++i) {
    const char* begin = flat.data() + i * array.element;
    values.emplace_back(begin, strnlen(begin, array.element));
  }
  return values;
}

H5Attributes H5Reader::attributes(const std::string& name) const {
  const std::string what = impl_->source + ": attributes of '" + name + "'";
  const H5Handle object(H5Oopen(impl_->file, name.empty() ? "/" : name.c_str(), H5P_DEFAULT), what);
  H5O_info_t info{};
  h5_check(H5Oget_info2(object, &info, H5O_INFO_NUM_ATTRS), what);
  H5Attributes out;
  for (hsize_t i = 0; i < info.num_attrs && i < 1000; ++i) {
    const H5Handle attribute(
        H5Aopen_by_idx(object, ".", H5_INDEX_NAME, H5_ITER_INC, i, H5P_DEFAULT, H5P_DEFAULT), what);
    char key[256] = {};
    h5_check(H5Aget_name(attribute, sizeof key, key), what);
    if (!is_scale_attribute(key)) {
      out[key] = read_attribute(attribute, what + " ('" + key + "')");
    }
  }
  return out;
}

namespace {

template <class T>
T root_value(const H5Attributes& attributes, const std::string& key, const std::string& source) {
  const auto found = attributes.find(key);
  if (found == attributes.end() || !std::holds_alternative<T>(found->second)) {
    fail(source, ": the file attribute '", key, "' is missing or of another type");
  }
  return std::get<T>(found->second);
}

}  // namespace

std::string H5Reader::root_string(const std::string& key) const {
  return root_value<std::string>(attributes(), key, impl_->source);
}

int64_t H5Reader::root_int(const std::string& key) const {
  return root_value<int64_t>(attributes(), key, impl_->source);
}

}  // namespace sv

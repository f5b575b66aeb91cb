// H5Writer: a file in memory with fixed settings, finished into an image.
#include <algorithm>
#include <bit>
#include <cstring>
#include <set>

#include "core/check.h"
#include "data/io/h5.h"
#include "data/io/h5_handle.h"

namespace sv {
namespace {

using detail::h5_check;
using detail::H5Handle;

constexpr int64_t kChunkBytes = int64_t{1} << 20;  // a chunk fits the library's 1 MiB chunk cache
constexpr size_t kGrowBytes = size_t{1} << 20;

// Little endian whatever the machine, so that equal content gives equal bytes.
hid_t file_type(Element type) {
  switch (type) {
    case Element::f64:
      return H5T_IEEE_F64LE;
    case Element::f32:
      return H5T_IEEE_F32LE;
    case Element::i64:
      return H5T_STD_I64LE;
    case Element::i32:
      return H5T_STD_I32LE;
    case Element::u8:
      return H5T_STD_U8LE;
    case Element::bf16:
      break;
  }
  fail("HDF5 files of this project hold no ", element_name(type), "; widen it to f32");
}

void put_attribute(hid_t object, const std::string& key, const H5Value& value) {
  const std::string what = "writing HDF5 attribute '" + key + "'";
  const H5Handle space(H5Screate(H5S_SCALAR), what);
  const auto write = [&](hid_t type, const void* data) {
    const H5Handle attribute(H5Acreate2(object, key.c_str(), type, space, H5P_DEFAULT, H5P_DEFAULT),
                             what);
    h5_check(H5Awrite(attribute, type, data), what);
  };
  if (const auto* text = std::get_if<std::string>(&value)) {
    const H5Handle type = detail::h5_string_type(std::max<size_t>(1, text->size()));
    const std::string padded = text->empty() ? std::string(1, '\0') : *text;
    write(type, padded.data());
  } else if (const auto* integer = std::get_if<int64_t>(&value)) {
    write(H5T_STD_I64LE, integer);
  } else {
    write(H5T_IEEE_F64LE, &std::get<double>(value));
  }
}

// The leading axes are cut until a chunk is small enough.
std::vector<hsize_t> chunk_sizes(const std::vector<int64_t>& sizes, size_t element) {
  std::vector<hsize_t> chunk(sizes.begin(), sizes.end());
  auto bytes = static_cast<int64_t>(element) * checked_numel(sizes);
  for (size_t axis = 0; axis < chunk.size() && bytes > kChunkBytes; ++axis) {
    const int64_t row = bytes / static_cast<int64_t>(chunk[axis]);
    chunk[axis] = static_cast<hsize_t>(std::max<int64_t>(1, kChunkBytes / row));
    bytes = row * static_cast<int64_t>(chunk[axis]);
  }
  return chunk;
}

// Bob Jenkins' lookup3 (public domain), the checksum of HDF5 metadata, over a multiple of 4 bytes.
uint32_t lookup3(std::span<const std::byte> bytes) {
  const auto word = [&](size_t at) {
    uint32_t w = 0;
    std::memcpy(&w, bytes.data() + at, sizeof w);
    return w;
  };
  uint32_t a = 0xdeadbeefu + static_cast<uint32_t>(bytes.size());
  uint32_t b = a;
  uint32_t c = a;
  size_t at = 0;
  for (; bytes.size() - at > 12; at += 12) {
    a += word(at), b += word(at + 4), c += word(at + 8);
    a -= c, a ^= std::rotl(c, 4), c += b;
    b -= a, b ^= std::rotl(a, 6), a += c;
    c -= b, c ^= std::rotl(b, 8), b += a;
    a -= c, a ^= std::rotl(c, 16), c += b;
    b -= a, b ^= std::rotl(a, 19), a += c;
    c -= b, c ^= std::rotl(b, 4), b += a;
  }
  uint32_t* const rest[] = {&a, &b, &c};
  for (size_t i = 0; at + 4 * i < bytes.size(); ++i) {
    *rest[i] += word(at + 4 * i);
  }
  c ^= b, c -= std::rotl(b, 14);
  a ^= c, a -= std::rotl(c, 11);
  b ^= a, b -= std::rotl(a, 25);
  c ^= b, c -= std::rotl(b, 16);
  a ^= c, a -= std::rotl(c, 4);
  b ^= a, b -= std::rotl(a, 14);
  c ^= b, c -= std::rotl(b, 24);
  return c;
}

// H5Fget_file_image clears the "open for writing" flag of the superblock but leaves the old
// checksum (seen in libhdf5 1.10.8), which makes the image unreadable. Superblock version 3: flags
// at 11, checksum of 44 bytes at 44.
void seal_superblock(std::vector<std::byte>& image) {
  constexpr size_t kChecksumAt = 44;
  SV_CHECK(image.size() > kChecksumAt + 4 && image[8] == std::byte{3} && image[9] == std::byte{8},
           "libhdf5 made another superblock than version 3");
  const uint32_t sum = lookup3(std::span(image).first(kChecksumAt));
  std::memcpy(image.data() + kChecksumAt, &sum, sizeof sum);
}

}  // namespace

struct H5Writer::Impl {
  struct Array {
    std::vector<std::string> dims;
    H5Handle dataset;
  };
  H5Handle file;
  std::map<std::string, Array> arrays;
  std::map<std::string, int64_t> dim_sizes;

  void claim(const std::string& name,
             const std::vector<std::string>& dims,
             const std::vector<int64_t>& sizes);
  H5Handle create(const std::string& name,
                  hid_t type,
                  size_t element,
                  const std::vector<int64_t>& sizes) const;
  void put(const std::string& name,
           const std::vector<std::string>& dims,
           hid_t type,
           size_t element,
           const void* data,
           const std::vector<int64_t>& sizes,
           const H5Note& note);
  void attach_scales();
};

H5Writer::H5Writer(const H5Root& root) : impl_(std::make_unique<Impl>()) {
  detail::h5_quiet();
  const std::string what = "creating an HDF5 file";
  const H5Handle access(H5Pcreate(H5P_FILE_ACCESS), what);
  h5_check(H5Pset_fapl_core(access, kGrowBytes, false), what);
  h5_check(H5Pset_libver_bounds(access, H5F_LIBVER_V110, H5F_LIBVER_V110), what);
  const H5Handle creation(H5Pcreate(H5P_FILE_CREATE), what);
  h5_check(H5Pset_obj_track_times(creation, false), what);
  // netCDF-4 wants links in creation order to give its dimensions stable numbers.
  h5_check(H5Pset_link_creation_order(creation, H5P_CRT_ORDER_TRACKED | H5P_CRT_ORDER_INDEXED),
           what);
  impl_->file = H5Handle(
      H5Fcreate(detail::h5_memory_name(impl_.get()).c_str(), H5F_ACC_TRUNC, creation, access),
      what);
  put_attribute(impl_->file, "Conventions", std::string("CF-1.8"));
  put_attribute(impl_->file, "schema", root.schema);
  put_attribute(impl_->file, "schema_version", root.schema_version);
  put_attribute(impl_->file, "config_digest", root.config_digest);
  for (const auto& [key, value] : root.more) {
    put_attribute(impl_->file, key, value);
  }
}

H5Writer::~H5Writer() = default;

// One name, one array; one dimension, one size.
void H5Writer::Impl::claim(const std::string& name,
                           const std::vector<std::string>& dims,
                           const std::vector<int64_t>& sizes) {
  SV_CHECK(file >= 0, "the HDF5 file is already finished");
  SV_CHECK(!name.empty() && name != "." && name.find('/') == std::string::npos,
           "'",
           name,
           "' cannot name an array");
  SV_CHECK(!arrays.contains(name), "the array '", name, "' is written twice");
  SV_CHECK(!dims.empty() && dims.size() == sizes.size() && dims.size() <= 8,
           "'",
           name,
           "' has ",
           dims.size(),
           " dimension names for ",
           sizes.size(),
           " sizes");
  SV_CHECK(checked_numel(sizes) > 0, "'", name, "' is empty or too large");
  SV_CHECK(std::set<std::string>(dims.begin(), dims.end()).size() == dims.size(),
           "'",
           name,
           "' has the same dimension twice, which netCDF4 readers cannot tell apart");
  for (size_t i = 0; i < dims.size(); ++i) {
    const auto [at, added] = dim_sizes.try_emplace(dims[i], sizes[i]);
    SV_CHECK_EQ(at->second, sizes[i], "sizes of dimension '", dims[i], "' at '", name, "'");
  }
}

H5Handle H5Writer::Impl::create(const std::string& name,
                                hid_t type,
                                size_t element,
                                const std::vector<int64_t>& sizes) const {
  const std::string what = "creating HDF5 array '" + name + "'";
  const std::vector<hsize_t> extent(sizes.begin(), sizes.end());
  const std::vector<hsize_t> chunk = chunk_sizes(sizes, element);
  const int rank = static_cast<int>(sizes.size());
  const H5Handle space(H5Screate_simple(rank, extent.data(), nullptr), what);
  const H5Handle creation(H5Pcreate(H5P_DATASET_CREATE), what);
  h5_check(H5Pset_obj_track_times(creation, false), what);
  h5_check(H5Pset_chunk(creation, rank, chunk.data()), what);
  h5_check(H5Pset_fletcher32(creation), what);
  h5_check(H5Pset_fill_time(creation, H5D_FILL_TIME_IFSET), what);
  return {H5Dcreate2(file, name.c_str(), type, space, H5P_DEFAULT, creation, H5P_DEFAULT), what};
}

void H5Writer::Impl::put(const std::string& name,
                         const std::vector<std::string>& dims,
                         hid_t type,
                         size_t element,
                         const void* data,
                         const std::vector<int64_t>& sizes,
                         const H5Note& note) {
  claim(name, dims, sizes);
  H5Handle dataset = create(name, type, element, sizes);
  h5_check(H5Dwrite(dataset, type, H5S_ALL, H5S_ALL, H5P_DEFAULT, data),
           "writing HDF5 array '" + name + "'");
  put_attribute(dataset, "units", note.units);
  put_attribute(dataset, "long_name", note.long_name.empty() ? name : note.long_name);
  for (const auto& [key, value] : note.more) {
    put_attribute(dataset, key, value);
  }
  arrays.emplace(name, Array{dims, std::move(dataset)});
}

void H5Writer::put(const std::string& name,
                   const std::vector<std::string>& dims,
                   Element type,
                   std::span<const std::byte> bytes,
                   const std::vector<int64_t>& sizes,
                   const H5Note& note) {
  const int64_t numel = checked_numel(sizes);
  SV_CHECK(numel >= 0 && static_cast<size_t>(numel) == bytes.size() / element_size(type),
           "'",
           name,
           "' has ",
           bytes.size() / element_size(type),
           " values for a shape of ",
           numel);
  impl_->put(name, dims, file_type(type), element_size(type), bytes.data(), sizes, note);
}

void H5Writer::labels(const std::string& name,
                      const std::vector<std::string>& dims,
                      std::span<const std::string> values,
                      const std::vector<int64_t>& sizes,
                      const H5Note& note) {
  SV_CHECK_EQ(checked_numel(sizes), static_cast<int64_t>(values.size()), "labels of '", name, "'");
  size_t length = 1;
  for (const std::string& value : values) {
    SV_CHECK(value.size() <= 4096 && value.find('\0') == std::string::npos,
             "a label of '",
             name,
             "' is longer than 4096 bytes or holds a zero byte");
    length = std::max(length, value.size());
  }
  std::vector<char> flat(values.size() * length, '\0');
  for (size_t i = 0; i < values.size(); ++i) {
    std::ranges::copy(values[i], flat.begin() + static_cast<std::ptrdiff_t>(i * length));
  }
  impl_->put(name, dims, detail::h5_string_type(length), length, flat.data(), sizes, note);
}

void H5Writer::Impl::attach_scales() {
  for (const auto& [dim, size] : dim_sizes) {
    const auto coordinate = arrays.find(dim);
    if (coordinate == arrays.end()) {
      std::vector<int64_t> index(static_cast<size_t>(size));
      for (size_t i = 0; i < index.size(); ++i) {
        index[i] = static_cast<int64_t>(i);
      }
      put(dim,
          {dim},
          H5T_STD_I64LE,
          sizeof(int64_t),
          index.data(),
          {size},
          {.units = "1", .long_name = dim + " index"});
    } else {
      SV_CHECK(coordinate->second.dims == std::vector{dim},
               "'",
               dim,
               "' is a dimension and an array of another shape");
    }
    h5_check(H5DSset_scale(arrays.at(dim).dataset, dim.c_str()), "dimension scale '" + dim + "'");
  }
  for (const auto& [name, array] : arrays) {
    if (array.dims == std::vector{name}) {
      continue;  // a coordinate variable is its own scale
    }
    for (size_t i = 0; i < array.dims.size(); ++i) {
      h5_check(H5DSattach_scale(
                   array.dataset, arrays.at(array.dims[i]).dataset, static_cast<unsigned>(i)),
               "attaching '" + array.dims[i] + "' to '" + name + "'");
    }
  }
}

std::vector<std::byte> H5Writer::finish() {
  SV_CHECK(impl_->file >= 0, "the HDF5 file is already finished");
  impl_->attach_scales();
  impl_->arrays.clear();
  const std::string what = "finishing an HDF5 file";
  h5_check(H5Fflush(impl_->file, H5F_SCOPE_GLOBAL), what);
  const auto size = h5_check(H5Fget_file_image(impl_->file, nullptr, 0), what);
  std::vector<std::byte> image(static_cast<size_t>(size));
  h5_check(H5Fget_file_image(impl_->file, image.data(), image.size()), what);
  impl_->file.reset();
  seal_superblock(image);
  return image;
}

Published H5Writer::publish(const std::string& path, Files& files) {
  return publish_bytes(path, finish(), files);
}

}  // namespace sv

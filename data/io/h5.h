// HDF5: data sets, recorded activations and results, readable as netCDF4. Files are made in memory
// with fixed settings (format bounds v1.10, chunked + fletcher32, no time stamps), so equal content
// gives equal bytes, and are then published like every other file. Readers verify the digest before
// libhdf5 sees a byte: it has known memory errors on hostile files. Not thread-safe: one thread at
// a time in the whole process, as libhdf5 itself.
#pragma once
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <variant>
#include <vector>

#include "data/io/element.h"
#include "data/io/publish.h"

namespace sv {

using H5Value = std::variant<std::string, int64_t, double>;
using H5Attributes = std::map<std::string, H5Value>;

/// What a reader needs to know about an array. Avoid "s" or "days" as units of plain durations that
/// xarray should leave as numbers: it turns those into time differences unless
/// decode_timedelta=False.
struct H5Note {
  std::string units = "1";
  std::string long_name;
  H5Attributes more = {};
};

/// Root attributes: Conventions, schema ("subvocal.results"), schema_version, config_digest, and
/// any more.
struct H5Root {
  std::string schema;
  int64_t schema_version = 1;
  std::string config_digest;  // SHA-256 of the resolved spec, or of what stands for it
  H5Attributes more = {};
};

class H5Writer {
 public:
  explicit H5Writer(const H5Root& root);
  ~H5Writer();
  H5Writer(const H5Writer&) = delete;
  H5Writer& operator=(const H5Writer&) = delete;

  /// An array of f32, f64, i32, i64 or u8 with one named dimension per axis. A dimension has one
  /// size in the whole file; one without coordinate() gets 0, 1, 2, ... as its coordinate variable.
  template <class T>
  void dataset(const std::string& name,
               const std::vector<std::string>& dims,
               std::span<const T> values,
               const std::vector<int64_t>& sizes,
               const H5Note& note) {
    put(name, dims, element_of<T>, std::as_bytes(values), sizes, note);
  }
  /// An array of UTF-8 strings, stored with a fixed length and padded with zeros.
  void labels(const std::string& name,
              const std::vector<std::string>& dims,
              std::span<const std::string> values,
              const std::vector<int64_t>& sizes,
              const H5Note& note);
  /// The coordinate variable of a dimension: values along it, or names.
  template <class T>
  void coordinate(const std::string& dim, std::span<const T> values, const H5Note& note) {
    put(dim,
        {dim},
        element_of<T>,
        std::as_bytes(values),
        {static_cast<int64_t>(values.size())},
        note);
  }
  void coordinate(const std::string& dim, std::span<const std::string> values, const H5Note& note) {
    labels(dim, {dim}, values, {static_cast<int64_t>(values.size())}, note);
  }

  /// Finishes the file and returns its bytes. Nothing can be added afterwards.
  std::vector<std::byte> finish();
  /// finish() and publish_bytes().
  Published publish(const std::string& path, Files& files = real_files());

 private:
  void put(const std::string& name,
           const std::vector<std::string>& dims,
           Element type,
           std::span<const std::byte> bytes,
           const std::vector<int64_t>& sizes,
           const H5Note& note);
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

/// Why the reader may hand a file to libhdf5.
class H5Trust {
 public:
  /// The manifest in the file's folder lists it with this content (the default).
  static H5Trust manifest() { return H5Trust(Kind::manifest, {}); }
  /// The caller knows the SHA-256.
  static H5Trust digest(std::string sha256) { return H5Trust(Kind::digest, std::move(sha256)); }
  /// The caller vouches for the file. Only for files that the caller's own programs wrote.
  static H5Trust unverified() { return H5Trust(Kind::unverified, {}); }

 private:
  friend class H5Reader;
  enum class Kind : uint8_t { manifest, digest, unverified };
  H5Trust(Kind kind, std::string sha256) : kind_(kind), sha256_(std::move(sha256)) {}
  Kind kind_;
  std::string sha256_;
};

struct H5Limits {
  int64_t file_bytes = kMaxPublishedBytes;
  int64_t dataset_bytes = int64_t{4} << 30;
  int64_t expansion = 100;  // bytes of a dataset per byte of the file
  int64_t datasets = 4096;
};

/// Reads files of the closed schema that the writer makes: flat, plain numeric and fixed-length
/// string arrays. Links out of the file, groups, external and virtual storage, other filters and
/// other types are refused on opening.
class H5Reader {
 public:
  explicit H5Reader(const std::string& path,
                    const H5Trust& trust = H5Trust::manifest(),
                    const H5Limits& limits = {},
                    Files& files = real_files());
  /// The same for bytes in memory, which the caller vouches for.
  H5Reader(std::vector<std::byte> bytes, const std::string& source, const H5Limits& limits = {});
  ~H5Reader();
  H5Reader(const H5Reader&) = delete;
  H5Reader& operator=(const H5Reader&) = delete;

  /// Names of all arrays, coordinate variables included, sorted.
  std::vector<std::string> list() const;
  bool has(const std::string& name) const;
  std::vector<std::string> dims(const std::string& name) const;
  /// Whether the array is a coordinate variable (a dimension scale).
  bool is_coordinate(const std::string& name) const;
  std::vector<int64_t> sizes(const std::string& name) const;
  /// The stored number type; nothing for strings.
  std::optional<Element> element(const std::string& name) const;
  /// The values; T must be the stored type.
  template <class T>
  std::vector<T> read(const std::string& name) const {
    std::vector<T> values(static_cast<size_t>(checked_numel(sizes(name))));
    get(name, element_of<T>, std::as_writable_bytes(std::span<T>(values)));
    return values;
  }
  std::vector<std::string> read_labels(const std::string& name) const;
  /// Attributes of an array (units, long_name, ...), or of the file for an empty name.
  H5Attributes attributes(const std::string& name = {}) const;
  /// A string or integer attribute of the file, or an error that names it.
  std::string root_string(const std::string& key) const;
  int64_t root_int(const std::string& key) const;

 private:
  void get(const std::string& name, Element type, std::span<std::byte> into) const;
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace sv

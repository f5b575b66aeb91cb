// Handles and error texts of the HDF5 C API; internal to h5_writer.cpp and h5_reader.cpp.
#pragma once
#include <hdf5.h>
#include <hdf5_hl.h>

#include <string>

#include "core/check.h"

namespace sv::detail {

/// What libhdf5 has to say about the last failure: the innermost message of its stack, and clears
/// it.
inline std::string h5_error_text() {
  std::string text = "no reason given";
  const auto keep = [](unsigned, const H5E_error2_t* error, void* out) -> herr_t {
    *static_cast<std::string*>(out) = error->desc ? error->desc : "";
    return 1;  // stop: walking upward begins at the innermost
  };
  H5Ewalk2(H5E_DEFAULT, H5E_WALK_UPWARD, keep, &text);
  H5Eclear2(H5E_DEFAULT);
  return text;
}

/// Throws with `what` and libhdf5's reason unless the result is valid.
template <class R>
R h5_check(R result, const std::string& what) {
  if (result < 0) {
    fail(what, ": ", h5_error_text());
  }
  return result;
}

/// An identifier of any kind; H5Idec_ref closes each kind.
class H5Handle {
 public:
  H5Handle() = default;
  H5Handle(hid_t id, const std::string& what) : id_(h5_check(id, what)) {}
  ~H5Handle() { reset(); }
  H5Handle(H5Handle&& other) noexcept : id_(other.id_) { other.id_ = -1; }
  H5Handle& operator=(H5Handle&& other) noexcept {
    std::swap(id_, other.id_);
    return *this;
  }
  operator hid_t() const { return id_; }
  void reset() {
    if (id_ >= 0) {
      H5Idec_ref(id_);
      id_ = -1;
    }
  }

 private:
  hid_t id_ = -1;
};

/// libhdf5 prints its error stack by default; our exceptions carry it instead. Plugins are never
/// loaded.
inline void h5_quiet() {
  H5Eset_auto2(H5E_DEFAULT, nullptr, nullptr);
  H5PLset_loading_state(0);
}

/// libhdf5 takes two open files in memory for one when their names are equal.
inline std::string h5_memory_name(const void* owner) {
  return concat("memory-", owner, ".h5");
}

/// A fixed-length string type, UTF-8, padded with zeros.
inline H5Handle h5_string_type(size_t length) {
  H5Handle type(H5Tcopy(H5T_C_S1), "HDF5 string type");
  h5_check(H5Tset_size(type, length), "HDF5 string type");
  h5_check(H5Tset_strpad(type, H5T_STR_NULLPAD), "HDF5 string type");
  h5_check(H5Tset_cset(type, H5T_CSET_UTF8), "HDF5 string type");
  return type;
}

}  // namespace sv::detail

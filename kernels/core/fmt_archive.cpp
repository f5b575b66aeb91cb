// fmt as an object of ours, compiled from its installed headers: distributions have it as a shared
// library only, and programs for other machines need nothing but libc (kernels/cuda/static.cmake).
#include <fmt/format-inl.h>

namespace fmt::detail {

// What the headers promise elsewhere (`extern template`).
template thousands_sep_result<char> thousands_sep_impl<char>(locale_ref);
template char decimal_point_impl<char>(locale_ref);

}  // namespace fmt::detail

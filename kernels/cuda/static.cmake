# sv_static_libraries(): programs of a CUDA build go to machines that have libc, the driver and nothing else
# (`./run gpu-bundle`), so their libraries are archives. After the find_package calls; sv_static_program() does the rest.

# The archive beside each shared library of a list. HDF5 names crypto and curl for one driver, which reads from Amazon S3:
# nobody here refers to it, so the linker leaves it and both of them out. Its sz is a face of aec.
function(sv_archives list)
  set(found "")
  foreach(library IN LISTS ${list})
    get_filename_component(name "${library}" NAME_WE)
    string(REGEX REPLACE "\\.so$" ".a" archive "${library}")
    if(name STREQUAL "libcrypto" OR name STREQUAL "libcurl")
      continue()
    elseif(EXISTS "${archive}" AND NOT name MATCHES "^lib(m|dl|pthread)$")
      list(APPEND found "${archive}")
    else()
      list(APPEND found "${library}")
    endif()
    if(name STREQUAL "libsz")
      string(REPLACE "libsz" "libaec" aec "${archive}")
      list(APPEND found "${aec}")
    endif()
  endforeach()
  set(${list} "${found}" PARENT_SCOPE)
endfunction()

macro(sv_static_libraries)
  sv_archives(HDF5_C_LIBRARIES)
  sv_archives(HDF5_C_HL_LIBRARIES)
  # Compiled as users of the shared library are, so that objects are those of a build without CUDA.
  add_library(fmt_archive STATIC "${PROJECT_SOURCE_DIR}/kernels/core/fmt_archive.cpp")
  target_compile_features(fmt_archive PUBLIC cxx_std_20)
  target_compile_definitions(fmt_archive PUBLIC $<TARGET_PROPERTY:fmt::fmt,INTERFACE_COMPILE_DEFINITIONS>)
  set(SV_FMT fmt_archive)
  set_target_properties(spdlog::spdlog_header_only PROPERTIES INTERFACE_LINK_LIBRARIES "Threads::Threads;fmt_archive")
endmacro()

# A program that needs nothing but libc and, at run time, the driver.
function(sv_static_program target)
  target_link_options(${target} PRIVATE -static-libstdc++ -static-libgcc -Wl,--as-needed -Wl,--gc-sections)
  set_target_properties(${target} PROPERTIES RUNTIME_OUTPUT_DIRECTORY "${CMAKE_BINARY_DIR}")
endfunction()

# How CUDA sources are built: SV_CUDA_ON, sv_enable_cuda(), sv_cuda_options(). Included before project().
include("${CMAKE_CURRENT_LIST_DIR}/toolkit.cmake")
include("${CMAKE_CURRENT_LIST_DIR}/static.cmake")
set(SV_CUDA_FOLDER "${CMAKE_CURRENT_LIST_DIR}")
set(SV_CUDA_ON OFF)
if(SV_CUDA STREQUAL "OFF")
  message(STATUS "CUDA: off (SV_CUDA=OFF)")
elseif(SV_NVCC)
  set(SV_CUDA_ON ON)
  message(STATUS "CUDA: ${SV_NVCC} ${SV_NVCC_VERSION}")
elseif(SV_CUDA STREQUAL "AUTO")
  message(STATUS "CUDA: off, the CPU build is complete without it (${SV_NVCC_SEEN})")
elseif(SV_CUDA STREQUAL "ON")
  message(FATAL_ERROR "SV_CUDA=ON, but ${SV_NVCC_SEEN}. Run ./run setup-cuda, which uses an installed toolkit or "
                      "installs a compiler into the project, or configure with SV_CUDA=OFF")
else()
  message(FATAL_ERROR "SV_CUDA=${SV_CUDA} is none of AUTO, ON, OFF")
endif()

if(SV_CUDA_ON)
  set(CMAKE_CUDA_COMPILER "${SV_NVCC}" CACHE FILEPATH "nvcc" FORCE)
  # Hopper's own instructions need 90a and are guarded in the sources; 80 is the oldest that has what the rest uses.
  set(CMAKE_CUDA_ARCHITECTURES "80-real;90a-real" CACHE STRING "GPU architectures")
  find_program(SV_CUDA_HOST g++ REQUIRED)
  set(CMAKE_CUDA_HOST_COMPILER "${SV_CUDA_HOST}" CACHE FILEPATH "host compiler of nvcc")
endif()

# After project(): the language, and static libraries in place of those that a machine with a GPU may lack.
macro(sv_enable_cuda)
  if(SV_CUDA_ON)
    enable_language(CUDA)
    find_package(CUDAToolkit REQUIRED)
    execute_process(COMMAND "${SV_CUDA_HOST}" -print-file-name=libgomp.a
                    OUTPUT_VARIABLE SV_GOMP OUTPUT_STRIP_TRAILING_WHITESPACE)
    if(IS_ABSOLUTE "${SV_GOMP}" AND CMAKE_CXX_COMPILER_ID STREQUAL "GNU")
      set(OpenMP_gomp_LIBRARY "${SV_GOMP}" CACHE FILEPATH "OpenMP runtime, static")
    endif()
  endif()
endmacro()

# sv_cuda_options(target): what every CUDA target of ours is compiled with, and the logs that the gate reads.
function(sv_cuda_options target)
  # -std: CMake 3.25 knows no cuda_std_20 for this compiler. --fmad=false: as -ffp-contract=off, so that a kernel gives the bits of its run on the CPU.
  target_compile_options(${target} PRIVATE -std=c++20 --fmad=false --expt-relaxed-constexpr -Xptxas=-v,-warn-spills
                         -Xcompiler=-Wall,-Wextra,-Wno-unknown-pragmas,-ffp-contract=off -lineinfo
                         -Xfatbin=-compress-all)  # a quarter of the size, line numbers included
  if(SV_WERROR)
    # Not all-warnings: that would make ptxas stop at a spill which has its reason in ptxas_limits.json.
    target_compile_options(${target} PRIVATE -Xcompiler=-Werror --Werror=cross-execution-space-call,reorder
                           -Xcudafe=--display_error_number)
  endif()
  set(launcher "${SV_PYTHON}" "${SV_CUDA_FOLDER}/ptxas_log.py")
  if(SV_CCACHE)
    list(APPEND launcher "${SV_CCACHE}")
  endif()
  set_target_properties(${target} PROPERTIES CUDA_COMPILER_LAUNCHER "${launcher}")
endfunction()

# sv_ptxas_gate(targets...): after them, fails the build where a kernel spills (ptxas_gate.py).
function(sv_ptxas_gate)
  set(stamp "${CMAKE_BINARY_DIR}/ptxas_gate.txt")
  set(inputs "${SV_CUDA_FOLDER}/ptxas_gate.py" "${SV_CUDA_FOLDER}/ptxas_limits.json")
  set(objects "")
  foreach(target IN LISTS ARGN)
    list(APPEND objects "$<TARGET_FILE:${target}>")
  endforeach()
  add_custom_command(OUTPUT "${stamp}"
                     COMMAND "${SV_PYTHON}" "${SV_CUDA_FOLDER}/ptxas_gate.py" --quiet "${CMAKE_BINARY_DIR}"
                     COMMAND "${CMAKE_COMMAND}" -E touch "${stamp}"
                     DEPENDS ${inputs} ${objects} VERBATIM)
  add_custom_target(ptxas_gate ALL DEPENDS "${stamp}")
endfunction()

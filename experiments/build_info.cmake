# Writes OUTPUT, the values behind experiments/build_info.cpp, if they changed since the last build.
set(COMMIT "unknown")
if(GIT)
  execute_process(COMMAND "${GIT}" -C "${SOURCE_DIR}" rev-parse HEAD
                  OUTPUT_VARIABLE head OUTPUT_STRIP_TRAILING_WHITESPACE RESULT_VARIABLE failed ERROR_QUIET)
  if(NOT failed)
    set(COMMIT "${head}")
    execute_process(COMMAND "${GIT}" -C "${SOURCE_DIR}" status --porcelain --untracked-files=no
                    OUTPUT_VARIABLE changed ERROR_QUIET)
    if(changed)
      string(APPEND COMMIT "-dirty")
    endif()
  endif()
endif()
file(CONFIGURE OUTPUT "${OUTPUT}" @ONLY CONTENT [[
#define SV_BUILD_VERSION R"(@VERSION@)"
#define SV_BUILD_COMMIT R"(@COMMIT@)"
#define SV_BUILD_TYPE R"(@BUILD_TYPE@)"
#define SV_BUILD_COMPILER R"(@COMPILER@)"
#define SV_BUILD_ISA R"(@ISA@)"
#define SV_BUILD_SANITIZE R"(@SANITIZE@)"
#define SV_BUILD_FLAGS R"(@FLAGS@)"
]])

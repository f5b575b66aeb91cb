#include "gpu/arguments.h"

#include <algorithm>
#include <cstdio>
#include <cstdlib>

#include "core/check.h"
#include "core/nearest.h"

namespace sv::gpu {

Arguments parse_arguments(int argc,
                          char** argv,
                          const std::string& usage,
                          const std::vector<std::string>& parts) {
  Arguments a;
  for (int i = 1; i < argc; ++i) {
    const std::string word = argv[i];
    // Only what this program's usage names.
    SV_CHECK(usage.find(word) != std::string::npos && word.starts_with("--"),
             "'",
             word,
             "' is not understood\n",
             usage);
    const auto value = [&]() -> std::string {
      SV_CHECK(i + 1 < argc, word, " needs a value\n", usage);
      return argv[++i];
    };
    if (word == "--part") {
      a.part = value();
      SV_CHECK(std::ranges::find(parts, a.part) != parts.end(),
               "there is no part '",
               a.part,
               "'",
               did_you_mean(a.part, parts));
    } else if (word == "--device") {
      a.device = value();
    } else if (word == "--only") {
      a.only = value();
    } else if (word == "--out") {
      a.out = value();
    } else if (word == "--repeats") {
      const std::string text = value();
      char* end = nullptr;
      a.repeats = static_cast<int>(std::strtol(text.c_str(), &end, 10));
      SV_CHECK(*end == '\0' && a.repeats > 0, "--repeats takes a number, got '", text, "'");
    } else if (word == "--tiny") {
      a.tiny = true;
    } else if (word == "--list") {
      a.list = true;
    } else if (word == "--help") {
      a.help = true;
    } else {
      fail("'", word, "' is not understood\n", usage);
    }
  }
  return a;
}

int exit_code_of(const char* program, int (*run)(int, char**), int argc, char** argv) {
  try {
    return run(argc, argv);
  } catch (const Error& e) {
    std::fprintf(stderr, "%s: %s\n", program, e.what());
    return static_cast<int>(e.exit);
  } catch (const std::exception& e) {
    std::fprintf(stderr, "%s: %s\n", program, e.what());
    return static_cast<int>(Exit::environment);
  }
}

}  // namespace sv::gpu

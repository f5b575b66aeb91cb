// The embedded page: what surrounds the data of a report, and which D3 is inside it.
#pragma once
#include <string_view>

namespace sv::report {

/// A library that is part of every report, as recorded in the page's footer.
struct EmbeddedLibrary {
  std::string_view name;
  std::string_view version;
  std::string_view licence;
  std::string_view sha256;  // hex, of the embedded file
};

// Defined in the file that embed.cmake generates.
extern const std::string_view kPageBeforeData;
extern const std::string_view kPageAfterData;
extern const EmbeddedLibrary kEmbeddedD3;

}  // namespace sv::report

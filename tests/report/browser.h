// A headless Chromium that opens one file from disk and tells what happened.
#pragma once
#include <string>
#include <vector>

namespace sv::report_testing {

/// The browser's program name, or empty where none runs (Ubuntu's package is a stub).
std::string find_chromium();

struct PageVisit {
  std::string dom;                    // the document after its scripts ran
  std::vector<std::string> console;   // errors and other messages of the page's console
  std::vector<std::string> requests;  // URLs that the network stack was asked for
};

/// Loads `path` (file://) in a fresh profile; the network log is read from the browser, not from
/// the page.
PageVisit visit(const std::string& chromium,
                const std::string& path,
                const std::string& work_folder);

/// Value of an attribute of the document's root element, empty if it has none.
std::string root_attribute(const PageVisit& page, const std::string& name);

/// data-marks of every figure of the kind, in page order.
std::vector<int> figure_marks(const PageVisit& page, const std::string& kind);

}  // namespace sv::report_testing

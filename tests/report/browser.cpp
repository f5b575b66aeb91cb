// A headless Chromium that opens one file from disk and tells what happened.
#include "report/browser.h"

#include <array>
#include <cstdio>
#include <filesystem>
#include <memory>
#include <nlohmann/json.hpp>
#include <regex>
#include <sstream>

#include "core/check.h"
#include "report/fake_findings.h"

namespace sv::report_testing {
namespace {

using nlohmann::json;

struct Finished {
  std::string output;
  int status;
};

Finished run_command(const std::string& command) {
  FILE* pipe = popen(command.c_str(), "r");
  SV_CHECK(pipe != nullptr, command);
  std::string output;
  std::array<char, 65536> buffer{};
  for (size_t n = 0; (n = fread(buffer.data(), 1, buffer.size(), pipe)) > 0;) {
    output.append(buffer.data(), n);
  }
  return {output, pclose(pipe)};
}

/// URLs of the network log that a page asked for: those of the browser's own services carry no
/// origin.
std::vector<std::string> requested(const std::string& net_log) {
  std::vector<std::string> urls;
  const json log = json::parse(net_log);
  for (const json& event : log.at("events")) {
    const json params = event.value("params", json::object());
    if (params.contains("url") && params["url"].is_string()) {
      const std::string url = params["url"];
      if (params.value("initiator", "not an origin") != "not an origin" &&
          !url.starts_with("file:") && !url.starts_with("data:")) {
        urls.push_back(url);
      }
    }
  }
  return urls;
}

}  // namespace

std::string find_chromium() {
  for (const std::string name : {"chromium", "chromium-browser", "google-chrome"}) {
    const Finished version = run_command("timeout 60 " + name + " --version 2>/dev/null");
    if (version.status == 0 && version.output.find("Chrom") != std::string::npos) {
      return name;
    }
  }
  return "";
}

PageVisit visit(const std::string& chromium,
                const std::string& path,
                const std::string& work_folder) {
  const std::string profile = work_folder + "/profile", log = work_folder + "/console.log",
                    net = work_folder + "/net.json";
  std::filesystem::remove_all(profile);
  const std::string command =
      "timeout 120 " + chromium +
      " --headless=new --no-sandbox --disable-gpu --disable-dev-shm-usage --disable-extensions" +
      " --disable-background-networking --disable-component-update --disable-sync --no-first-run "
      "--no-default-browser-check" +
      " --host-resolver-rules='MAP * ~NOTFOUND' --disable-features=OptimizationHints,MediaRouter "
      "--user-data-dir='" +
      profile + "' --log-net-log='" + net +
      "' --enable-logging=stderr --v=0 --window-size=1300,2000 --virtual-time-budget=8000 "
      "--dump-dom 'file://" +
      path + "' 2>'" + log + "'";
  const Finished done = run_command(command);
  SV_CHECK_EQ(done.status, 0, command, "\n", read_text(log));
  PageVisit page{done.output, {}, requested(read_text(net))};
  std::istringstream lines(read_text(log));
  for (std::string line; std::getline(lines, line);) {
    if (line.find("CONSOLE") != std::string::npos) {
      page.console.push_back(line);
    }
  }
  return page;
}

std::string root_attribute(const PageVisit& page, const std::string& name) {
  const size_t end = page.dom.find("<head");
  const std::string root = page.dom.substr(0, end);
  std::smatch match;
  return std::regex_search(root, match, std::regex(name + "=\"([^\"]*)\"")) ? match[1].str() : "";
}

std::vector<int> figure_marks(const PageVisit& page, const std::string& kind) {
  std::vector<int> marks;
  const std::regex figure("<figure data-figure=\"" + kind + "\"[^>]*data-marks=\"([0-9]+)\"");
  for (std::sregex_iterator at(page.dom.begin(), page.dom.end(), figure), end; at != end; ++at) {
    marks.push_back(std::stoi((*at)[1].str()));
  }
  return marks;
}

}  // namespace sv::report_testing

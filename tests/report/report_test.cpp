// The report as a file: self-contained, escaped, replaced only when complete, with a D3 that is
// known.
#include "experiments/report/report.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <array>
#include <filesystem>

#include "core/check.h"
#include "experiments/report/page.h"
#include "report/fake_findings.h"

namespace sv::report_testing {
namespace {

using nlohmann::json;

// One line per supported distribution: sha256sum /usr/share/nodejs/d3/dist/d3.min.js after
// installing node-d3.
constexpr std::array kKnownD3 = {
    std::string_view(
        "63cdc8691107d063922c58ece1b9b4eeb9fef305429a55d3d962eea0812f1e03"),  // Debian 12,
                                                                              // node-d3 5.16.0-10
};

std::string render(const std::string& folder) {
  render_report(folder, folder + "/report.html");
  return read_text(folder + "/report.html");
}

std::string message_of(const std::string& folder, Exit exit = Exit::input) {
  try {
    render(folder);
  } catch (const Error& error) {
    EXPECT_EQ(static_cast<int>(error.exit), static_cast<int>(exit)) << error.what();
    return error.what();
  }
  ADD_FAILURE() << "no error from " << folder;
  return "";
}

TEST(Report, EmbedsAKnownD3AndSaysWhich) {
  const auto& d3 = report::kEmbeddedD3;
  EXPECT_NE(std::find(kKnownD3.begin(), kKnownD3.end(), d3.sha256), kKnownD3.end())
      << "unknown d3.min.js " << d3.sha256 << " (" << d3.name << " " << d3.version
      << "): check where it comes from, then add its digest to this list";
  const std::string page = render(write_run("d3", FakeRun{}));
  for (const auto& part : {d3.name, d3.version, d3.licence, d3.sha256}) {
    EXPECT_NE(page.rfind(part), std::string::npos) << part;
  }
}

TEST(Report, RefersToNothingOutsideItself) {
  const std::string page = render(write_run("closed", FakeRun{}));
  const std::string ours = page.substr(0, page.find("<script>"));
  for (const char* mark : {"src=", "<link", "@import", "url(", "http://", "https://"}) {
    EXPECT_EQ(ours.find(mark), std::string::npos) << mark;
  }
  EXPECT_NE(page.find("default-src 'none'; script-src 'sha256-"), std::string::npos);
  EXPECT_EQ(page.find("unsafe-"), std::string::npos);
}

TEST(Report, EscapesMarkupOfTheResults) {
  json findings = fake_findings(FakeRun{});
  const std::string evil = "</script><!--<script>&";
  findings["title"] = evil;
  findings["lens"]["examples"][0]["tokens"][0] = evil;
  const std::string page = render(
      write_run(evil.substr(9, 4) == "<!--" ? "escape" : "other", findings, "", {{evil, evil}}));
  EXPECT_EQ(page.find(evil), std::string::npos);
  EXPECT_NE(page.find("\\u003c/script\\u003e\\u003c!--\\u003cscript\\u003e\\u0026"),
            std::string::npos);
}

TEST(Report, EscapesAHostileFolderName) {
  const std::string folder = fresh_folder("folder") + "/<script>alert(1)<";
  std::filesystem::create_directories(folder);
  write_text(folder + "/metrics.jsonl", fake_metrics(FakeRun{}, 20));
  EXPECT_EQ(render(folder).find("<script>alert(1)"), std::string::npos);
}

TEST(Report, KeepsTheOldReportWhenTheNewOneFails) {
  const std::string folder = write_run("keep", FakeRun{});
  const std::string before = render(folder);
  write_text(folder + "/findings.json", "{\"schema\": 1, ");
  EXPECT_NE(message_of(folder).find("findings.json"), std::string::npos);
  EXPECT_EQ(read_text(folder + "/report.html"), before);
  EXPECT_FALSE(std::filesystem::exists(folder + "/report.html.new"));
}

TEST(Report, SameResultsGiveTheSameBytes) {
  const std::string folder = write_run("same", FakeRun{});
  EXPECT_EQ(render(folder), render(folder));
}

TEST(Report, SaysThatAFolderIsNoRun) {
  EXPECT_NE(message_of(fresh_folder("empty")).find("is not a run folder"), std::string::npos);
  EXPECT_NE(message_of("/no/such/folder").find("is not a folder"), std::string::npos);
}

TEST(Report, NamesTheLineOfABrokenMetricsFile) {
  const std::string folder = write_run("metrics", FakeRun{});
  write_text(folder + "/metrics.jsonl",
             "{\"event\":\"train\",\"step\":1,\"seed\":0,\"loss\":1}\n{\"event\":\"train\","
             "\"step\":\"x\",\"seed\":0}\n");
  const std::string message = message_of(folder);
  EXPECT_NE(message.find("metrics.jsonl:2"), std::string::npos) << message;
  EXPECT_NE(message.find("step must be a number"), std::string::npos) << message;
}

TEST(Report, LeavesOutAMetricsLineThatWasCutOff) {
  const std::string folder = write_run("cut", FakeRun{});
  write_text(folder + "/metrics.jsonl",
             "{\"event\":\"train\",\"step\":1,\"seed\":0,\"loss\":1}\n{\"event\":\"tra");
  EXPECT_NE(render(folder).find("\"training\":[{"), std::string::npos);
}

TEST(Report, ReadsEveryFormOfTheTrainingDepthFromTheSettings) {
  const std::vector<std::pair<std::string, std::string>> forms = {
      {"8", R"({"law":"fixed","max":8,"min":8})"},
      {"2..4", R"({"law":"uniform","max":4,"min":2})"},
      {"4,2,16", R"({"law":"list","max":16,"min":2})"},
      {"poisson:8", R"({"law":"poisson","max":32,"min":1})"},
      {"2..", ""},
      {"", ""},
      {"all", ""},
  };
  const std::string folder =
      write_run("forms", json(nullptr), fake_metrics(FakeRun{}, 10), nullptr);
  for (const auto& [form, depth] : forms) {
    write_text(folder + "/spec.toml",
               "task = \"sudoku\"\n[depth]\ntrain = \"" + form + "\"\ntest = [1, 2]\n");
    const std::string page = render(folder);
    const std::string head = R"("spec":{"task":{"name":"sudoku"})";
    const std::string whole =
        depth.empty() ? head + "}" : head + R"(,"train_depth":)" + depth + "}";
    EXPECT_NE(page.find(whole), std::string::npos) << form;
  }
}

TEST(Report, ThinsLongCurvesToMeans) {
  std::string metrics;
  for (int step = 1; step <= 400; ++step) {
    metrics +=
        json({{"event", "train"}, {"step", step}, {"seed", 0}, {"label", "a"}, {"loss", step}})
            .dump() +
        "\n";
  }
  const std::string page = render(write_run("thin", json(nullptr), metrics, nullptr));
  EXPECT_NE(page.find("\"group_size\":2"), std::string::npos);
  EXPECT_NE(page.find("\"loss\":[1.5,3.5,5.5,"), std::string::npos);
}

}  // namespace
}  // namespace sv::report_testing

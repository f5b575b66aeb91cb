// What a headless Chromium finds when it opens a report from disk: figures drawn, no console error,
// no request.
#include <gtest/gtest.h>

#include "experiments/report/report.h"
#include "report/browser.h"
#include "report/fake_findings.h"

namespace sv::report_testing {
namespace {

using nlohmann::json;

class ReportInBrowser : public ::testing::Test {
 protected:
  void SetUp() override {
    chromium_ = find_chromium();
    if (chromium_.empty()) {
      GTEST_SKIP() << "NO CHROMIUM: the report was not looked at; install the package chromium (on "
                      "Ubuntu it is a stub)";
    }
  }
  PageVisit open(const std::string& folder) {
    render_report(folder, folder + "/report.html");
    return visit(chromium_, folder + "/report.html", fresh_folder("browser"));
  }
  static void expect_clean(const PageVisit& page) {
    EXPECT_EQ(root_attribute(page, "data-ready"), "1");
    EXPECT_EQ(root_attribute(page, "data-errors"), "0");
    EXPECT_EQ(root_attribute(page, "data-requests"), "0");
    EXPECT_EQ(root_attribute(page, "data-refused"), "0");
    EXPECT_EQ(page.console, std::vector<std::string>{});
    EXPECT_EQ(page.requests, std::vector<std::string>{});
    EXPECT_EQ(page.dom.find("data-failed=\"1\""), std::string::npos);
  }
  static size_t count(const std::string& text, const std::string& what) {
    size_t n = 0;
    for (size_t at = text.find(what); at != std::string::npos; at = text.find(what, at + 1)) {
      ++n;
    }
    return n;
  }
  std::string chromium_;
};

TEST_F(ReportInBrowser, EveryFigureIsDrawnWithItsMarks) {
  const PageVisit page = open(write_run("full", FakeRun{}));
  expect_clean(page);
  // 3 panels x (4 seed lines + mean + band of the looped group, mean + band of the one control
  // seed)
  EXPECT_EQ(figure_marks(page, "loss_curves"), std::vector<int>{3 * (4 + 2 + 2)});
  // 3 panels x ((4 + 1 seeds) x 13 depths, 2 x (mean + band))
  EXPECT_EQ(figure_marks(page, "depth_curves"), std::vector<int>{3 * (5 * 13 + 4)});
  EXPECT_EQ(figure_marks(page, "difficulty_curves"), std::vector<int>{6 * (4 * 13 + 2)});
  EXPECT_EQ(figure_marks(page, "patch_map"), (std::vector<int>{3 * 8 * 5, 3 * 8 * 5, 3 * 8 * 5}));
  EXPECT_EQ(figure_marks(page, "trajectory"), std::vector<int>{2 + 16 + 17});
  EXPECT_EQ(figure_marks(page, "halting"), std::vector<int>{24 + 4 * 24});
  EXPECT_EQ(figure_marks(page, "lens_map"), std::vector<int>{36 + 10 * 36});
  // overview 4 x (4 x 10 points + band, mean, ring); panels 4 x (majority + 3 x (40 + 2)); one map
  // of 10 x 36
  EXPECT_EQ(figure_marks(page, "probe_curves"), std::vector<int>{4 * 43 + 4 * (1 + 3 * 42) + 360});
}

TEST_F(ReportInBrowser, ItCarriesItsEvidenceBesideEveryFigureWithAccuracy) {
  const PageVisit page = open(write_run("evidence", FakeRun{}));
  const size_t figures = count(page.dom, "<figure ");
  EXPECT_EQ(count(page.dom, "class=\"stamp\">exploratory · "), figures);
  EXPECT_GE(count(page.dom, "20,000 training items · train depth 2–4 (uniform)"), figures);
  EXPECT_NE(page.dom.find("4 seeds (0, 1, 2, 3) · 20,000 training items · train depth 2–4 "
                          "(uniform) · test depth 1–32 · 1,024 test items"),
            std::string::npos);
}

TEST_F(ReportInBrowser, ControlsAreToldApartFromTheSeedsOfAClaim) {
  json findings = fake_findings(FakeRun{});
  findings["groups"][1] = {{"name", "other"}, {"seeds", {100}}, {"control", true}};
  const PageVisit page = open(write_run("claim", findings, "", nullptr));
  expect_clean(page);
  EXPECT_EQ(count(page.dom, "4 seeds and 1 control; a claim needs at least 10"), 1u);
  EXPECT_EQ(count(page.dom, "<dd>0, 1, 2, 3; control: 100</dd>"), 1u);
}

TEST_F(ReportInBrowser, DifficultyCountsWhatItSaysAndGivesEveryLevelItsColour) {
  json findings = fake_findings(FakeRun{});
  json& levels = findings["depth"]["by_difficulty"];
  const json level = levels[0];
  for (int more = 7; more <= 12; ++more) {
    levels.push_back(level);
    levels.back()["difficulty"] = more;
  }
  for (json& one : levels) {
    one["unit"] = "answer tokens";
    one["interval"] = json::array();
    for (size_t r = 0; r < one["depths"].size(); ++r) {
      one["interval"].push_back({0.1, 0.9});
    }
  }
  const PageVisit page = open(write_run("levels", findings, "", nullptr));
  expect_clean(page);
  EXPECT_EQ(figure_marks(page, "difficulty_curves"), std::vector<int>{12 * (4 * 13 + 2)});
  EXPECT_EQ(count(page.dom, "difficulty 12 (225 answer tokens)"), 1u);
  EXPECT_EQ(count(page.dom, "items right (%)"), 0u);
  EXPECT_EQ(count(page.dom, "Band: 95 % bootstrap interval over seeds."), 1u);
  // In the key and in the plot: ten levels between the ends of the scale, all different.
  EXPECT_EQ(count(page.dom, "data-tone="), 2u * 10);
  EXPECT_EQ(count(page.dom, "data-tone=\"s3.82\""), 2u);
  EXPECT_EQ(count(page.dom, "style=\"--c: color-mix("), 2u * 10);
}

TEST_F(ReportInBrowser, TheKeyOfAMapExplainsHolesAndTheOtherHue) {
  json findings = fake_findings(FakeRun{});
  json& map = findings["probe"][0]["by_position"];
  map["selectivity"] = map["accuracy"];
  for (json& row : map["selectivity"]) {
    for (json& value : row) {
      value = 0.4;
    }
  }
  const PageVisit plain = open(write_run("key", findings, "", nullptr));
  EXPECT_EQ(count(plain.dom, "below zero 0 %"), 0u);
  EXPECT_EQ(count(plain.dom, " at this position and step)</span>"), 0u);
  map["selectivity"][0][0] = -0.2;
  map["selectivity"][0][1] = nullptr;
  findings["patch"][0]["controls"][0]["effect"][0][1] = nullptr;
  const PageVisit page = open(write_run("key", findings, "", nullptr));
  expect_clean(page);
  EXPECT_EQ(count(page.dom, "below zero 0 %"), 1u);
  EXPECT_EQ(count(page.dom, " at this position and step)</span>"), 1u);
  EXPECT_EQ(count(page.dom, " about the patched position alone)</span>"), 1u);
  EXPECT_GE(count(page.dom, " not asked</span>"), 1u);
}

TEST_F(ReportInBrowser, ARunThatIsNotMeasuredYetSaysItsTrainingDepth) {
  const std::string folder = write_run("going", json(nullptr), fake_metrics(FakeRun{}), nullptr);
  write_text(folder + "/spec.toml",
             "task = \"sudoku\"\n\n[data]\ntrain_size = 20000\n\n[depth]\ntrain = \"2..4\"\n");
  const PageVisit page = open(folder);
  expect_clean(page);
  EXPECT_EQ(count(page.dom, "<dd>2–4 (uniform)</dd>"), 1u);
  EXPECT_EQ(count(page.dom, "<dd>not recorded"), 0u);
  EXPECT_EQ(count(page.dom, "20,000 training items · train depth 2–4 (uniform)</p>"), 1u);
}

TEST_F(ReportInBrowser, TenSeedsAreNotStampedExploratory) {
  FakeRun run;
  run.seeds = 10;
  json findings = fake_findings(run);
  findings["depth"]["groups"].erase(1);
  const PageVisit page = open(write_run("ten", findings, "", nullptr));
  expect_clean(page);
  EXPECT_EQ(page.dom.find("class=\"stamp\">exploratory</span>"), std::string::npos);
  EXPECT_EQ(page.dom.find("exploratory · 10 seeds"), std::string::npos);
}

TEST_F(ReportInBrowser, OneSeedAndALargeBoardAreDrawn) {
  FakeRun run{.seeds = 1, .rows = 9, .cols = 9, .box_rows = 3, .box_cols = 3};
  const PageVisit page = open(write_run("one_seed", run));
  expect_clean(page);
  EXPECT_EQ(figure_marks(page, "lens_map"), std::vector<int>{81 + 10 * 81});
  EXPECT_NE(page.dom.find("One seed: there is no interval over seeds."), std::string::npos);
}

TEST_F(ReportInBrowser, ASequenceTaskHasAMapWithoutABoard) {
  FakeRun run{.rows = 1, .cols = 24, .grid = false};
  const PageVisit page = open(write_run("sequence", run));
  expect_clean(page);
  EXPECT_EQ(figure_marks(page, "lens_map"), std::vector<int>{10 * 24});
}

TEST_F(ReportInBrowser, MissingPartsNameTheCommandThatMakesThem) {
  const std::string folder = write_run("missing", json(nullptr), fake_metrics(FakeRun{}), nullptr);
  const PageVisit page = open(folder);
  expect_clean(page);
  for (const char* command : {"eval", "lens", "probe", "patch", "dynamics"}) {
    EXPECT_NE(page.dom.find("subvocal " + std::string(command) + " " + folder), std::string::npos)
        << command;
  }
  EXPECT_EQ(figure_marks(page, "loss_curves").size(), 1u);
}

TEST_F(ReportInBrowser, MissingNumbersLeaveHolesNotFailures) {
  json findings = fake_findings(FakeRun{});
  findings["depth"]["groups"][0]["exact"][1][3] = nullptr;
  findings["depth"]["groups"][0].erase("residual");
  findings["patch"][0]["effect"][0][0] = nullptr;
  findings["lens"]["examples"][0]["prob"][0][0] = nullptr;
  findings["probe"][0].erase("control_untrained");
  findings.erase("task");
  findings.erase("train_depth");
  const PageVisit page = open(write_run("holes", findings, "", nullptr));
  expect_clean(page);
  EXPECT_NE(page.dom.find("training-set size not recorded"), std::string::npos);
}

TEST_F(ReportInBrowser, AFolderOfTimesHasTheRooflineAndMissesNothingElse) {
  const std::string folder = fresh_folder("roofline");
  write_text(folder + "/bench.json", fake_bench().dump());
  write_text(folder + "/run.json", R"({"program": "subvocal"})");
  const PageVisit page = open(folder);
  expect_clean(page);
  EXPECT_EQ(figure_marks(page, "roofline"), std::vector<int>{2 + 3});  // two limits, three marks
  for (const char* text : {">matmul</text>",
                           ">concat</text>",
                           ">training step</text>",
                           "memory: 20 GB/s",
                           "multiply-adds: 160 GFLOP/s",
                           "matmul: 53 GFLOP/s, 33.1 % of the limit",
                           "concat: 44.0 % of the limit"}) {
    EXPECT_EQ(count(page.dom, text), 1u) << text;
  }
  EXPECT_EQ(count(page.dom, "class=\"missing\""), 0u);
  EXPECT_EQ(count(page.dom, "class=\"stamp\""), 0u);
}

TEST_F(ReportInBrowser, ARunWithTimesDrawsThemBesideItsFindings) {
  const std::string folder = write_run("both", FakeRun{});
  json bench = fake_bench();
  const std::string evil = "</script><script>document.documentElement.dataset.owned=1</script>";
  bench["marks"][0]["name"] = bench["shape"] = evil;
  write_text(folder + "/bench.json", bench.dump());
  const PageVisit page = open(folder);
  expect_clean(page);
  EXPECT_EQ(figure_marks(page, "roofline").size(), 1u);
  EXPECT_EQ(figure_marks(page, "depth_curves").size(), 1u);
  EXPECT_EQ(root_attribute(page, "data-owned"), "");
}

TEST_F(ReportInBrowser, HostileTextStaysText) {
  const std::string evil =
      "</script><script>document.documentElement.dataset.owned=1</script><img src=x "
      "onerror=alert(1)>\"'&";
  FakeRun run;
  run.name = evil;
  json findings = fake_findings(run);
  findings["summary"][0]["text"] = evil;
  findings["groups"][0]["name"] = evil;
  findings["depth"]["groups"][0]["name"] = evil;
  findings["lens"]["examples"][0]["tokens"][0] = evil;
  findings["lens"]["examples"][0]["readout"][0][0] = evil;
  findings["lens"]["examples"][0]["note"] = evil;
  findings["probe"][0]["truth"] = evil;
  findings["patch"][0]["site"] = evil;
  findings["patch"][0]["positions"][0] = evil;
  findings["patch"][0]["controls"][0]["name"] = evil;
  findings["dynamics"]["trajectory"][0]["label"] = evil;
  findings["tables"][0]["rows"][0][1] = evil;
  const PageVisit page = open(write_run("hostile",
                                        findings,
                                        fake_metrics(run),
                                        {{"argv", evil}, {evil, "\xff\xfe" == evil ? 1 : 2}}));
  expect_clean(page);
  EXPECT_EQ(root_attribute(page, "data-owned"), "");
  EXPECT_EQ(count(page.dom, "<script"), 3u);
  EXPECT_EQ(count(page.dom, "<img"), 0u);
}

TEST_F(ReportInBrowser, EveryControlCanBeMoved) {
  const std::string folder = write_run("controls", FakeRun{});
  render_report(folder, folder + "/report.html");
  std::string page = read_text(folder + "/report.html");
  const size_t policy = page.find("<meta http-equiv=\"Content-Security-Policy\"");
  page.erase(policy, page.find('\n', policy) - policy);
  page.insert(
      page.rfind("</body>"),
      "<script>let moved = 0;"
      "for (const s of document.querySelectorAll('select')) for (const o of s.options) {"
      "  s.value = o.value; s.dispatchEvent(new Event('change')); ++moved; }"
      "for (const s of document.querySelectorAll('input')) for (let i = 0; i <= s.max; ++i) {"
      "  s.value = i; s.dispatchEvent(new Event('input')); ++moved; }"
      "for (const b of document.querySelectorAll('button')) { b.click(); b.click(); ++moved; }"
      "document.documentElement.dataset.moved = moved;</script>");
  write_text(folder + "/moved.html", page);
  const PageVisit seen = visit(chromium_, folder + "/moved.html", fresh_folder("browser"));
  expect_clean(seen);
  // choices: 3 lens examples, 3 x (mean + 4 seeds), 3 trajectories; sliders: 10 and 17 updates; 2
  // buttons
  EXPECT_EQ(root_attribute(seen, "data-moved"), std::to_string(3 + 15 + 3 + 10 + 17 + 2));
  // Play from the end starts over.
  EXPECT_NE(seen.dom.find("After update 1: "), std::string::npos);
}

TEST_F(ReportInBrowser, TheChecksSeeAPageThatMisbehaves) {
  const std::string folder = write_run("misbehaves", FakeRun{});
  render_report(folder, folder + "/report.html");
  std::string page = read_text(folder + "/report.html");
  const size_t policy = page.find("<meta http-equiv=\"Content-Security-Policy\"");
  ASSERT_NE(policy, std::string::npos);
  page.erase(policy, page.find('\n', policy) - policy);
  page.insert(
      page.find("<header"),
      "<img src=\"http://127.0.0.1:9/pixel.png\"><script>console.error('planted');</script>");
  write_text(folder + "/bad.html", page);
  const PageVisit seen = visit(chromium_, folder + "/bad.html", fresh_folder("browser"));
  EXPECT_FALSE(seen.console.empty());
  EXPECT_FALSE(seen.requests.empty());
}

TEST_F(ReportInBrowser, ThePolicyRefusesWhatIsNotPartOfTheReport) {
  const std::string folder = write_run("refused", FakeRun{});
  render_report(folder, folder + "/report.html");
  std::string page = read_text(folder + "/report.html");
  page.insert(page.find("<header"),
              "<img "
              "src=\"http://127.0.0.1:9/"
              "pixel.png\"><script>document.documentElement.dataset.owned=1</script>");
  write_text(folder + "/bad.html", page);
  const PageVisit seen = visit(chromium_, folder + "/bad.html", fresh_folder("browser"));
  EXPECT_EQ(root_attribute(seen, "data-owned"), "");
  EXPECT_EQ(root_attribute(seen, "data-ready"), "1");
  EXPECT_EQ(seen.requests, std::vector<std::string>{});
}

}  // namespace
}  // namespace sv::report_testing

// Import and export of published layouts as runs: models, settings and refusals.
#include "experiments/published.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>

#include "data/temp_folder.h"
#include "experiments/train_run.h"
#include "models/train/checkpoint.h"

namespace sv {
namespace {

/// Settings of a small pack on 4x4 Sudoku, by layout.
std::vector<std::string> small(const std::string& layout) {
  std::vector<std::string> out = {"task=sudoku",
                                  "data.size=4",
                                  "model.width=16",
                                  "model.heads=4",
                                  "model.hidden=12",
                                  "depth.train=2",
                                  "seeds=3,5"};
  const auto add = [&](std::initializer_list<const char*> more) {
    out.insert(out.end(), more.begin(), more.end());
  };
  if (layout == "hrm") {
    add({"model.name=hrm", "model.layers=2", "model.puzzles=1"});
  } else {
    add({"model.name=trm", layout == "rsm" ? "model.inner=1@0,2@50" : "model.inner=2"});
  }
  if (layout == "trm") {
    add({"model.mixer=tokens", "model.positions=none", "model.token_hidden=8", "model.prefix=2"});
  } else if (layout == "eqr") {
    add({"model.damping=0.9", "model.noise=0.02", "model.init=random", "model.prefix=0"});
  } else if (layout == "urm") {
    add({"model.states=1", "model.conv=2", "model.prefix=3", "model.positions=learned"});
  } else if (layout == "rsm") {
    add({"model.halt_head=false",
         "model.tied_head=true",
         "model.token_norm=false",
         "model.prefix=0",
         "train.segments=1"});
  }
  return out;
}

/// A finished run with untrained weights.
Spec make_run(const std::string& path, const std::string& layout) {
  const Spec spec = load_spec({"", small(layout)});
  const auto model = Workbench(spec).make_model();
  RunStart start;
  start.seeds.assign(spec.seeds.begin(), spec.seeds.end());
  RunFolder run = RunFolder::create(path, start, settings_toml(spec), settings_digest(spec));
  save_weights(run.file("model.safetensors"), model->params(), run.spec_digest());
  run.finish("done");
  return spec;
}

std::vector<float> values(const Params& params, int m) {
  std::vector<float> out;
  for (const Param& p : params) {
    const Tensor mine = p.value.tensor().slice(m, 1);
    out.insert(out.end(), mine.as<float>(), mine.as<float>() + mine.numel());
  }
  return out;
}

std::string refusal_of(auto&& action) {
  try {
    action();
  } catch (const Error& e) {
    return e.what();
  }
  return "";
}

class PublishedRun : public testing::TestWithParam<const char*> {};

TEST_P(PublishedRun, ComesBackAsTheSamePackWithTheSameSettings) {
  const TempFolder folder;
  const std::string run = folder.path() + "/run";
  const Spec spec = make_run(run, GetParam());
  const Layout& layout = layout_of(spec.model);
  EXPECT_EQ(layout.name, GetParam());
  export_checkpoint(run, layout, 3, folder.path() + "/three");
  export_checkpoint(run, layout, 5, folder.path() + "/five");
  const Imported back = import_checkpoints({std::string(layout.name),
                                            {folder.path() + "/three", folder.path() + "/five"},
                                            {"seeds=3,5"}});
  EXPECT_EQ(settings_toml(back.spec), settings_toml(spec));
  const auto model = load_run_model(Workbench(spec), run);
  for (const int m : {0, 1}) {
    EXPECT_EQ(values(back.model->params(), m), values(model->params(), m));
  }
  const Imported one = import_checkpoints(
      {std::string(layout.name), {folder.path() + "/five/model.safetensors"}, {}});
  EXPECT_EQ(values(one.model->params(), 0), values(model->params(), 1));
  EXPECT_EQ(one.spec.seeds, std::vector<int>{0});
}

INSTANTIATE_TEST_SUITE_P(Layouts,
                         PublishedRun,
                         testing::Values("eqr", "hrm", "rsm", "trm", "urm"),
                         [](const auto& tested) { return std::string(tested.param); });

TEST(Import, TheProjectsOwnConfigAndShapesAreEnoughBesideTheTask) {
  const TempFolder folder;
  const std::string run = folder.path() + "/run", out = folder.path() + "/out";
  const Spec spec = make_run(run, "hrm");
  export_checkpoint(run, find_layout("hrm"), 3, out);
  // What the authors' files would say: no member of ours.
  nlohmann::json config = nlohmann::json::parse(std::ifstream(out + "/config.json"));
  EXPECT_EQ(config["hidden_size"], 16);
  EXPECT_EQ(config["num_heads"], 4);
  EXPECT_EQ(config["H_cycles"], 2);
  config.erase("subvocal");
  std::ofstream(out + "/config.json") << config;
  const Imported back =
      import_checkpoints({"hrm", {out}, {"task=sudoku", "data.size=4", "seeds=3"}});
  EXPECT_EQ(back.spec.model.layers, 2);
  EXPECT_EQ(back.spec.model.heads, 4);
  EXPECT_EQ(back.spec.model.hidden, 12);
  EXPECT_EQ(back.spec.depth.train, "2");
}

TEST(Import, ANineByNineSudokuCheckpointReadsItsOwnSymbols) {
  const TempFolder folder;
  const std::string run = folder.path() + "/run", out = folder.path() + "/out";
  std::vector<std::string> words = {"task=sudoku",
                                    "data.size=9",
                                    "model.name=trm",
                                    "model.width=16",
                                    "model.heads=8",
                                    "model.hidden=12",
                                    "model.symbols=11",
                                    "model.token_shift=1",
                                    "model.answer_shift=2",
                                    "seeds=3"};
  const Spec spec = load_spec({"", words});
  const auto model = Workbench(spec).make_model();
  RunStart start;
  start.seeds = {3};
  {
    RunFolder made = RunFolder::create(run, start, settings_toml(spec), settings_digest(spec));
    save_weights(made.file("model.safetensors"), model->params(), made.spec_digest());
    made.finish("done");
  }
  export_checkpoint(run, find_layout("trm"), 3, out);
  std::filesystem::remove(out + "/config.json");
  const Imported back =
      import_checkpoints({"trm", {out}, {"task=sudoku", "data.size=9", "model.prefix=16"}});
  EXPECT_EQ(back.spec.model.symbols, 11);
  EXPECT_EQ(back.spec.model.token_shift, 1);
  EXPECT_EQ(back.spec.model.answer_shift, 2);
  EXPECT_EQ(values(back.model->params(), 0), values(model->params(), 0));
}

TEST(Import, RefusesWhatItCannotRead) {
  const TempFolder folder;
  const std::string run = folder.path() + "/run", out = folder.path() + "/out";
  make_run(run, "trm");
  export_checkpoint(run, find_layout("trm"), 3, out);
  const auto refused = [](const ImportSource& source) {
    return refusal_of([&] { import_checkpoints(source); });
  };
  EXPECT_NE(refused({"trn", {out}, {}}).find("did you mean 'trm'"), std::string::npos);
  EXPECT_NE(refused({"trm", {out + "/none"}, {}}).find("there is no"), std::string::npos);
  EXPECT_NE(refused({"hrm", {out}, {}}).find("hrm does not read it"), std::string::npos)
      << "config.json sets what only trm has";
  const std::string alone = folder.path() + "/alone.safetensors";
  std::filesystem::copy(out + "/model.safetensors", alone);
  EXPECT_NE(refused({"hrm", {alone}, {"task=sudoku", "data.size=4"}}).find("'H_level.layers.0."),
            std::string::npos);
  EXPECT_NE(refused({"trm", {out}, {"model.layers=2"}}).find("'L_level.layers.1."),
            std::string::npos);
  EXPECT_NE(refused({"trm", {out}, {"model.hidden=20"}}).find("has shape"), std::string::npos);
  EXPECT_NE(refused({"trm", {out, out}, {"seeds=1"}}).find("2 checkpoints for 1 seeds"),
            std::string::npos);
  std::ofstream(folder.path() + "/step_100") << "pickle";
  EXPECT_NE(refused({"trm", {folder.path() + "/step_100"}, {}}).find("convert_pickle.py"),
            std::string::npos);
}

TEST(Export, NamesTheSeedsThereAreAndTheLayoutsThatFit) {
  const TempFolder folder;
  const std::string run = folder.path() + "/run", out = folder.path() + "/out";
  make_run(run, "urm");
  EXPECT_NE(refusal_of([&] { export_checkpoint(run, find_layout("urm"), 4, out); }).find("3, 5"),
            std::string::npos);
  EXPECT_NE(refusal_of([&] {
              export_checkpoint(run, find_layout("trm"), 3, out);
            }).find("no names in layout trm"),
            std::string::npos);
  EXPECT_FALSE(std::filesystem::exists(out)) << "a refused export left files";
}

}  // namespace
}  // namespace sv

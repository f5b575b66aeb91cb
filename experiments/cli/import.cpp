// import and export: checkpoints in the layouts of other projects.
#include <fmt/format.h>

#include "experiments/cli/commands.h"
#include "experiments/cli/keys.h"
#include "experiments/config.h"
#include "experiments/published.h"
#include "experiments/train_run.h"
#include "kernels/cpu/isa.h"
#include "models/train/checkpoint.h"

namespace sv::cli {

int import_run(const Arguments& a) {
  SV_CHECK(!a.layout.empty(), "import needs --layout; `subvocal list layouts` shows them");
  ImportSource source{a.layout, {a.target}, a.overrides};
  source.paths.insert(source.paths.end(), a.files.begin(), a.files.end());
  const Imported imported = import_checkpoints(source);
  const Spec& spec = imported.spec;
  RunStart start;
  start.command = a.command;
  start.argv = a.argv;
  start.isa = std::string(cpu::isa_name(cpu::isa()));
  start.threads = thread_count(a);
  start.seeds.assign(spec.seeds.begin(), spec.seeds.end());
  const std::string path = a.out.empty() ? run_path("runs", "imported-" + a.layout) : a.out;
  RunFolder run = RunFolder::create(path, start, settings_toml(spec), settings_digest(spec));
  SV_CHECK(!run.existed(), "'", path, "' holds a run already: choose another --out");
  save_weights(run.file("model.safetensors"), imported.model->params(), run.spec_digest());
  for (size_t m = 0; m < source.paths.size(); ++m) {
    run.record("imported." + std::to_string(spec.seeds[m]), source.paths[m]);
  }
  run.finish("done");
  fmt::print("{}: {} models of {} ({} parameters each) from {}\nnext: subvocal eval {}\n",
             run.path(),
             spec.seeds.size(),
             spec.model.name,
             imported.model->params().count(),
             a.layout,
             run.path());
  return 0;
}

int export_run(const Arguments& a) {
  SV_CHECK(a.files.size() == 1, "export needs two folders: subvocal export RUN DIR");
  const Spec spec = load_run_spec(a.target);
  ExportKeys keys;
  load_settings(keys, {"", a.overrides});
  SV_CHECK(keys.seed >= 0 || spec.seeds.size() == 1,
           a.target,
           " is a pack of ",
           spec.seeds.size(),
           " models: say which with seed=",
           spec.seeds[0]);
  const int seed = keys.seed >= 0 ? keys.seed : spec.seeds[0];
  const Layout& layout = a.layout.empty() ? layout_of(spec.model) : find_layout(a.layout);
  export_checkpoint(a.target, layout, seed, a.files[0]);
  fmt::print("{}: seed {} of {} in layout {}\n", a.files[0], seed, a.target, layout.name);
  return 0;
}

}  // namespace sv::cli

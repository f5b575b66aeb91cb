// subvocal: reads the command line, runs one command, and is the only place where an error becomes
// an exit code.
#include <unistd.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <map>
#include <new>

#include <omp.h>

#include <fmt/format.h>

#include "core/check.h"
#include "core/nearest.h"
#include "experiments/build_info.h"
#include "experiments/cli/commands.h"
#include "experiments/cli/keys.h"
#include "experiments/signals.h"
#include "kernels/cpu/isa.h"

namespace sv::cli {

int thread_count(const Arguments& a) {
  return a.threads > 0 ? a.threads : omp_get_num_procs();
}

namespace {

struct Command {
  const char* name;
  const char* summary;
  const char* target;  // what the first positional argument is; nullptr: none
  bool target_needed;
  bool keys;      // takes key=value
  bool computes;  // takes --device
  int (*run)(const Arguments&);
  bool files = false;  // takes further words
};

constexpr Command kCommands[] = {
    {"list",
     "tasks, models, objectives, layouts, sites of a model, devices, kernels",
     "tasks | models | objectives | layouts | sites | devices | kernels",
     false,
     true,
     false,
     list},
    {"describe", "one task, model or settings key in full", "NAME", true, false, false, describe},
    {"train", "train a pack of seeds into a run folder", "CONFIG.toml", false, true, true, train},
    {"resume", "go on with an interrupted run, bit for bit", "RUN", true, false, true, resume},
    {"eval", "accuracy and residual against test depth", "RUN", true, true, true, eval},
    {"collect",
     "record states at named sites into HDF5 segments",
     "RUN",
     true,
     true,
     true,
     collect},
    {"lens",
     "the model's own readout at every iteration and position",
     "RUN",
     true,
     true,
     true,
     lens},
    {"probe",
     "linear probe of a named intermediate, with its controls",
     "RUN",
     true,
     true,
     true,
     probe},
    {"generate",
     "write solutions on from the question with kept keys and values",
     "RUN",
     true,
     true,
     false,
     generate},
    {"patch",
     "activation patching between a run and its counterfactual",
     "RUN",
     true,
     true,
     true,
     patch},
    {"dynamics", "residuals and trajectories of the state", "RUN", true, true, true, dynamics},
    {"report", "one HTML file from a run folder's results", "RUN", true, false, false, report},
    {"bench",
     "time an op, the loop or a training step; compare two results",
     "OP | iteration | train | roofline | compare A.json B.json",
     false,
     true,
     true,
     bench},
    {"import",
     "a run from checkpoints of another project's layout, one model each",
     "FILE | DIR ...",
     true,
     true,
     false,
     import_run,
     true},
    {"export",
     "a model of a run as a folder in another project's layout",
     "RUN DIR",
     true,
     true,
     false,
     export_run,
     true},
    {"demo", "train, measure and report in one go", nullptr, false, true, true, demo},
};

/// Positional arguments: the first that is no key=value is the target.
void sort_positionals(const Command& command, const std::vector<std::string>& words, Arguments& a) {
  for (const std::string& word : words) {
    const bool override_word = command.keys && word.find('=') != std::string::npos;
    if (override_word) {
      a.overrides.push_back(word);
    } else if (command.target != nullptr && a.target.empty()) {
      a.target = word;
    } else if (command.files || (a.target == "compare" && std::string(command.name) == "bench")) {
      a.files.push_back(word);
    } else {
      fail("'",
           word,
           "' is not understood; ",
           command.name,
           " takes ",
           command.target != nullptr ? command.target : "no target",
           command.keys ? " and key=value" : "");
    }
  }
  if (command.target_needed && a.target.empty()) {
    fail("subvocal ", command.name, " needs ", command.target);
  }
}

/// The first word is a command; a slip is answered with the nearest one.
void require_known_command(int argc, char** argv) {
  if (argc < 2 || argv[1][0] == '-') {
    return;
  }
  std::vector<std::string> names;
  for (const Command& c : kCommands) {
    names.emplace_back(c.name);
  }
  if (std::find(names.begin(), names.end(), argv[1]) == names.end()) {
    fail("no command '",
         argv[1],
         "'",
         did_you_mean(argv[1], names),
         " (subvocal --help lists them)");
  }
}

int run(int argc, char** argv) {
  CLI::App app{
      "subvocal: train small latent reasoners, run them past their training depth, and see how "
      "their hidden "
      "iterations encode answers"};
  app.set_version_flag(
      "--version",
      "subvocal " + build_info().version + " (" + build_info().commit.substr(0, 12) + ")");
  require_known_command(argc, argv);
  app.require_subcommand(1);
  app.fallthrough();
  Arguments a;
  a.argv.assign(argv, argv + argc);
  std::vector<std::string> words;
  const Command* chosen = nullptr;
  for (const Command& c : kCommands) {
    CLI::App* sub = app.add_subcommand(c.name, c.summary);
    sub->add_option("words",
                    words,
                    c.target != nullptr
                        ? std::string(c.target) + (c.keys ? " and key=value ..." : "")
                        : "key=value ...")
        ->type_name("");
    sub->add_option("--out",
                    a.out,
                    "run folder (train, import, demo), output file (report) or folder (collect, "
                    "bench roofline)");
    if (c.run == import_run || c.run == export_run) {
      sub->add_option(
          "--layout", a.layout, "names and shapes of the files; see `subvocal list layouts`");
    }
    sub->add_option("--seeds", a.seeds, "seeds 0 .. N-1")->check(CLI::Range(1, 1024));
    sub->add_option("--threads", a.threads, "threads; 0 = all cores; bits do not depend on it")
        ->check(CLI::Range(0, 256));
    if (c.computes) {
      sub->add_option(
          "--device",
          a.device,
          "auto, cpu, cuda or cuda:INDEX; auto is the CPU; demo and bench know no other");
      sub->add_option("--cublaslt",
                      a.cublaslt,
                      "auto: on a GPU, large products in tf32 and bf16 by cuBLASLt where it is "
                      "installed; off: all by our kernels")
          ->check(CLI::IsMember({"auto", "off"}));
    }
    sub->add_flag("--quiet", a.quiet, "no progress line");
    sub->add_flag("--reference",
                  a.reference,
                  "plain matrix kernels instead of the vector ones: slow, to check them");
    if (std::string(c.name) == "demo") {
      sub->add_flag("--quick", a.quick, "4x4 Sudoku, within a minute");
      sub->add_flag("--full", a.full, "width 64 instead of 48")->excludes("--quick");
    }
    if (std::string(c.name) == "bench") {
      sub->add_option("--limit", a.limit, "compare: percent slower that is a failure (10)")
          ->check(CLI::Range(0.0, 1e6));
    }
    sub->footer([name = std::string(c.name)] { return keys_help(name); });
    sub->callback([&chosen, &c] { chosen = &c; });
  }
  try {
    app.parse(argc, argv);
  } catch (const CLI::ParseError& e) {
    const int code = app.exit(e);
    return code == 0 ? 0 : static_cast<int>(Exit::input);
  }
  a.command = chosen->name;
  sort_positionals(*chosen, words, a);
  quit_on_signal();
  if (a.reference) {
    cpu::use_isa(cpu::Isa::portable);
  }
  std::unique_ptr<Device> device;  // outlives all that the command makes on it
  if (chosen->computes) {
    device = device_of(a);
    a.device = device ? device->name() : "cpu";
    a.opened = device.get();
  }
  return chosen->run(a);
}

/// libgomp's default is to spin for milliseconds at every barrier; on a machine with other work
/// that makes small ops ten times slower. It reads its settings before main, so they are set for a
/// second start of this very program.
void limit_spinning(char** argv) {
  if (std::getenv("GOMP_SPINCOUNT") == nullptr && std::getenv("OMP_WAIT_POLICY") == nullptr) {
    setenv("GOMP_SPINCOUNT", "2000", 1);
    execv("/proc/self/exe", argv);  // returns only where it cannot be done; then the default stays
  }
}

}  // namespace
}  // namespace sv::cli

int main(int argc, char** argv) {
  sv::cli::limit_spinning(argv);
  try {
    return sv::cli::run(argc, argv);
  } catch (const sv::Error& e) {
    fmt::print(stderr, "subvocal: {}\n", e.what());
    return static_cast<int>(e.exit);
  } catch (const std::bad_alloc&) {
    fmt::print(stderr,
               "subvocal: out of memory; make train.batch, model.width, seeds or data.test_size "
               "smaller\n");
    return static_cast<int>(sv::Exit::environment);
  } catch (const std::exception& e) {
    fmt::print(stderr, "subvocal: {}\n", e.what());
    return static_cast<int>(sv::Exit::environment);
  }
}

#include "experiments/cli/keys.h"

#include <fmt/format.h>

#include "experiments/config.h"
#include "kernels/ops/sized_case.h"

namespace sv::cli {

namespace {

std::string bench_help() {
  std::string text =
      "  bench OP [key=value ...]        time an op and its VJP beside what the machine can do\n"
      "  bench iteration|train [...]     time one iteration of the loop, or a whole training step\n"
      "  bench roofline [--out FOLDER]   time every op at the demo's shape; `subvocal report` "
      "draws\n"
      "  bench compare A.json B.json     ratios of two Google Benchmark files; exit 1 where "
      "slower\n"
      "ops and the dimensions they read:\n";
  for (const cases::SizedOp& op : cases::sized_ops()) {
    text += fmt::format("  {:<18} {} [{}]\n", op.op, op.what, fmt::join(op.reads, " "));
  }
  return text + "keys of an op:\n" + settings_help<OpKeys>() + "keys of iteration and train:\n" +
         settings_help<ModelKeys>();
}

}  // namespace

std::string keys_help(const std::string& command) {
  if (command == "export") {
    return "keys:\n" + settings_help<ExportKeys>();
  }
  if (command == "train" || command == "demo" || command == "list" || command == "import") {
    return "keys (as key=value, or in CONFIG.toml):\n" + settings_help<Spec>();
  }
  if (command == "eval") {
    return "keys:\n" + settings_help<EvalKeys>();
  }
  if (command == "collect") {
    return "keys:\n" + settings_help<CollectKeys>();
  }
  if (command == "lens") {
    return "keys:\n" + settings_help<LensKeys>();
  }
  if (command == "probe") {
    return "keys:\n" + settings_help<ProbeKeys>();
  }
  if (command == "generate") {
    return "keys:\n" + settings_help<GenerateKeys>();
  }
  if (command == "patch") {
    return "keys:\n" + settings_help<PatchKeys>();
  }
  if (command == "dynamics") {
    return "keys:\n" + settings_help<DynamicsKeys>();
  }
  if (command == "bench") {
    return bench_help();
  }
  return "";
}

}  // namespace sv::cli

#include "experiments/cli/keys.h"

#include "experiments/config.h"

namespace sv::cli {

std::string keys_help(const std::string& command) {
  if (command == "train" || command == "demo" || command == "list") {
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
  if (command == "patch") {
    return "keys:\n" + settings_help<PatchKeys>();
  }
  if (command == "dynamics") {
    return "keys:\n" + settings_help<DynamicsKeys>();
  }
  return "";
}

}  // namespace sv::cli

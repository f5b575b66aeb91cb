#include "models/zoo.h"

#include <array>

#include "core/nearest.h"

namespace sv {

namespace {
constexpr std::array kZoo = {
    ZooEntry{"feedforward", "untied control: every update has its own blocks", make_feedforward},
    ZooEntry{"looped", "one to four blocks applied again and again to a state", make_looped},
};
}

std::span<const ZooEntry> zoo() {
  return kZoo;
}

std::unique_ptr<Reasoner> make_reasoner(const ModelArgs& args) {
  std::vector<std::string> known;
  for (const ZooEntry& entry : kZoo) {
    if (entry.name == args.model.name) {
      return entry.make(args);
    }
    known.emplace_back(entry.name);
  }
  fail("no model '", args.model.name, "'", did_you_mean(args.model.name, known));
}

}  // namespace sv

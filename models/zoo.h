// The table of reasoners: one file in models/zoo, one line in models/zoo.cpp.
#pragma once
#include <memory>
#include <span>
#include <string_view>

#include "data/task.h"
#include "models/reasoner.h"
#include "models/settings.h"

namespace sv {

/// All a reasoner is made from. One seed per model of the pack.
struct ModelArgs {
  ModelSettings model;
  TaskSpec task;
  std::vector<uint64_t> seeds;
  DType dtype = DType::f32;
  Device* device = nullptr;  // where the model lives and runs; null: the CPU
};

struct ZooEntry {
  std::string_view name;
  std::string_view summary;
  std::unique_ptr<Reasoner> (*make)(const ModelArgs&);
};

std::unique_ptr<Reasoner> make_looped(const ModelArgs&);
std::unique_ptr<Reasoner> make_feedforward(const ModelArgs&);

/// Sorted by name.
std::span<const ZooEntry> zoo();
/// The reasoner `args.model.name`; an unknown name throws and names the nearest.
std::unique_ptr<Reasoner> make_reasoner(const ModelArgs& args);

}  // namespace sv

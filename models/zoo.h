// The table of reasoners: one file in models/zoo, one line in models/zoo.cpp.
#pragma once
#include <functional>
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
  bool allocate = true;      // false: only to be counted or asked for its parameters' shapes
};

/// Whether a family has a halting score (Reasoner::halt_logit). bound: always, but it is the
/// distance from a bound (ACT), so that its sigmoid means nothing.
enum class HaltScore : uint8_t { none, with_halt_head, always, bound };

struct ZooEntry {
  std::string_view name;
  std::string_view summary;
  std::unique_ptr<Reasoner> (*make)(const ModelArgs&);
  /// Keys of ModelSettings that the family reads besides name, separated by blanks. Another one
  /// that is set is refused.
  std::string_view reads;
  /// The family's published form, "key=value" separated by blanks, with keys of the whole spec
  /// (model.placement=post train.gradient=last:7). What the user sets goes over it.
  std::string_view defaults;
  HaltScore halt = HaltScore::none;

  bool reads_key(std::string_view key) const;
  /// Calls f(key, value) for every default.
  void for_each_default(
      const std::function<void(std::string_view key, std::string_view value)>& f) const;
  bool has_halt_score(const ModelSettings& s) const {
    return halt == HaltScore::bound || has_halt_probability(s);
  }
  /// The sigmoid of the score is the probability of halting now.
  bool has_halt_probability(const ModelSettings& s) const {
    return halt == HaltScore::always || (halt == HaltScore::with_halt_head && s.halt_head);
  }
};

std::unique_ptr<Reasoner> make_deep_thinking(const ModelArgs&);
std::unique_ptr<Reasoner> make_deq(const ModelArgs&);
std::unique_ptr<Reasoner> make_exit_gate(const ModelArgs&);
std::unique_ptr<Reasoner> make_feedforward(const ModelArgs&);
std::unique_ptr<Reasoner> make_gru(const ModelArgs&);
std::unique_ptr<Reasoner> make_hrm(const ModelArgs&);
std::unique_ptr<Reasoner> make_looped(const ModelArgs&);
std::unique_ptr<Reasoner> make_mixture_of_recursions(const ModelArgs&);
std::unique_ptr<Reasoner> make_ponder(const ModelArgs&);
std::unique_ptr<Reasoner> make_recurrent_depth(const ModelArgs&);
std::unique_ptr<Reasoner> make_thought_machine(const ModelArgs&);
std::unique_ptr<Reasoner> make_trm(const ModelArgs&);
std::unique_ptr<Reasoner> make_universal(const ModelArgs&);

/// Sorted by name.
std::span<const ZooEntry> zoo();
/// The entry, or nullptr.
const ZooEntry* find_family(std::string_view name);
/// Model settings in the family's published form; an unknown name throws and names the nearest.
ModelSettings family_settings(std::string_view name);
/// The reasoner `args.model.name`; an unknown name throws and names the nearest.
std::unique_ptr<Reasoner> make_reasoner(const ModelArgs& args);

}  // namespace sv

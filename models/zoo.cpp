#include "models/zoo.h"

#include <algorithm>
#include <array>

#include "core/nearest.h"

namespace sv {

namespace {

#define SV_ATTENTION_KEYS "qk_bias qk_norm rope_pairs"
// Keys of families whose update is made of transformer blocks with input injection.
#define SV_BLOCK_KEYS                                                                    \
  "width layers heads kv_heads hidden mlp norm placement positions rope_base mask init " \
  "injection without_injection state_norm " SV_ATTENTION_KEYS

// Keys of hrm and trm, and what both are trained with.
#define SV_RECURSIVE_KEYS                                                                      \
  "width layers heads kv_heads hidden mlp norm placement positions rope_base mask init inner " \
  "prefix puzzles halt_head symbols token_shift answer_shift"
#define SV_RECURSIVE_RECIPE                                                          \
  "train.supervision=rows train.loss=stablemax train.segments=16 train.explore=0.1 " \
  "train.optimiser=adam_atan2 train.clip=0"

constexpr std::array kZoo = {
    ZooEntry{"deep_thinking",
             "recurrent convolutional net with recall, for inputs of any size",
             make_deep_thinking,
             "width layers injection dimensions",
             "model.width=64 model.layers=2 model.injection=concat depth.train=30 "
             "train.supervision=progressive train.lr=0.001 train.weight_decay=0"},
    ZooEntry{"deq",
             "deep equilibrium model: a fixed point by a solver, with implicit gradient",
             make_deq,
             "width layers heads kv_heads hidden mlp norm placement positions rope_base mask init "
             "injection solver solver_memory damping",
             "model.placement=post model.solver=anderson depth.train=30 "
             "train.gradient=implicit:30 train.penalty=0"},
    ZooEntry{"exit_gate",
             "looped blocks without injection and a gate that says after which loop to stop (Ouro)",
             make_exit_gate,
             "width layers heads kv_heads hidden mlp norm placement positions rope_base mask "
             "embedding_scale tied_head symbols halt_head halt_bias gate " SV_ATTENTION_KEYS,
             "model.placement=branch model.positions=rope model.rope_base=1000000 "
             "model.halt_head=true model.halt_bias=-1 depth.train=4 train.supervision=expected "
             "train.prior=uniform train.kl_weight=0.1",
             HaltScore::with_halt_head},
    ZooEntry{"feedforward",
             "untied control: every update has its own blocks",
             make_feedforward,
             SV_BLOCK_KEYS " depth match",
             ""},
    ZooEntry{"gru",
             "recurrent baseline: stacked GRU layers over the sequence, no depth axis",
             make_gru,
             "width depth mask norm positions",
             "model.depth=1 model.positions=none depth.train=1 depth.test=1"},
    ZooEntry{"hrm",
             "two modules, two states, one-step gradient, carried segments, Q head",
             make_hrm,
             SV_RECURSIVE_KEYS,
             "model.norm=rms model.placement=post model.positions=rope model.init=fixed "
             "model.halt_head=true model.prefix=1 model.inner=2 depth.train=2 "
             "train.gradient=one_step " SV_RECURSIVE_RECIPE,
             HaltScore::with_halt_head},
    ZooEntry{"looped",
             "one to four blocks applied again and again to a state",
             make_looped,
             SV_BLOCK_KEYS " prelude coda halt_head",
             "",
             HaltScore::with_halt_head},
    ZooEntry{"mixture_of_recursions",
             "every token its own number of passes, and no work for those that have stopped",
             make_mixture_of_recursions,
             "width layers heads kv_heads hidden mlp norm placement positions mask prelude coda "
             "recursions routing",
             "model.prelude=1 model.coda=1 depth.train=3 train.penalty=0.001"},
    ZooEntry{"ponder",
             "a state that is asked at every update whether to halt, trained on the expected loss",
             make_ponder,
             SV_BLOCK_KEYS " cell memory_tokens halt_bias",
             "model.cell=gru model.norm=layernorm depth.train=20 train.supervision=expected "
             "train.prior=geometric train.prior_rate=0.2 train.kl_weight=0.01 halt.rule=sample",
             HaltScore::always},
    ZooEntry{"recurrent_depth",
             "prelude, looped core and coda from random states (Huginn); decayed states (Parcae)",
             make_recurrent_depth,
             "width layers heads kv_heads hidden mlp norm placement positions rope_base mask init "
             "injection without_injection prelude coda embedding_scale tied_head symbols "
             "init_scale start_depth input_norm readout_map " SV_ATTENTION_KEYS,
             "model.layers=4 model.prelude=2 model.coda=2 model.placement=sandwich "
             "model.injection=concat model.init=random model.positions=rope "
             "model.rope_base=50000 model.rope_pairs=interleaved model.qk_bias=true "
             "model.embedding_scale=true model.tied_head=true depth.train=poisson:32 "
             "train.gradient=last:8"},
    ZooEntry{"thought_machine",
             "continuous thought machine: neurons with memories, read by their synchronisation",
             make_thought_machine,
             "width heads positions memory neuron_hidden pairs",
             "model.width=64 depth.train=10 train.supervision=best_certain train.lr=0.001"},
    ZooEntry{"trm",
             "one module, two states, gradient of the last round; options of EqR, URM and RSM",
             make_trm,
             SV_RECURSIVE_KEYS " states mixer token_hidden token_norm conv damping noise tied_head",
             "model.norm=rms model.placement=post model.positions=rope model.init=fixed "
             "model.halt_head=true model.prefix=16 model.inner=6 depth.train=3 "
             "train.gradient=round train.ema=0.999 " SV_RECURSIVE_RECIPE,
             HaltScore::with_halt_head},
    ZooEntry{"universal",
             "one block again and again, every position until its halting probabilities sum to one",
             make_universal,
             SV_BLOCK_KEYS " cell memory_tokens signals halt_bias act_epsilon",
             "model.norm=layernorm model.placement=post model.mlp=gelu model.positions=none "
             "model.signals=both model.injection=none model.init=input model.state_norm=false "
             "depth.train=12 halt.rule=learned train.halt_weight=0 train.penalty=0.01",
             HaltScore::bound},
};

/// Calls f for every word of a text separated by blanks.
template <class F>
void for_each_word(std::string_view text, F&& f) {
  while (!text.empty()) {
    const size_t end = std::min(text.find(' '), text.size());
    if (end > 0) {
      f(text.substr(0, end));
    }
    text.remove_prefix(std::min(end + 1, text.size()));
  }
}

[[noreturn]] void fail_unknown(std::string_view name) {
  std::vector<std::string> known;
  for (const ZooEntry& entry : kZoo) {
    known.emplace_back(entry.name);
  }
  fail("no model '", name, "'", did_you_mean(name, known));
}

}  // namespace

std::span<const ZooEntry> zoo() {
  return kZoo;
}

const ZooEntry* find_family(std::string_view name) {
  const auto it = std::ranges::find(kZoo, name, &ZooEntry::name);
  return it == kZoo.end() ? nullptr : &*it;
}

bool ZooEntry::reads_key(std::string_view key) const {
  bool found = key == "name";
  for_each_word(reads, [&](std::string_view word) { found = found || word == key; });
  return found;
}

void ZooEntry::for_each_default(
    const std::function<void(std::string_view key, std::string_view value)>& f) const {
  for_each_word(defaults, [&](std::string_view word) {
    const size_t equals = word.find('=');
    f(word.substr(0, equals), word.substr(equals + 1));
  });
}

void ModelSettings::check(Problems& problems) const {
  const ZooEntry* family = find_family(name);
  if (family == nullptr) {
    return;  // an unknown name is a problem of its own
  }
  ModelSettings given = *this;
  ModelSettings plain;
  const std::vector<Field> mine = fields_of(given), defaults = fields_of(plain);
  for (size_t i = 0; i < mine.size(); ++i) {
    if (!family->reads_key(mine[i].key) && value_text(mine[i]) != value_text(defaults[i])) {
      problems.add(mine[i].key,
                   "= " + value_text(mine[i]) + ": " + name + " does not read it; it reads " +
                       std::string(family->reads));
    }
  }
}

ModelSettings family_settings(std::string_view name) {
  const ZooEntry* family = find_family(name);
  if (family == nullptr) {
    fail_unknown(name);
  }
  ModelSettings out;
  out.name = name;
  const std::vector<Field> fields = fields_of(out);
  family->for_each_default([&](std::string_view key, std::string_view value) {
    if (key.starts_with("model.")) {
      const Field* field = find_field(fields, key.substr(6));
      SV_CHECK(field != nullptr, name, ": the default ", key, " is no key");
      const auto wrong = assign_text(*field, value);
      SV_CHECK(!wrong, name, ": the default ", key, " ", *wrong);
    }
  });
  return out;
}

std::unique_ptr<Reasoner> make_reasoner(const ModelArgs& args) {
  const ZooEntry* family = find_family(args.model.name);
  if (family == nullptr) {
    fail_unknown(args.model.name);
  }
  return family->make(args);
}

}  // namespace sv

// TaskOf: what generated and file-backed tasks share. A task says how to draw an instance, what its
// canonical form is and how it is worked out into an example; the split logic is here once.
#pragma once
#include <array>
#include <cstdint>
#include <iomanip>
#include <optional>
#include <sstream>
#include <string>
#include <unordered_set>
#include <utility>
#include <vector>

#include "core/check.h"
#include "core/rng.h"
#include "data/split.h"
#include "data/task.h"

namespace sv {

constexpr const char* split_name(Split split) {
  return split == Split::train ? "train" : split == Split::test ? "test" : "ood";
}

/// An example of the spec's shape: tokens 0, targets, truths and position difficulties -1, full
/// length.
inline Example blank_example(const TaskSpec& spec) {
  const size_t positions = static_cast<size_t>(spec.positions);
  Example e;
  e.tokens.assign(positions, 0);
  e.targets.assign(positions * static_cast<size_t>(spec.target_steps), -1);
  e.position_difficulty.assign(positions, -1);
  e.length = spec.positions;
  for (const TruthSpec& truth : spec.truths) {
    e.truths.emplace_back(positions * static_cast<size_t>(truth.steps), -1);
  }
  return e;
}

/// The entry of truth number k at a step and a position.
inline int32_t& truth_at(Example* e, const TaskSpec& spec, size_t k, int step, int position) {
  return e->truths[k][static_cast<size_t>(step * spec.positions + position)];
}

/// "3 1 0": the usual canonical form of a sequence.
template <class Range>
std::string spelled(const Range& values) {
  std::string text;
  for (const auto v : values) {
    text += std::to_string(v) + ' ';
  }
  return text;
}

/// Channel with values 0..size-1 where position t has value t.
inline Channel counting_channel(std::string name, int size) {
  Channel channel{std::move(name), size, {}};
  for (int t = 0; t < size; ++t) {
    channel.ids.push_back(t);
  }
  return channel;
}

template <class Instance>
class TaskOf : public Task {
 public:
  const TaskSpec& spec() const override { return spec_; }

  int64_t count(Split split) const override {
    const auto& items = items_[static_cast<size_t>(split)];
    return items ? static_cast<int64_t>(items->size()) : -1;
  }

  Example example(Split split, uint64_t seed, uint64_t index) const override {
    const Instance x = instance(split, seed, index);
    Example e = work_out(x);
    e.canonical = canonical(x);
    return e;
  }

 protected:
  /// A candidate, or nothing if this draw fell outside what the split allows. `ood`: larger or
  /// harder.
  virtual std::optional<Instance> draw(RngCursor& rng, bool ood) const = 0;
  virtual std::string canonical(const Instance& x) const = 0;
  /// Tokens, targets, difficulty and truths; `canonical` is filled in by example().
  virtual Example work_out(const Instance& x) const = 0;
  virtual Split split_for(const Instance&, const std::string& form) const { return split_of(form); }

  Instance instance(Split split, uint64_t seed, uint64_t index) const {
    if (const auto& items = items_[static_cast<size_t>(split)]) {
      if (index >= items->size()) {
        fail("task ",
             spec_.name,
             ": split ",
             split_name(split),
             " has ",
             items->size(),
             " examples, asked for number ",
             index);
      }
      return (*items)[index];
    }
    RngCursor rng(Rng(seed, stream_of("task." + spec_.name + "." + split_name(split)), index));
    for (int attempt = 0; attempt < kMaxDraws; ++attempt) {
      std::optional<Instance> x = draw(rng, split == Split::ood);
      if (x && (split == Split::ood || split_for(*x, canonical(*x)) == split)) {
        return *std::move(x);
      }
    }
    fail("task ",
         spec_.name,
         ": no instance of split ",
         split_name(split),
         " in ",
         kMaxDraws,
         " draws; are the options too narrow?");
  }

  /// Train and test come from these instances, by hash.
  void use_items(std::vector<Instance> all) {
    std::vector<Instance> train, test;
    for (Instance& x : all) {
      std::string form = canonical(x);
      (split_for(x, form) == Split::test ? test : train).push_back(std::move(x));
      seen_.insert(std::move(form));
    }
    items_[0] = std::move(train);
    items_[1] = std::move(test);
  }

  /// The ood split is these instances, without those that train or test hold; returns how many were
  /// left out.
  int64_t use_ood_items(std::vector<Instance> all) {
    std::vector<Instance> ood;
    for (Instance& x : all) {
      if (!seen_.contains(canonical(x))) {
        ood.push_back(std::move(x));
      }
    }
    const int64_t left_out = static_cast<int64_t>(all.size() - ood.size());
    items_[2] = std::move(ood);
    return left_out;
  }
  void no_ood() { items_[2].emplace(); }

  /// Mean of measure(instance) over up to `sample` instances of a split, as "66.4 % of 550".
  template <class Measure>
  std::string percent_of(Split split, int64_t sample, const Measure& measure) const {
    const int64_t n = count(split) < 0 ? sample : std::min(sample, count(split));
    double sum = 0;
    for (int64_t i = 0; i < n; ++i) {
      sum += measure(instance(split, 0, static_cast<uint64_t>(i)));
    }
    std::ostringstream text;
    text << std::fixed << std::setprecision(1) << (n > 0 ? 100 * sum / static_cast<double>(n) : 0.0)
         << " % of " << n;
    return text.str();
  }

  TaskSpec spec_;

 private:
  static constexpr int kMaxDraws = 100000;  // a guard against endless loops, not a budget

  std::array<std::optional<std::vector<Instance>>, 3>
      items_;  // by split; absent: generated without end
  std::unordered_set<std::string> seen_;
};

}  // namespace sv

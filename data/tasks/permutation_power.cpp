// Permutation power: one token per node says where f sends it; after loop r every node asks for f^r
// of itself.
#include <algorithm>
#include <bit>

#include "data/task_of.h"
#include "data/task_options.h"

namespace sv {
namespace {

using Permutation = std::vector<int>;

class PermutationPower final : public TaskOf<Permutation> {
 public:
  explicit PermutationPower(const TaskOptions& o) : nodes_(option(o.size, 16, 3, 256, "size")) {
    spec_.name = "permutation_power";
    spec_.positions = spec_.vocab = spec_.answers = nodes_;
    spec_.target_steps = option(o.hops, 32, 1, 256, "hops");
    spec_.coordinates = {counting_channel("node", nodes_)};
    const int doublings = std::bit_width(static_cast<unsigned>(nodes_ - 1));
    spec_.truths = {
        {"doubling", "f^(2^step) of the node, as in pointer doubling", nodes_, doublings, ""},
        {"cycle", "length of the node's cycle (one step)", nodes_ + 1, 1, ""}};
    spec_.difficulty = "longest cycle";
    spec_.max_difficulty = nodes_;
  }
  std::string token_text(int id) const override { return std::to_string(id); }
  /// Two nodes change images; a permutation of one cycle has no such neighbour in its split.
  std::optional<Example> counterfactual(const Example& e,
                                        uint64_t seed,
                                        uint64_t index) const override {
    RngCursor rng(Rng(seed, stream_of("counterfactual.permutation_power"), index));
    const Permutation f(e.tokens.begin(), e.tokens.end());
    for (int attempt = 0; attempt < 64; ++attempt) {
      const auto i = rng.below(static_cast<uint32_t>(nodes_));
      const auto j = rng.below(static_cast<uint32_t>(nodes_));
      Permutation g = f;
      std::swap(g[i], g[j]);
      if (i != j && (cycle_length(f, 0) == nodes_) == (cycle_length(g, 0) == nodes_)) {
        Example out = work_out(g);
        out.canonical = canonical(g);
        return out;
      }
    }
    return std::nullopt;
  }
  std::vector<std::string> notes() const override {
    return {
        "train and test: every permutation but those of one cycle; ood: one cycle through all "
        "nodes"};
  }

 protected:
  std::optional<Permutation> draw(RngCursor& rng, bool ood) const override {
    Permutation order(static_cast<size_t>(nodes_));
    for (int i = 0; i < nodes_; ++i) {
      order[static_cast<size_t>(i)] = i;
    }
    rng.shuffle(order);
    if (!ood) {
      return cycle_length(order, 0) == nodes_ ? std::nullopt : std::optional(order);
    }
    Permutation cycle(order.size());
    for (size_t i = 0; i < order.size(); ++i) {
      cycle[static_cast<size_t>(order[i])] = order[(i + 1) % order.size()];
    }
    return cycle;
  }

  std::string canonical(const Permutation& f) const override { return spelled(f); }

  Example work_out(const Permutation& f) const override {
    Example e = blank_example(spec_);
    for (int i = 0; i < nodes_; ++i) {
      const size_t t = static_cast<size_t>(i);
      e.tokens[t] = f[t];
      e.position_difficulty[t] = cycle_length(f, i);
      e.difficulty = std::max(e.difficulty, e.position_difficulty[t]);
      truth_at(&e, spec_, 1, 0, i) = e.position_difficulty[t];
      int at = i;
      for (int s = 0; s < spec_.target_steps; ++s) {
        at = f[static_cast<size_t>(at)];
        e.targets[static_cast<size_t>(s * nodes_) + t] = at;
      }
    }
    Permutation power = f;
    for (int s = 0; s < spec_.truths[0].steps; ++s) {
      Permutation squared(power.size());
      for (int i = 0; i < nodes_; ++i) {
        truth_at(&e, spec_, 0, s, i) = power[static_cast<size_t>(i)];
        squared[static_cast<size_t>(i)] = power[static_cast<size_t>(power[static_cast<size_t>(i)])];
      }
      power = squared;
    }
    return e;
  }

 private:
  int cycle_length(const Permutation& f, int start) const {
    int length = 1;
    for (int at = f[static_cast<size_t>(start)]; at != start; at = f[static_cast<size_t>(at)]) {
      ++length;
    }
    return length;
  }

  int nodes_;
};

}  // namespace

std::shared_ptr<const Task> make_permutation_power(const TaskOptions& options) {
  return std::make_shared<PermutationPower>(options);
}

}  // namespace sv

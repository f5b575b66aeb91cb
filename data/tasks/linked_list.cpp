// Linked lists: one token per node says which node it points to; every node asks for the end of its
// list.
#include <algorithm>

#include "data/task_of.h"
#include "data/task_options.h"

namespace sv {
namespace {

using Pointers = std::vector<int>;  // next[i]; an end points to itself

class LinkedList final : public TaskOf<Pointers> {
 public:
  explicit LinkedList(const TaskOptions& o)
      : nodes_(option(o.size, 16, 6, 256, "size")),
        hops_(option(o.hops, std::min(8, nodes_ - 2), 1, nodes_ - 2, "hops")) {
    spec_.name = "linked_list";
    spec_.positions = spec_.vocab = spec_.answers = nodes_;
    spec_.coordinates = {counting_channel("node", nodes_)};
    spec_.truths = {
        {"ahead", "node step+1 hops ahead, where that is not yet the end", nodes_, hops_, ""}};
    spec_.difficulty = "hops to the end";
    spec_.max_difficulty = nodes_ - 1;
  }
  std::string token_text(int id) const override { return std::to_string(id); }
  /// One node with a successor points to the head of another list instead: the number of lists
  /// stays. A single list has no such neighbour.
  std::optional<Example> counterfactual(const Example& e,
                                        uint64_t seed,
                                        uint64_t index) const override {
    Pointers next(e.tokens.begin(), e.tokens.end());
    std::vector<bool> head(next.size(), true);
    std::vector<std::pair<int, int>> edges;  // node, new successor
    for (int i = 0; i < nodes_; ++i) {
      const int to = next[static_cast<size_t>(i)];
      if (to != i) {
        head[static_cast<size_t>(to)] = false;
      }
    }
    for (int i = 0; i < nodes_; ++i) {
      for (int h = 0; next[static_cast<size_t>(i)] != i && h < nodes_; ++h) {
        if (head[static_cast<size_t>(h)] &&
            e.targets[static_cast<size_t>(h)] != e.targets[static_cast<size_t>(i)]) {
          edges.emplace_back(i, h);
        }
      }
    }
    if (edges.empty()) {
      return std::nullopt;
    }
    const Rng rng(seed, stream_of("counterfactual.linked_list"), index);
    const auto [node, to] = edges[rng.below(0, static_cast<uint32_t>(edges.size()))];
    next[static_cast<size_t>(node)] = to;
    Example out = work_out(next);
    out.canonical = canonical(next);
    return out;
  }
  std::vector<std::string> notes() const override {
    return {"train and test: 2 to 4 lists a graph; ood: one list through all nodes"};
  }

 protected:
  std::optional<Pointers> draw(RngCursor& rng, bool ood) const override {
    // Lists are the pieces of a random order of the nodes, cut at random places: every composition
    // is equally likely.
    const int lists = ood ? 1 : 2 + static_cast<int>(rng.below(3));
    std::vector<int> order(static_cast<size_t>(nodes_)), cuts(static_cast<size_t>(nodes_ - 1));
    for (int i = 0; i < nodes_; ++i) {
      order[static_cast<size_t>(i)] = i;
    }
    for (int i = 0; i + 1 < nodes_; ++i) {
      cuts[static_cast<size_t>(i)] = i < lists - 1 ? 1 : 0;  // a cut behind place i
    }
    rng.shuffle(order);
    rng.shuffle(cuts);
    Pointers next(order.size());
    for (size_t i = 0; i < order.size(); ++i) {
      const bool end = i + 1 == order.size() || cuts[i] == 1;
      next[static_cast<size_t>(order[i])] = end ? order[i] : order[i + 1];
    }
    return next;
  }

  std::string canonical(const Pointers& next) const override { return spelled(next); }

  Example work_out(const Pointers& next) const override {
    Example e = blank_example(spec_);
    for (int i = 0; i < nodes_; ++i) {
      const size_t t = static_cast<size_t>(i);
      e.tokens[t] = next[t];
      std::vector<int> passed;
      int at = i;
      while (next[static_cast<size_t>(at)] != at) {
        at = next[static_cast<size_t>(at)];
        passed.push_back(at);
      }
      e.targets[t] = at;
      e.position_difficulty[t] = static_cast<int>(passed.size());
      e.difficulty = std::max(e.difficulty, e.position_difficulty[t]);
      for (int s = 0; s < std::min(hops_, static_cast<int>(passed.size()) - 1); ++s) {
        truth_at(&e, spec_, 0, s, i) = passed[static_cast<size_t>(s)];
      }
    }
    return e;
  }

 private:
  int nodes_, hops_;
};

}  // namespace

std::shared_ptr<const Task> make_linked_list(const TaskOptions& options) {
  return std::make_shared<LinkedList>(options);
}

}  // namespace sv

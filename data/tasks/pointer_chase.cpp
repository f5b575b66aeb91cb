// Pointer chase: one token per node, its pointer in a random function f. Form dense: after loop r
// every node asks for f^r of itself. Form hop_token: two more tokens name a start and a number of
// hops, and one answer is asked.
#include <algorithm>

#include "data/task_of.h"
#include "data/task_options.h"

namespace sv {
namespace {

struct Chase {
  std::vector<int> next;
  int start = 0, hops = 0;  // form hop_token
};

class PointerChase final : public TaskOf<Chase> {
 public:
  explicit PointerChase(const TaskOptions& o)
      : hop_token_(choose_form(o.form, {"dense", "hop_token"}) == 1),
        nodes_(option(o.size, 16, 4, 256, "size")),
        hops_(option(o.hops, hop_token_ ? 4 : 32, 1, 256, "hops")) {
    spec_.name = "pointer_chase";
    spec_.positions = nodes_ + (hop_token_ ? 2 : 0);
    spec_.vocab = nodes_ + (hop_token_ ? hops_ : 0);
    spec_.answers = nodes_;
    spec_.target_steps = hop_token_ ? 1 : hops_;
    spec_.coordinates = {counting_channel("node", spec_.positions)};
    const char* help =
        hop_token_ ? "node step+1 hops from the start, before the last hop; answer position only"
                   : "node step+1 hops ahead";
    spec_.truths = {{"ahead", help, nodes_, std::min(hops_, 8), ""}};
    spec_.difficulty = hop_token_ ? "hops" : "longest path without a repeated node";
    spec_.max_difficulty = hop_token_ ? hops_ : nodes_;
  }
  std::string token_text(int id) const override {
    return id < nodes_ ? std::to_string(id) : "x" + std::to_string(id - nodes_ + 1);
  }
  std::vector<std::string> notes() const override {
    return {"train and test: no path of more than " + std::to_string(nodes_ / 2) +
            " different nodes; ood: every graph has one"};
  }

 protected:
  std::optional<Chase> draw(RngCursor& rng, bool ood) const override {
    Chase x;
    for (int i = 0; i < nodes_; ++i) {
      x.next.push_back(static_cast<int>(rng.below(static_cast<uint32_t>(nodes_))));
    }
    if (ood && nodes_ > 8) {
      plant_long_path(rng, &x.next);
    }
    x.start = hop_token_ ? static_cast<int>(rng.below(static_cast<uint32_t>(nodes_))) : 0;
    x.hops = hop_token_ ? 1 + static_cast<int>(rng.below(static_cast<uint32_t>(hops_))) : 0;
    int longest = 0;
    for (int i = 0; i < nodes_; ++i) {
      longest = std::max(longest, different_nodes(x.next, i));
    }
    return ood == (longest > nodes_ / 2) ? std::optional(x) : std::nullopt;
  }

  std::string canonical(const Chase& x) const override {
    return spelled(x.next) + "| " + std::to_string(x.start) + " " + std::to_string(x.hops);
  }

  Example work_out(const Chase& x) const override {
    Example e = blank_example(spec_);
    const auto step = [&](int node) { return x.next[static_cast<size_t>(node)]; };
    for (int i = 0; i < nodes_; ++i) {
      const size_t t = static_cast<size_t>(i);
      e.tokens[t] = step(i);
      if (hop_token_) {
        continue;
      }
      e.position_difficulty[t] = different_nodes(x.next, i);
      e.difficulty = std::max(e.difficulty, e.position_difficulty[t]);
      int at = i;
      for (int s = 0; s < hops_; ++s) {
        at = step(at);
        e.targets[static_cast<size_t>(s * nodes_) + t] = at;
        if (s < spec_.truths[0].steps) {
          truth_at(&e, spec_, 0, s, i) = at;
        }
      }
    }
    if (hop_token_) {
      ask_one(x, &e);
    }
    return e;
  }

 private:
  void ask_one(const Chase& x, Example* e) const {
    const size_t answer = static_cast<size_t>(nodes_ + 1);
    e->tokens[answer - 1] = x.start;
    e->tokens[answer] = nodes_ + x.hops - 1;
    int at = x.start;
    for (int s = 0; s < x.hops; ++s) {
      at = x.next[static_cast<size_t>(at)];
      if (s + 1 < x.hops && s < spec_.truths[0].steps) {
        truth_at(e, spec_, 0, s, nodes_ + 1) = at;
      }
    }
    e->targets[answer] = at;
    e->position_difficulty[answer] = e->difficulty = x.hops;
  }

  int different_nodes(const std::vector<int>& next, int start) const {
    std::vector<bool> seen(next.size(), false);
    int count = 0;
    for (int at = start; !seen[static_cast<size_t>(at)]; at = next[static_cast<size_t>(at)]) {
      seen[static_cast<size_t>(at)] = true;
      ++count;
    }
    return count;
  }

  /// A path through more than half of the nodes, of random length, over the random pointers.
  void plant_long_path(RngCursor& rng, std::vector<int>* next) const {
    std::vector<int> order(static_cast<size_t>(nodes_));
    for (int i = 0; i < nodes_; ++i) {
      order[static_cast<size_t>(i)] = i;
    }
    rng.shuffle(order);
    const int extra = static_cast<int>(rng.below(static_cast<uint32_t>(nodes_ - nodes_ / 2)));
    for (size_t i = 0; i < static_cast<size_t>(nodes_ / 2 + extra); ++i) {
      (*next)[static_cast<size_t>(order[i])] = order[i + 1];
    }
  }

  bool hop_token_;
  int nodes_, hops_;
};

}  // namespace

std::shared_ptr<const Task> make_pointer_chase(const TaskOptions& options) {
  return std::make_shared<PointerChase>(options);
}

}  // namespace sv

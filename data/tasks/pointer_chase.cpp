// Pointer chase: one token per node, its pointer in a random function f. Form dense: after loop r
// every node asks for f^r of itself. Form hop_token: two more tokens name a start and a number of
// hops, and one answer is asked. Form steps: the same question, with the nodes passed written out.
#include <algorithm>

#include "data/task_of.h"
#include "data/task_options.h"
#include "data/written.h"

namespace sv {
namespace {

struct Chase {
  std::vector<int> next;
  int start = 0, hops = 0;  // forms hop_token and steps
};

class PointerChase final : public TaskOf<Chase> {
  enum Form : int { kDense, kHopToken, kSteps };

 public:
  explicit PointerChase(const TaskOptions& o)
      : form_(choose_form(o.form, {"dense", "hop_token", "steps"})),
        nodes_(option(o.size, 16, 4, 256, "size")),
        hops_(option(o.hops, one_answer() ? 4 : 32, 1, 256, "hops")) {
    spec_.name = "pointer_chase";
    spec_.answers = nodes_;
    if (form_ == kSteps) {
      describe_written(nodes_ + 2 + hops_ + 3, nodes_ + hops_, hops_ - 1, &spec_);
    } else {
      spec_.positions = nodes_ + (one_answer() ? 2 : 0);
      spec_.vocab = nodes_ + (one_answer() ? hops_ : 0);
      spec_.coordinates = {counting_channel("node", spec_.positions)};
    }
    spec_.target_steps = one_answer() ? 1 : hops_;
    const char* help = form_ == kDense ? "node step+1 hops ahead"
                                       : "node step+1 hops from the start, before the last hop; "
                                         "where the answer (steps: also the first step) is asked";
    spec_.truths = {{"ahead", help, nodes_, std::min(hops_, 8), ""}};
    spec_.difficulty = one_answer() ? "hops" : "longest path without a repeated node";
    spec_.max_difficulty = one_answer() ? hops_ : nodes_;
  }
  std::string token_text(int id) const override {
    if (form_ == kSteps && mark_text(id)) {
      return *mark_text(id);
    }
    id -= first_node();
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
    x.start = one_answer() ? static_cast<int>(rng.below(static_cast<uint32_t>(nodes_))) : 0;
    x.hops = one_answer() ? 1 + static_cast<int>(rng.below(static_cast<uint32_t>(hops_))) : 0;
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
    if (form_ == kSteps) {
      return write_steps(x);
    }
    Example e = blank_example(spec_);
    std::copy(x.next.begin(), x.next.end(), e.tokens.begin());
    form_ == kDense ? ask_all(x, &e) : ask_one(x, &e);
    return e;
  }

 private:
  bool one_answer() const { return form_ != kDense; }
  int first_node() const { return form_ == kSteps ? kFirstSymbol : 0; }

  void ask_all(const Chase& x, Example* e) const {
    for (int i = 0; i < nodes_; ++i) {
      const size_t t = static_cast<size_t>(i);
      e->position_difficulty[t] = different_nodes(x.next, i);
      e->difficulty = std::max(e->difficulty, e->position_difficulty[t]);
      int at = i;
      for (int s = 0; s < hops_; ++s) {
        at = x.next[static_cast<size_t>(at)];
        e->targets[static_cast<size_t>(s * nodes_) + t] = at;
        if (s < spec_.truths[0].steps) {
          truth_at(e, spec_, 0, s, i) = at;
        }
      }
    }
  }

  void ask_one(const Chase& x, Example* e) const {
    const size_t answer = static_cast<size_t>(nodes_ + 1);
    e->tokens[answer - 1] = x.start;
    e->tokens[answer] = nodes_ + x.hops - 1;
    e->targets[answer] = path_of(x).back();
    mark(path_of(x), nodes_ + 1, e);
    e->position_difficulty[answer] = e->difficulty = x.hops;
  }

  Example write_steps(const Chase& x) const {
    Written w{x.next, {}, {}};
    w.question.insert(w.question.end(), {x.start, nodes_ + x.hops - 1});
    for (int32_t& symbol : w.question) {
      symbol += kFirstSymbol;
    }
    const std::vector<int> path = path_of(x);
    for (size_t k = 0; k + 1 < path.size(); ++k) {
      w.steps.push_back({kFirstSymbol + path[k]});
    }
    w.answer = {kFirstSymbol + path.back()};
    Example e = write_out(spec_, w);
    mark(path, place_of(e, kThinkMark), &e);
    mark(path, place_of(e, kAnswerMark), &e);
    e.difficulty = x.hops;
    return e;
  }

  /// Nodes after each hop.
  std::vector<int> path_of(const Chase& x) const {
    std::vector<int> path;
    for (int s = 0, at = x.start; s < x.hops; ++s) {
      path.push_back(at = x.next[static_cast<size_t>(at)]);
    }
    return path;
  }

  void mark(const std::vector<int>& path, int t, Example* e) const {
    for (int s = 0; s < std::min(spec_.truths[0].steps, static_cast<int>(path.size()) - 1); ++s) {
      truth_at(e, spec_, 0, s, t) = path[static_cast<size_t>(s)];
    }
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

  int form_, nodes_, hops_;
};

}  // namespace

std::shared_ptr<const Task> make_pointer_chase(const TaskOptions& options) {
  return std::make_shared<PointerChase>(options);
}

}  // namespace sv

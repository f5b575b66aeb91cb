// Two hops through facts learned by heart: (head, relation) names a tail in one fixed world, and
// (head, relation, relation) the tail of the tail, over a bridge that is never named. The setting
// in which implicit two-hop reasoning appears late in training (Wang et al., "Grokked transformers
// are implicit reasoners", arXiv 2405.15071): all facts are trained on, most compositions too; test
// holds compositions never shown, ood those of facts that training shows only alone.
#include <algorithm>

#include "data/task_of.h"
#include "data/task_options.h"

namespace sv {
namespace {

struct Fact {
  int head = 0;
  std::array<int, 2> relation{};
  bool composed = false;
};

class TwoHop final : public TaskOf<Fact> {
 public:
  explicit TwoHop(const TaskOptions& o)
      : entities_(option(o.size, 100, 8, 1024, "size")),
        relations_(option(o.relations, 10, 2, 32, "relations")) {
    RngCursor rng(Rng(0, stream_of("task.two_hop.world")));
    for (int i = 0; i < entities_ * relations_; ++i) {
      tail_.push_back(static_cast<int>(rng.below(static_cast<uint32_t>(entities_))));
    }
    describe();
    std::vector<Fact> known, composed, systematic;
    for (int head = 0; head < entities_; ++head) {
      for (int r = 0; r < relations_; ++r) {
        known.push_back({head, {r, 0}, false});
        for (int second = 0; second < relations_; ++second) {
          const bool alone = only_alone(head, r), too = only_alone(tail(head, r), second);
          if (alone == too) {
            (alone ? systematic : composed).push_back({head, {r, second}, true});
          }
        }
      }
    }
    facts_ = std::ssize(known);
    rng.shuffle(composed);  // so that any number of them is a fair choice
    known.insert(known.end(), composed.begin(), composed.end());
    use_items(std::move(known));
    use_ood_items(std::move(systematic));
  }

  std::string token_text(int id) const override {
    return id == 0           ? "_"
           : id <= entities_ ? "e" + std::to_string(id - 1)
                             : "r" + std::to_string(id - entities_ - 1);
  }
  std::string answer_text(int id) const override { return token_text(id + 1); }
  std::vector<std::string> notes() const override {
    return {"the first " + std::to_string(facts_) +
            " training examples are the facts; train_size beyond them is how many compositions are "
            "shown (all: " +
            std::to_string(count(Split::train) - facts_) +
            "). One fact in eight is shown only alone: ood composes two of those"};
  }
  /// Another head, with the same relations and another answer.
  std::optional<Example> counterfactual(const Example& e,
                                        uint64_t seed,
                                        uint64_t index) const override {
    Fact x{e.tokens[0] - 1,
           {e.tokens[1] - entities_ - 1, e.length == 3 ? e.tokens[2] - entities_ - 1 : 0},
           e.length == 3};
    std::vector<int> heads;
    for (int head = 0; head < entities_; ++head) {
      if (answer({head, x.relation, x.composed}) != answer(x)) {
        heads.push_back(head);
      }
    }
    if (heads.empty()) {
      return std::nullopt;
    }
    const Rng rng(seed, stream_of("counterfactual.two_hop"), index);
    x.head = heads[rng.below(0, static_cast<uint32_t>(heads.size()))];
    Example out = work_out(x);
    out.canonical = canonical(x);
    return out;
  }

 protected:
  std::optional<Fact> draw(RngCursor&, bool) const override { return std::nullopt; }  // all listed

  std::string canonical(const Fact& x) const override {
    return fact_text(x.head, x.relation[0]) +
           (x.composed ? " " + std::to_string(x.relation[1]) : "");
  }

  Split split_for(const Fact& x, const std::string& form) const override {
    return x.composed ? split_of(form) : Split::train;
  }

  Example work_out(const Fact& x) const override {
    Example e = blank_example(spec_);
    e.length = x.composed ? 3 : 2;
    e.difficulty = x.composed ? 2 : 1;
    e.tokens[0] = 1 + x.head;
    e.tokens[1] = 1 + entities_ + x.relation[0];
    if (x.composed) {
      e.tokens[2] = 1 + entities_ + x.relation[1];
      truth_at(&e, spec_, 0, 0, 1) = truth_at(&e, spec_, 0, 0, 2) = tail(x.head, x.relation[0]);
    }
    const size_t last = static_cast<size_t>(e.length - 1);
    e.targets[last] = answer(x);
    e.position_difficulty[last] = e.difficulty;
    return e;
  }

 private:
  void describe() {
    spec_.name = "two_hop";
    spec_.positions = 3;
    spec_.vocab = 1 + entities_ + relations_;
    spec_.answers = entities_;
    spec_.causal = true;
    spec_.truths = {{"bridge",
                     "entity between the two hops, at both relations of a composition (one step)",
                     entities_,
                     1,
                     ""}};
    spec_.difficulty = "hops";
    spec_.max_difficulty = 2;
  }

  int tail(int head, int relation) const {
    return tail_[static_cast<size_t>(head * relations_ + relation)];
  }
  int answer(const Fact& x) const {
    const int first = tail(x.head, x.relation[0]);
    return x.composed ? tail(first, x.relation[1]) : first;
  }
  static std::string fact_text(int head, int relation) {
    return std::to_string(head) + " " + std::to_string(relation);
  }
  /// One fact in eight occurs in no composition of training or test.
  static bool only_alone(int head, int relation) {
    return canonical_hash("alone " + fact_text(head, relation)) % 8 == 0;
  }

  int entities_, relations_;
  std::vector<int> tail_;  // (head, relation)
  int64_t facts_ = 0;
};

}  // namespace

std::shared_ptr<const Task> make_two_hop(const TaskOptions& options) {
  return std::make_shared<TwoHop>(options);
}

}  // namespace sv

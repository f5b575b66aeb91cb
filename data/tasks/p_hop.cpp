// p-hop induction: p times go to the previous occurrence of the current letter and one position on;
// the letter reached is the answer. Asked at every position at once, each reading itself as the end
// of the string.
#include <algorithm>

#include "data/task_of.h"
#include "data/task_options.h"

namespace sv {
namespace {

using Letters = std::vector<int>;

inline constexpr int kLetters = 4;

class PHop final : public TaskOf<Letters> {
 public:
  explicit PHop(const TaskOptions& o)
      : every_loop_(choose_form(o.form, {"final", "every_loop"}) == 1),
        size_(option(o.size, 32, 8, 1024, "size")),
        ood_size_(option(o.ood_size, 2 * size_, size_, 2048, "ood_size")),
        hops_(option(o.hops, every_loop_ ? 8 : 3, 1, 64, "hops")) {
    spec_.name = "p_hop";
    spec_.positions = ood_size_;
    spec_.vocab = spec_.answers = kLetters;
    spec_.target_steps = every_loop_ ? hops_ : 1;
    spec_.causal = true;
    spec_.truths = {{"letter", "letter after step+1 hops", kLetters, hops_, ""},
                    {"place", "position after step+1 hops", ood_size_, hops_, ""}};
    spec_.difficulty = "positions travelled back";
    spec_.max_difficulty = ood_size_;
    if (ood_size_ == size_) {
      no_ood();
    }
  }
  std::string token_text(int id) const override {
    return std::string(1, static_cast<char>('a' + id));
  }
  std::vector<std::string> notes() const override {
    return {"no answer is asked where the chain of hops runs out of earlier occurrences"};
  }

 protected:
  std::optional<Letters> draw(RngCursor& rng, bool ood) const override {
    const int extra =
        ood ? 1 + static_cast<int>(rng.below(static_cast<uint32_t>(ood_size_ - size_))) : 0;
    Letters x{static_cast<int>(rng.below(kLetters))};
    while (static_cast<int>(x.size()) < size_ + extra) {
      // Never the same letter twice in a row: a hop would lead back to where it started.
      x.push_back((x.back() + 1 + static_cast<int>(rng.below(kLetters - 1))) % kLetters);
    }
    return x;
  }

  std::string canonical(const Letters& x) const override { return spelled(x); }

  Example work_out(const Letters& x) const override {
    Example e = blank_example(spec_);
    e.length = static_cast<int>(x.size());
    std::vector<int> hop(x.size(), -1);  // of each position; -1: no earlier occurrence
    std::vector<int> last(kLetters, -1);
    for (int t = 0; t < e.length; ++t) {
      int& previous = last[static_cast<size_t>(x[static_cast<size_t>(t)])];
      hop[static_cast<size_t>(t)] = previous < 0 ? -1 : previous + 1;
      previous = t;
      e.tokens[static_cast<size_t>(t)] = x[static_cast<size_t>(t)];
    }
    for (int t = 0; t < e.length; ++t) {
      int at = t;
      for (int s = 0; s < hops_ && (at = hop[static_cast<size_t>(at)]) >= 0; ++s) {
        truth_at(&e, spec_, 0, s, t) = x[static_cast<size_t>(at)];
        truth_at(&e, spec_, 1, s, t) = at;
        if (every_loop_ || s + 1 == hops_) {
          e.targets[static_cast<size_t>((every_loop_ ? s : 0) * spec_.positions + t)] =
              x[static_cast<size_t>(at)];
        }
        if (s + 1 == hops_) {
          e.position_difficulty[static_cast<size_t>(t)] = t - at;
          e.difficulty = std::max(e.difficulty, t - at);
        }
      }
    }
    return e;
  }

 private:
  bool every_loop_;
  int size_, ood_size_, hops_;
};

}  // namespace

std::shared_ptr<const Task> make_p_hop(const TaskOptions& options) {
  return std::make_shared<PHop>(options);
}

}  // namespace sv

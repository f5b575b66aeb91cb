// Parity of a vector of -1, 0 and +1: how many +1 there are, odd or even, asked once at the end. As
// in Graves, "Adaptive computation time for recurrent neural networks" (2016), and PonderNet
// (Banino et al., 2021), where k, the number of entries that are not 0, is drawn first and training
// stays below some k.
#include "data/task_of.h"
#include "data/task_options.h"

namespace sv {
namespace {

using Entries = std::vector<int>;

class Parity final : public TaskOf<Entries> {
  enum Symbol : int { kZero, kPlus, kMinus, kAsk };

 public:
  explicit Parity(const TaskOptions& o)
      : size_(option(o.size, 16, 2, 1024, "size")),
        hops_(option(o.hops, std::min(size_ / 2, 256), 1, size_, "hops")) {
    spec_.name = "parity";
    spec_.positions = size_ + 1;
    spec_.vocab = 4;
    spec_.answers = 2;
    spec_.causal = true;
    spec_.truths = {{"running", "parity of the +1 up to here (one step)", 2, 1, ""}};
    spec_.difficulty = "entries that are not 0";
    spec_.max_difficulty = size_;
    if (hops_ == size_) {
      no_ood();
    }
  }
  std::string token_text(int id) const override { return std::string(1, "0+-="[id]); }
  std::string answer_text(int id) const override { return id == 1 ? "odd" : "even"; }
  std::vector<std::string> notes() const override {
    return {"train and test: at most " + std::to_string(hops_) + " of " + std::to_string(size_) +
            " entries are not 0; ood: more"};
  }
  /// One entry that is not 0 changes its sign.
  std::optional<Example> counterfactual(const Example& e,
                                        uint64_t seed,
                                        uint64_t index) const override {
    Entries x(e.tokens.begin(), e.tokens.end() - 1);
    std::vector<size_t> places;
    for (size_t i = 0; i < x.size(); ++i) {
      if (x[i] != kZero) {
        places.push_back(i);
      }
    }
    const Rng rng(seed, stream_of("counterfactual.parity"), index);
    int& entry = x[places[rng.below(0, static_cast<uint32_t>(places.size()))]];
    entry = entry == kPlus ? kMinus : kPlus;
    Example out = work_out(x);
    out.canonical = canonical(x);
    return out;
  }

 protected:
  std::optional<Entries> draw(RngCursor& rng, bool ood) const override {
    const int low = ood ? hops_ + 1 : 1, high = ood ? size_ : hops_;
    const int k = low + static_cast<int>(rng.below(static_cast<uint32_t>(high - low + 1)));
    Entries x(static_cast<size_t>(size_), kZero);
    for (int i = 0; i < k; ++i) {
      x[static_cast<size_t>(i)] = rng.below(2) == 0 ? kPlus : kMinus;
    }
    rng.shuffle(x);
    return x;
  }

  std::string canonical(const Entries& x) const override { return spelled(x); }

  Example work_out(const Entries& x) const override {
    Example e = blank_example(spec_);
    int odd = 0;
    for (int t = 0; t < size_; ++t) {
      const int entry = e.tokens[static_cast<size_t>(t)] = x[static_cast<size_t>(t)];
      e.difficulty += entry == kZero ? 0 : 1;
      odd ^= entry == kPlus ? 1 : 0;
      truth_at(&e, spec_, 0, 0, t) = odd;
    }
    e.tokens.back() = kAsk;
    e.targets.back() = odd;
    e.position_difficulty.back() = e.difficulty;
    return e;
  }

 private:
  int size_, hops_;
};

}  // namespace

std::shared_ptr<const Task> make_parity(const TaskOptions& options) {
  return std::make_shared<Parity>(options);
}

}  // namespace sv

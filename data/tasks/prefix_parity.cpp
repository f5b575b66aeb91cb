// Prefix parity: a bit string; every position asks for the parity of the ones up to and including
// it.
#include <algorithm>
#include <bit>

#include "data/task_of.h"
#include "data/task_options.h"

namespace sv {
namespace {

using Bits = std::vector<int>;

class PrefixParity final : public TaskOf<Bits> {
 public:
  explicit PrefixParity(const TaskOptions& o)
      : size_(option(o.size, 16, 2, 1024, "size")),
        ood_size_(option(o.ood_size, 2 * size_, size_, 2048, "ood_size")) {
    spec_.name = "prefix_parity";
    spec_.positions = ood_size_;
    spec_.vocab = spec_.answers = 2;
    spec_.causal = true;
    const int scans = std::bit_width(static_cast<unsigned>(ood_size_ - 1));
    spec_.truths = {
        {"window", "parity of the last 2^(step+1) bits, as in a parallel scan", 2, scans, ""}};
    spec_.difficulty = "ones";
    spec_.max_difficulty = ood_size_;
    if (ood_size_ == size_) {
      no_ood();
    }
  }
  std::string token_text(int id) const override { return std::to_string(id); }
  /// One bit flips, and with it every parity from there on.
  std::optional<Example> counterfactual(const Example& e,
                                        uint64_t seed,
                                        uint64_t index) const override {
    Bits bits(e.tokens.begin(), e.tokens.begin() + e.length);
    const Rng rng(seed, stream_of("counterfactual.prefix_parity"), index);
    bits[rng.below(0, static_cast<uint32_t>(e.length))] ^= 1;
    Example out = work_out(bits);
    out.canonical = canonical(bits);
    return out;
  }

 protected:
  std::optional<Bits> draw(RngCursor& rng, bool ood) const override {
    const int extra =
        ood ? 1 + static_cast<int>(rng.below(static_cast<uint32_t>(ood_size_ - size_))) : 0;
    Bits bits(static_cast<size_t>(size_ + extra));
    for (int& b : bits) {
      b = static_cast<int>(rng.below(2));
    }
    return bits;
  }

  std::string canonical(const Bits& bits) const override { return spelled(bits); }

  Example work_out(const Bits& bits) const override {
    Example e = blank_example(spec_);
    e.length = static_cast<int>(bits.size());
    for (int t = 0; t < e.length; ++t) {
      const int bit = bits[static_cast<size_t>(t)];
      e.tokens[static_cast<size_t>(t)] = bit;
      e.difficulty += bit;
      e.targets[static_cast<size_t>(t)] = e.difficulty % 2;
      e.position_difficulty[static_cast<size_t>(t)] = e.difficulty;
    }
    for (int s = 0; s < spec_.truths[0].steps; ++s) {
      for (int t = 0; t < e.length; ++t) {
        const int reach =
            1
            << s;  // the window of step s-1 (or the bit itself) here and `reach` positions earlier
        const auto shorter = [&](int at) {
          return at < 0   ? 0
                 : s == 0 ? bits[static_cast<size_t>(at)]
                          : truth_at(&e, spec_, 0, s - 1, at);
        };
        truth_at(&e, spec_, 0, s, t) = shorter(t) ^ shorter(t - reach);
      }
    }
    return e;
  }

 private:
  int size_, ood_size_;
};

}  // namespace

std::shared_ptr<const Task> make_prefix_parity(const TaskOptions& options) {
  return std::make_shared<PrefixParity>(options);
}

}  // namespace sv

// Affine maps modulo m. Form chain: a start value, then one map s <- a s + b per token; every
// position asks for the running value. Form iterate: three tokens a, b, s; after loop r the last
// asks for the map applied r times.
#include <algorithm>
#include <bit>

#include "data/task_of.h"
#include "data/task_options.h"

namespace sv {
namespace {

struct Affine {
  int a = 1, b = 0;
};
struct Chain {
  int start = 0;
  std::vector<Affine> maps;
};

class AffineChain final : public TaskOf<Chain> {
 public:
  explicit AffineChain(const TaskOptions& o)
      : iterate_(choose_form(o.form, {"chain", "iterate"}) == 1),
        m_(option(o.modulus, iterate_ ? 13 : 5, 2, 64, "modulus")) {
    spec_.name = "affine_chain";
    spec_.answers = m_;
    iterate_ ? describe_iterate(o) : describe_chain(o);
  }
  std::string token_text(int id) const override {
    if (iterate_ || id < m_) {
      return std::to_string(id);
    }
    const Affine f = map_of(id);
    return std::to_string(f.a) + "s+" + std::to_string(f.b);
  }
  std::string answer_text(int id) const override { return std::to_string(id); }

 protected:
  std::optional<Chain> draw(RngCursor& rng, bool ood) const override {
    const int extra =
        ood ? 1 + static_cast<int>(rng.below(static_cast<uint32_t>(ood_size_ - size_))) : 0;
    Chain x{static_cast<int>(rng.below(static_cast<uint32_t>(m_))), {}};
    for (int i = 0; i < size_ + extra; ++i) {
      const int a = 1 + static_cast<int>(rng.below(static_cast<uint32_t>(m_ - 1)));
      x.maps.push_back({a, static_cast<int>(rng.below(static_cast<uint32_t>(m_)))});
    }
    return x;
  }

  std::string canonical(const Chain& x) const override {
    std::string text = std::to_string(x.start);
    for (const Affine& f : x.maps) {
      text += " " + std::to_string(f.a) + "," + std::to_string(f.b);
    }
    return text;
  }

  Example work_out(const Chain& x) const override {
    return iterate_ ? work_out_iterate(x) : work_out_chain(x);
  }

 private:
  void describe_chain(const TaskOptions& o) {
    if (o.hops != 0) {
      fail("task affine_chain: hops belongs to form=iterate; form=chain reads size");
    }
    size_ = option(o.size, 15, 1, 1024, "size");
    ood_size_ = option(o.ood_size, 2 * size_, size_, 2048, "ood_size");
    spec_.positions = ood_size_ + 1;
    spec_.vocab = m_ + (m_ - 1) * m_;
    spec_.causal = true;
    const int scans = std::bit_width(static_cast<unsigned>(ood_size_ - 1));
    spec_.truths = {{"window_a",
                     "a of the last 2^(step+1) maps composed, as in a parallel scan",
                     m_,
                     scans,
                     "window"},
                    {"window_b", "b of the last 2^(step+1) maps composed", m_, scans, "window"}};
    spec_.difficulty = "maps other than the identity";
    spec_.max_difficulty = ood_size_;
    if (ood_size_ == size_) {
      no_ood();
    }
  }

  void describe_iterate(const TaskOptions& o) {
    if (o.size != 0 || o.ood_size != 0) {
      fail("task affine_chain: size and ood_size belong to form=chain; form=iterate reads hops");
    }
    size_ = ood_size_ = 1;
    spec_.positions = 3;
    spec_.vocab = m_;
    spec_.target_steps = option(o.hops, 32, 1, 256, "hops");
    spec_.coordinates = {counting_channel("role", 3)};
    spec_.truths = {{"doubling", "value after 2^step maps", m_, 4, ""}};
    spec_.difficulty = "different values on the orbit";
    spec_.max_difficulty = m_;
    no_ood();  // the m^2 (m-1) instances are all of one kind
  }

  int apply(const Affine& f, int s) const { return (f.a * s + f.b) % m_; }
  int token_of(const Affine& f) const { return m_ + (f.a - 1) * m_ + f.b; }
  Affine map_of(int token) const { return {(token - m_) / m_ + 1, (token - m_) % m_}; }

  Example work_out_chain(const Chain& x) const {
    Example e = blank_example(spec_);
    e.length = static_cast<int>(x.maps.size()) + 1;
    e.tokens[0] = x.start;
    int value = x.start;
    for (int t = 1; t < e.length; ++t) {
      const Affine& f = x.maps[static_cast<size_t>(t - 1)];
      value = apply(f, value);
      e.tokens[static_cast<size_t>(t)] = token_of(f);
      e.targets[static_cast<size_t>(t)] = value;
      e.difficulty += f.a == 1 && f.b == 0 ? 0 : 1;
      e.position_difficulty[static_cast<size_t>(t)] = e.difficulty;
    }
    std::vector<Affine> window = x.maps;
    for (int s = 0; s < spec_.truths[0].steps; ++s) {
      std::vector<Affine> wider = window;
      for (int t = 1; t < e.length; ++t) {
        const int earlier = t - (1 << s);
        const Affine& late = window[static_cast<size_t>(t - 1)];
        Affine& both = wider[static_cast<size_t>(t - 1)];
        if (earlier >= 1) {
          const Affine& early = window[static_cast<size_t>(earlier - 1)];
          both = {late.a * early.a % m_, (late.a * early.b + late.b) % m_};
        }
        truth_at(&e, spec_, 0, s, t) = both.a;
        truth_at(&e, spec_, 1, s, t) = both.b;
      }
      window = std::move(wider);
    }
    return e;
  }

  Example work_out_iterate(const Chain& x) const {
    Example e = blank_example(spec_);
    const Affine& f = x.maps[0];
    e.tokens = {f.a, f.b, x.start};
    int value = x.start;
    for (int s = 0; s < std::max(spec_.target_steps, 8); ++s) {
      value = apply(f, value);
      if (s < spec_.target_steps) {
        e.targets[static_cast<size_t>(s * 3 + 2)] = value;
      }
      if (s < 8 && std::has_single_bit(static_cast<unsigned>(s + 1))) {
        truth_at(&e, spec_, 0, std::countr_zero(static_cast<unsigned>(s + 1)), 2) = value;
      }
    }
    std::vector<bool> seen(static_cast<size_t>(m_), false);
    for (value = x.start; !seen[static_cast<size_t>(value)]; value = apply(f, value)) {
      seen[static_cast<size_t>(value)] = true;
      ++e.difficulty;
    }
    e.position_difficulty[2] = e.difficulty;
    return e;
  }

  bool iterate_;
  int m_;
  int size_ = 1, ood_size_ = 1;  // maps
};

}  // namespace

std::shared_ptr<const Task> make_affine_chain(const TaskOptions& options) {
  return std::make_shared<AffineChain>(options);
}

}  // namespace sv

// Word problem of a finite group: every position asks for the product of the elements up to and
// including it.
#include <algorithm>
#include <bit>
#include <charconv>

#include "data/task_of.h"
#include "data/task_options.h"

namespace sv {
namespace {

using Word = std::vector<int>;

/// Elements as numbers 0..order-1, 0 the identity; product[a * order + b] = a then b.
struct Group {
  std::string name;
  int order = 0;
  std::vector<int> product;
  std::vector<int> sign;  // of a permutation: 0 even, 1 odd; empty for Z_m
  std::vector<std::string> text;
};

Group cyclic(int m) {
  Group g{"Z" + std::to_string(m), m, {}, {}, {}};
  for (int a = 0; a < m; ++a) {
    g.text.push_back(std::to_string(a));
    for (int b = 0; b < m; ++b) {
      g.product.push_back((a + b) % m);
    }
  }
  return g;
}

Group symmetric(int n) {
  std::vector<std::string>
      elements;  // images of 0..n-1, in lexicographic order: the identity is first
  std::string p = std::string("01234").substr(0, static_cast<size_t>(n));
  do {
    elements.push_back(p);
  } while (std::next_permutation(p.begin(), p.end()));
  Group g{"S" + std::to_string(n), static_cast<int>(elements.size()), {}, {}, elements};
  for (const std::string& a : elements) {
    int inversions = 0;
    for (size_t i = 0; i < a.size(); ++i) {
      for (size_t j = i + 1; j < a.size(); ++j) {
        inversions += a[i] > a[j] ? 1 : 0;
      }
    }
    g.sign.push_back(inversions % 2);
    for (const std::string& b : elements) {
      std::string c = a;
      for (char& image : c) {
        image = b[static_cast<size_t>(image - '0')];
      }
      const auto at = std::lower_bound(elements.begin(), elements.end(), c);
      g.product.push_back(static_cast<int>(at - elements.begin()));
    }
  }
  return g;
}

Group group_named(const std::string& name) {
  if (name.empty() || name == "S3" || name == "S4" || name == "S5") {
    return symmetric(name.empty() ? 3 : name[1] - '0');
  }
  int m = 0;
  const char* end = name.data() + name.size();
  if (name[0] != 'Z' || std::from_chars(name.data() + 1, end, m).ptr != end || m < 2 || m > 64) {
    fail("task option group = '", name, "' is not S3, S4, S5 or Z2 to Z64");
  }
  return cyclic(m);
}

class GroupWord final : public TaskOf<Word> {
 public:
  explicit GroupWord(const TaskOptions& o)
      : group_(group_named(o.group)),
        size_(option(o.size, 16, 2, 1024, "size")),
        ood_size_(option(o.ood_size, 2 * size_, size_, 2048, "ood_size")) {
    spec_.name = "group_word";
    spec_.positions = ood_size_;
    spec_.vocab = spec_.answers = group_.order;
    spec_.causal = true;
    const int scans = std::bit_width(static_cast<unsigned>(ood_size_ - 1));
    spec_.truths = {{"window",
                     "product of the last 2^(step+1) elements, as in a parallel scan",
                     group_.order,
                     scans,
                     ""}};
    if (!group_.sign.empty()) {
      spec_.truths.push_back({"sign", "sign of the running product (one step)", 2, 1, ""});
    }
    spec_.difficulty = "factors other than the identity";
    spec_.max_difficulty = ood_size_;
    if (ood_size_ == size_) {
      no_ood();
    }
  }
  std::string token_text(int id) const override { return group_.text[static_cast<size_t>(id)]; }
  std::vector<std::string> notes() const override {
    return {"group " + group_.name + " of order " + std::to_string(group_.order)};
  }

 protected:
  std::optional<Word> draw(RngCursor& rng, bool ood) const override {
    const int extra =
        ood ? 1 + static_cast<int>(rng.below(static_cast<uint32_t>(ood_size_ - size_))) : 0;
    Word word(static_cast<size_t>(size_ + extra));
    for (int& g : word) {
      g = static_cast<int>(rng.below(static_cast<uint32_t>(group_.order)));
    }
    return word;
  }

  std::string canonical(const Word& word) const override { return spelled(word); }

  Example work_out(const Word& word) const override {
    Example e = blank_example(spec_);
    e.length = static_cast<int>(word.size());
    int running = 0;
    for (int t = 0; t < e.length; ++t) {
      const int g = word[static_cast<size_t>(t)];
      running = times(running, g);
      e.tokens[static_cast<size_t>(t)] = g;
      e.targets[static_cast<size_t>(t)] = running;
      e.difficulty += g != 0 ? 1 : 0;
      e.position_difficulty[static_cast<size_t>(t)] = e.difficulty;
      if (spec_.truths.size() > 1) {
        truth_at(&e, spec_, 1, 0, t) = group_.sign[static_cast<size_t>(running)];
      }
    }
    for (int s = 0; s < spec_.truths[0].steps; ++s) {
      for (int t = 0; t < e.length; ++t) {
        const auto shorter = [&](int at) {
          return at < 0   ? 0
                 : s == 0 ? word[static_cast<size_t>(at)]
                          : truth_at(&e, spec_, 0, s - 1, at);
        };
        truth_at(&e, spec_, 0, s, t) = times(shorter(t - (1 << s)), shorter(t));
      }
    }
    return e;
  }

 private:
  int times(int a, int b) const {
    return group_.product[static_cast<size_t>(a * group_.order + b)];
  }

  Group group_;
  int size_, ood_size_;
};

}  // namespace

std::shared_ptr<const Task> make_group_word(const TaskOptions& options) {
  return std::make_shared<GroupWord>(options);
}

}  // namespace sv

// ListOps: a nested MAX/MIN/FIRST/LAST expression; the mark in front asks for its value. Truth: the
// value of every sub-expression at its closing bracket. Generated, or read from files of the
// published format.
#include <algorithm>
#include <charconv>
#include <sstream>

#include "core/nearest.h"
#include "data/lines.h"
#include "data/task_of.h"
#include "data/task_options.h"

namespace sv {
namespace {

// Token ids: 0 padding, 1..10 digits, then the operators, the closing bracket and the mark that
// asks.
enum Symbol : int { kPad = 0, kDigit = 1, kMax = 11, kMin, kFirst, kLast, kClose, kAsk };
constexpr std::array<std::string_view, 17> kText{".",
                                                 "0",
                                                 "1",
                                                 "2",
                                                 "3",
                                                 "4",
                                                 "5",
                                                 "6",
                                                 "7",
                                                 "8",
                                                 "9",
                                                 "[MAX",
                                                 "[MIN",
                                                 "[FIRST",
                                                 "[LAST",
                                                 "]",
                                                 "="};

using Tokens = std::vector<int>;

bool is_digit(int token) {
  return token >= kDigit && token < kMax;
}
bool is_operator(int token) {
  return token >= kMax && token <= kLast;
}

int value_of(int op, const std::vector<int>& arguments) {
  switch (op) {
    case kMax:
      return *std::max_element(arguments.begin(), arguments.end());
    case kMin:
      return *std::min_element(arguments.begin(), arguments.end());
    case kFirst:
      return arguments.front();
    default:
      return arguments.back();
  }
}

/// Values and nesting heights of the sub-expressions, by the place of their last token.
struct Evaluation {
  std::string problem;             // empty: a well-formed expression
  std::vector<int> value, height;  // -1 where no bracket closes
  int result = 0, depth = 0;
};

Evaluation evaluate(const Tokens& tokens) {
  struct Open {
    int op;
    int height;
    std::vector<int> arguments;
  };
  Evaluation out;
  out.value.assign(tokens.size(), -1);
  out.height.assign(tokens.size(), -1);
  std::vector<Open> open{{kLast, 0, {}}};  // the outermost level takes exactly one argument
  for (size_t i = 0; i < tokens.size(); ++i) {
    if (is_operator(tokens[i])) {
      open.push_back({tokens[i], 1, {}});
    } else if (is_digit(tokens[i])) {
      open.back().arguments.push_back(tokens[i] - kDigit);
    } else {
      if (open.size() == 1 || open.back().arguments.empty()) {
        out.problem = open.size() == 1 ? "a bracket closes that was not opened"
                                       : "an operator has no arguments";
        return out;
      }
      const Open done = std::move(open.back());
      open.pop_back();
      out.value[i] = value_of(done.op, done.arguments);
      out.height[i] = done.height;
      open.back().arguments.push_back(out.value[i]);
      open.back().height = std::max(open.back().height, done.height + (open.size() > 1 ? 1 : 0));
    }
  }
  if (open.size() != 1 || open[0].arguments.size() != 1) {
    out.problem = open.size() != 1 ? "a bracket is not closed" : "not exactly one expression";
    return out;
  }
  out.result = open[0].arguments[0];
  out.depth = open[0].height;
  return out;
}

/// "Outermost operator over all digits", the shortcut to beat.
int shortcut(const Tokens& tokens) {
  std::vector<int> digits;
  for (const int t : tokens) {
    if (is_digit(t)) {
      digits.push_back(t - kDigit);
    }
  }
  return value_of(tokens[0], digits);
}

class ListOps final : public TaskOf<Tokens> {
 public:
  explicit ListOps(const TaskOptions& o)
      : size_(option(o.size, 32, 8, 1024, "size")),
        hops_(option(o.hops, 5, 1, 64, "hops")),
        deepest_(hops_ + 2) {
    std::vector<Tokens> lines = o.file.empty() ? std::vector<Tokens>{} : read(o.file);
    for (const Tokens& line : lines) {
      hops_ = std::max(hops_, evaluate(line).depth);  // so that ood is deeper than every line
    }
    std::vector<Tokens> ood_lines = o.ood_file.empty() ? std::vector<Tokens>{} : read(o.ood_file);
    deepest_ = hops_ + 2;
    if (o.ood_file.empty() && size_ < 3 * deepest_ + 1) {
      fail("task listops: depth ",
           deepest_,
           " (hops + 2, for ood) needs size ",
           3 * deepest_ + 1,
           " or more, got ",
           size_);
    }
    describe(ood_lines);
    if (!o.file.empty()) {
      use_items(std::move(lines));
    }
    if (!o.ood_file.empty()) {
      in_both_ = use_ood_items(std::move(ood_lines));
    }
  }
  std::string token_text(int id) const override {
    return std::string(kText[static_cast<size_t>(id)]);
  }
  std::string answer_text(int id) const override { return std::to_string(id); }
  std::vector<std::string> notes() const override;

 protected:
  std::optional<Tokens> draw(RngCursor& rng, bool ood) const override {
    const int low = ood ? hops_ + 1 : 1, high = ood ? deepest_ : hops_;
    const int depth = low + static_cast<int>(rng.below(static_cast<uint32_t>(high - low + 1)));
    Tokens tokens;
    grow(rng, depth, &tokens);
    return static_cast<int>(tokens.size()) <= size_ ? std::optional(tokens) : std::nullopt;
  }

  std::string canonical(const Tokens& tokens) const override {
    std::string text;
    for (const int t : tokens) {
      text += token_text(t) + " ";
    }
    return text;
  }

  Example work_out(const Tokens& tokens) const override {
    Example e = blank_example(spec_);
    const Evaluation done = evaluate(tokens);
    e.length = static_cast<int>(tokens.size()) + 1;
    e.tokens[0] = kAsk;
    e.targets[0] = done.result;
    e.difficulty = e.position_difficulty[0] = done.depth;
    for (size_t i = 0; i < tokens.size(); ++i) {
      e.tokens[i + 1] = tokens[i];
      e.position_difficulty[i + 1] = done.height[i];
      truth_at(&e, spec_, 0, 0, static_cast<int>(i) + 1) = done.value[i];
    }
    return e;
  }

 private:
  void describe(const std::vector<Tokens>& ood_lines) {
    spec_.name = "listops";
    spec_.positions = size_ + 1;
    spec_.vocab = static_cast<int>(kText.size());
    spec_.answers = 10;
    spec_.truths = {
        {"value", "value of the sub-expression that closes here (one step)", 10, 1, ""}};
    spec_.difficulty = "nesting depth";
    spec_.max_difficulty = deepest_;
    for (const Tokens& line : ood_lines) {
      spec_.max_difficulty = std::max(spec_.max_difficulty, evaluate(line).depth);
    }
  }

  /// An expression of exactly this depth: one argument is one level lower, the others are mostly
  /// digits.
  void grow(RngCursor& rng, int depth, Tokens* out) const {
    if (depth == 0) {
      out->push_back(kDigit + static_cast<int>(rng.below(10)));
      return;
    }
    out->push_back(kMax + static_cast<int>(rng.below(4)));
    const uint32_t arguments = 2 + rng.below(3);
    const uint32_t deep = rng.below(arguments);
    for (uint32_t i = 0; i < arguments; ++i) {
      const bool nested = i != deep && rng.below(6) == 0;
      const int d = i == deep ? depth - 1
                    : nested  ? static_cast<int>(rng.below(static_cast<uint32_t>(depth)))
                              : 0;
      grow(rng, d, out);
    }
    out->push_back(kClose);
  }

  std::vector<Tokens> read(const std::string& paths) {
    std::vector<Tokens> list;
    for (const SourceLine& line : read_lines(paths)) {
      Tokens tokens = parse(line);
      if (static_cast<int>(tokens.size()) > size_) {
        ++too_long_;
      } else {
        list.push_back(std::move(tokens));
      }
    }
    if (list.empty()) {
      fail("no expression of at most ", size_, " tokens in '", paths, "'");
    }
    return list;
  }

  /// label, tab, expression; round brackets only show the binary tree and are dropped.
  static Tokens parse(const SourceLine& line) {
    const size_t tab = line.text.find('\t');
    if (tab == std::string::npos) {
      fail(line.where, ": label, tab and expression expected, got ", excerpt(line.text));
    }
    int label = -1;
    const char* end = line.text.data() + tab;
    if (std::from_chars(line.text.data(), end, label).ptr != end || label < 0 || label > 9) {
      fail(line.where, ": label ", excerpt(line.text.substr(0, tab)), " is not a digit");
    }
    Tokens tokens;
    std::istringstream words(line.text.substr(tab + 1));
    for (std::string word; words >> word;) {
      if (word == "(" || word == ")") {
        continue;
      }
      const auto at = std::find(kText.begin() + kDigit, kText.begin() + kAsk, word);
      if (at == kText.begin() + kAsk) {
        fail(line.where, ": unknown token ", excerpt(word));
      }
      tokens.push_back(static_cast<int>(at - kText.begin()));
    }
    const Evaluation done = evaluate(tokens);
    if (!done.problem.empty()) {
      fail(line.where, ": ", done.problem, " in ", excerpt(line.text.substr(tab + 1)));
    }
    if (done.result != label) {
      fail(line.where, ": label ", label, ", but the expression is ", done.result);
    }
    return tokens;
  }

  int size_, hops_, deepest_;
  int64_t too_long_ = 0, in_both_ = 0;
};

std::vector<std::string> ListOps::notes() const {
  std::vector<std::string> notes;
  const auto right = [](const Tokens& tokens) {
    return shortcut(tokens) == evaluate(tokens).result ? 1 : 0;
  };
  notes.push_back("shortcut to beat, outermost operator over all digits: right in " +
                  percent_of(Split::test, 2000, right) + " test expressions");
  if (too_long_ > 0) {
    notes.push_back(std::to_string(too_long_) + " lines are longer than " + std::to_string(size_) +
                    " tokens and are left out");
  }
  if (in_both_ > 0) {
    notes.push_back("ood_file: " + std::to_string(in_both_) +
                    " lines also stand in file and are left out");
  }
  return notes;
}

}  // namespace

std::shared_ptr<const Task> make_listops(const TaskOptions& options) {
  return std::make_shared<ListOps>(options);
}

}  // namespace sv

// Countdown: make the target from the numbers, each used exactly once, with + - * and exact /.
// Steps are the equations in order, the answer is one expression; any expression that comes out
// right is accepted. The search puzzle of "Stream of Search" (arXiv 2404.03683), with values up
// to 99.
#include <algorithm>

#include "data/task_of.h"
#include "data/task_options.h"
#include "data/written.h"

namespace sv {
namespace {

struct Equation {
  int left = 0, right = 0, value = 0;
  char op = '+';
};

struct Numbers {
  std::vector<int> numbers;
  std::vector<Equation> equations;  // the last one makes the target
  std::string expression;
};

constexpr int kMostValue = 99;
constexpr std::string_view kCountdownSymbols = "0123456789+-*/=();,:";

/// x op y where that is an integer from 1 to `most`; else 0.
int64_t apply(int64_t x, char op, int64_t y, int64_t most) {
  const int64_t value = op == '+'              ? x + y
                        : op == '-'            ? x - y
                        : op == '*'            ? x * y
                        : y != 0 && x % y == 0 ? x / y
                                               : 0;
  return value >= 1 && value <= most ? value : 0;
}

/// Evaluates an expression with the usual precedence; 0 if it is malformed or leaves the integers
/// from 1 to a million anywhere on the way. Recursive descent.
class Expression {
 public:
  explicit Expression(std::string_view text) : text_(text) {}

  int64_t value() {
    const int64_t v = text_.size() <= 200 ? sum() : 0;  // bounds the recursion
    return at_ == text_.size() ? v : 0;
  }
  const std::vector<int>& numbers() const { return numbers_; }

 private:
  static constexpr int64_t kMost = 1'000'000;

  bool next(std::string_view any) const {
    return at_ < text_.size() && any.find(text_[at_]) != std::string_view::npos;
  }
  int64_t sum() {
    return chain("+-", [&] { return product(); });
  }
  int64_t product() {
    return chain("*/", [&] { return atom(); });
  }
  template <class Part>
  int64_t chain(std::string_view ops, const Part& part) {
    int64_t value = part();
    while (value != 0 && next(ops)) {
      const char op = text_[at_++];
      const int64_t right = part();
      value = right == 0 ? 0 : apply(value, op, right, kMost);
    }
    return value;
  }
  int64_t atom() {
    if (next("(")) {
      ++at_;
      const int64_t value = sum();
      if (!next(")")) {
        return 0;
      }
      ++at_;
      return value;
    }
    int64_t value = 0;
    while (next("0123456789") && value <= kMost) {
      value = 10 * value + (text_[at_++] - '0');
    }
    numbers_.push_back(static_cast<int>(value));
    return value <= kMost ? value : 0;
  }

  std::string_view text_;
  size_t at_ = 0;
  std::vector<int> numbers_;
};

class Countdown final : public TaskOf<Numbers> {
 public:
  explicit Countdown(const TaskOptions& o)
      : size_(option(o.size, 4, 2, 7, "size")),
        ood_size_(option(o.ood_size, size_ + 1, size_, 8, "ood_size")) {
    spec_.name = "countdown";
    const int n = ood_size_;
    const int question = 3 * n + 2, steps = 9 * (n - 1), answer = 3 * n - 1 + 2 * (n - 2);
    describe_written(
        question + steps + answer + 3, static_cast<int>(kCountdownSymbols.size()), n - 1, &spec_);
    spec_.truths = {{"result",
                     "value of equation step+1, where the first equation and the answer are asked",
                     kMostValue + 1,
                     n - 1,
                     ""}};
    spec_.difficulty = "equations";
    spec_.max_difficulty = n - 1;
    if (ood_size_ == size_) {
      no_ood();
    }
  }
  std::string token_text(int id) const override {
    return mark_text(id).value_or(
        std::string(1, kCountdownSymbols[static_cast<size_t>(std::max(0, id - kFirstSymbol))]));
  }
  bool accepts(const Example& e, std::span<const int32_t> answer) const override {
    std::string text, question;
    for (const int32_t token : answer) {
      if (token < kFirstSymbol || token >= spec_.vocab) {
        return false;
      }
      text += token_text(token);
    }
    for (int t = 0; t < place_of(e, kThinkMark); ++t) {
      question += token_text(e.tokens[static_cast<size_t>(t)]);
    }
    std::vector<int> given;
    int64_t target = 0;
    for (size_t at = 0; at < question.size();) {
      const size_t end = question.find_first_of(",:", at);
      const int number = std::stoi(question.substr(at, end - at));
      if (end == std::string::npos) {
        target = number;
        break;
      }
      given.push_back(number);
      at = end + 1;
    }
    Expression expression(text);
    if (expression.value() != target) {
      return false;
    }
    return std::ranges::is_permutation(given, expression.numbers());
  }

 protected:
  std::optional<Numbers> draw(RngCursor& rng, bool ood) const override {
    const int low = ood ? size_ + 1 : std::min(3, size_), high = ood ? ood_size_ : size_;
    const int n = low + static_cast<int>(rng.below(static_cast<uint32_t>(high - low + 1)));
    Numbers x;
    struct Part {
      int value;
      std::string text;
    };
    std::vector<Part> parts;
    for (int i = 0; i < n; ++i) {
      const int number = 1 + static_cast<int>(rng.below(50));
      x.numbers.push_back(number);
      parts.push_back({number, std::to_string(number)});
    }
    while (parts.size() > 1) {
      rng.shuffle(parts);
      const Part right = parts.back(), left = parts[parts.size() - 2];
      std::string ops;
      for (const char op : {'+', '-', '*', '/'}) {
        const bool idle = (op == '*' || op == '/') && (left.value == 1 || right.value == 1);
        if (!idle && apply(left.value, op, right.value, kMostValue) != 0) {
          ops += op;
        }
      }
      if (ops.empty()) {
        return std::nullopt;
      }
      const char op = ops[rng.below(static_cast<uint32_t>(ops.size()))];
      const int value = static_cast<int>(apply(left.value, op, right.value, kMostValue));
      x.equations.push_back({left.value, right.value, value, op});
      parts.pop_back();
      parts.back() = {value, bracketed(left.text) + op + bracketed(right.text)};
    }
    x.expression = parts[0].text;
    // A target that is one of the numbers invites copying.
    return std::ranges::count(x.numbers, parts[0].value) > 0 ? std::nullopt : std::optional(x);
  }

  std::string canonical(const Numbers& x) const override {
    std::vector<int> sorted = x.numbers;
    std::ranges::sort(sorted);
    return spelled(sorted) + ": " + std::to_string(x.equations.back().value);
  }

  Example work_out(const Numbers& x) const override {
    const auto symbols = [](const std::string& text) {
      std::vector<int32_t> out;
      for (const char ch : text) {
        out.push_back(kFirstSymbol + static_cast<int>(kCountdownSymbols.find(ch)));
      }
      return out;
    };
    std::string question;
    for (const int number : x.numbers) {
      question += std::to_string(number) + ",";
    }
    question.back() = ':';
    Written w{symbols(question + std::to_string(x.equations.back().value)), {}, {}};
    for (const Equation& q : x.equations) {
      w.steps.push_back(symbols(std::to_string(q.left) + q.op + std::to_string(q.right) + "=" +
                                std::to_string(q.value) + ";"));
    }
    w.answer = symbols(x.expression);
    Example e = write_out(spec_, w);
    for (const WrittenMark mark : {kThinkMark, kAnswerMark}) {
      for (size_t s = 0; s < x.equations.size(); ++s) {
        truth_at(&e, spec_, 0, static_cast<int>(s), place_of(e, mark)) = x.equations[s].value;
      }
    }
    e.difficulty = static_cast<int>(x.equations.size());
    return e;
  }

 private:
  static std::string bracketed(const std::string& text) {
    return text.size() <= 2 ? text : "(" + text + ")";  // numbers have at most two digits
  }

  int size_, ood_size_;
};

}  // namespace

std::shared_ptr<const Task> make_countdown(const TaskOptions& options) {
  return std::make_shared<Countdown>(options);
}

}  // namespace sv

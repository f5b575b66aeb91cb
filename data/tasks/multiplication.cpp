// Product of two numbers of n digits, least significant digit first. Form direct: the digits of
// both and blanks for the answer. Form steps: the written method with its partial products and
// running sums, in the text of "From explicit CoT to implicit CoT" (arXiv 2405.14838), whose files
// are read.
#include <algorithm>

#include "data/lines.h"
#include "data/task_of.h"
#include "data/task_options.h"
#include "data/written.h"

namespace sv {
namespace {

struct Factors {
  std::vector<int> a, b;  // digits, least significant first
};

class Multiplication final : public TaskOf<Factors> {
  enum Form : int { kDirect, kSteps };
  // Of form steps, behind the digits.
  enum Symbol : int { kTimes = kFirstSymbol + 10, kPlus, kOpen, kClose };
  using Digits = std::vector<int>;

 public:
  explicit Multiplication(const TaskOptions& o)
      : form_(choose_form(o.form, {"direct", "steps"})), digits_(option(o.size, 4, 2, 16, "size")) {
    describe();
    if (!o.file.empty()) {
      use_items(read(o.file));
    }
    if (o.ood_file.empty()) {
      no_ood();
    } else {
      left_out_ = use_ood_items(read(o.ood_file));
    }
  }
  std::string token_text(int id) const override {
    if (form_ == kDirect) {
      return id == 10 ? "_" : std::to_string(id);
    }
    return id >= kTimes ? std::string(1, "*+()"[id - kTimes])
                        : mark_text(id).value_or(std::to_string(id - kFirstSymbol));
  }
  std::vector<std::string> notes() const override {
    if (left_out_ == 0) {
      return {};
    }
    return {"ood_file: " + std::to_string(left_out_) +
            " lines also stand in file and are left out"};
  }
  /// One digit of one factor changes by one, none of the leading ones to 0.
  std::optional<Example> counterfactual(const Example& e,
                                        uint64_t seed,
                                        uint64_t index) const override {
    const int skip = form_ == kSteps ? 1 : 0;  // the sign between the factors
    Factors x;
    for (int i = 0; i < digits_; ++i) {
      const int first = form_ == kSteps ? kFirstSymbol : 0;
      x.a.push_back(e.tokens[static_cast<size_t>(i)] - first);
      x.b.push_back(e.tokens[static_cast<size_t>(digits_ + skip + i)] - first);
    }
    const Rng rng(seed, stream_of("counterfactual.multiplication"), index);
    Digits& factor = rng.below(0, 2) == 0 ? x.a : x.b;
    int& digit = factor[rng.below(1, static_cast<uint32_t>(digits_))];
    digit += digit == 9 ? -1 : 1;
    Example out = work_out(x);
    out.canonical = canonical(x);
    return out;
  }

 protected:
  std::optional<Factors> draw(RngCursor& rng, bool) const override {
    Factors x;
    for (Digits* number : {&x.a, &x.b}) {
      for (int i = 0; i + 1 < digits_; ++i) {
        number->push_back(static_cast<int>(rng.below(10)));
      }
      number->push_back(1 + static_cast<int>(rng.below(9)));
    }
    return x;
  }

  std::string canonical(const Factors& x) const override {
    const std::string a = spelled(x.a), b = spelled(x.b);
    return a < b ? a + "* " + b : b + "* " + a;  // a * b and b * a are the same problem
  }

  Example work_out(const Factors& x) const override {
    Example e = form_ == kSteps ? write_out(spec_, write_steps(x)) : write_direct(x);
    const int answer = form_ == kSteps ? place_of(e, kAnswerMark) : 2 * digits_;
    Digits sum;
    for (int k = 0; k < digits_; ++k) {
      const Digits row = partial(x, k);
      sum = add(sum, row);
      for (int c = 0; c < 2 * digits_; ++c) {
        truth_at(&e, spec_, 0, k, answer + c) = digit(row, c);
        truth_at(&e, spec_, 1, k, answer + c) = digit(sum, c);
      }
    }
    e.difficulty = digits_ - static_cast<int>(std::ranges::count(x.b, 0));
    return e;
  }

 private:
  void describe() {
    spec_.name = "multiplication";
    const int columns = 2 * digits_;
    if (form_ == kSteps) {
      const Digits ones(static_cast<size_t>(digits_), 1);
      describe_written(written_length(write_steps({ones, ones})), 14, digits_, &spec_);
    } else {
      spec_.positions = 2 * columns;
      spec_.vocab = 11;
      spec_.answers = 10;
      spec_.coordinates = {{"column", columns, {}}, {"role", 3, {}}};
      for (int t = 0; t < 2 * columns; ++t) {
        const int role = std::min(t / digits_, 2);
        spec_.coordinates[0].ids.push_back(t - role * digits_);
        spec_.coordinates[1].ids.push_back(role);
      }
    }
    spec_.truths = {{"row", "digit of partial product step+1 in the column", 10, digits_, ""},
                    {"sum", "digit of the first step+1 rows' sum in the column", 10, digits_, ""}};
    spec_.difficulty = "digits of the second factor that are not 0";
    spec_.max_difficulty = digits_;
  }

  static int digit(const Digits& number, int column) {
    return column < std::ssize(number) ? number[static_cast<size_t>(column)] : 0;
  }
  /// a times digit k of b, shifted by k; n + 1 + k digits.
  static Digits partial(const Factors& x, int k) {
    Digits row(static_cast<size_t>(k), 0);
    int carry = 0;
    for (const int a : x.a) {
      const int product = a * x.b[static_cast<size_t>(k)] + carry;
      row.push_back(product % 10);
      carry = product / 10;
    }
    row.push_back(carry);
    return row;
  }
  /// As many digits as `b` has, the longer one; the sums of this task need no more.
  static Digits add(const Digits& a, const Digits& b) {
    Digits sum;
    int carry = 0;
    for (int c = 0; c < std::ssize(b); ++c) {
      const int column = digit(a, c) + digit(b, c) + carry;
      sum.push_back(column % 10);
      carry = column / 10;
    }
    return sum;
  }

  Example write_direct(const Factors& x) const {
    Example e = blank_example(spec_);
    Digits product;
    for (int k = 0; k < digits_; ++k) {
      e.tokens[static_cast<size_t>(k)] = x.a[static_cast<size_t>(k)];
      e.tokens[static_cast<size_t>(digits_ + k)] = x.b[static_cast<size_t>(k)];
      product = add(product, partial(x, k));
    }
    for (int c = 0; c < 2 * digits_; ++c) {
      e.tokens[static_cast<size_t>(2 * digits_ + c)] = 10;
      e.targets[static_cast<size_t>(2 * digits_ + c)] = digit(product, c);
    }
    return e;
  }

  /// Step 1 is the first row; step k + 1 adds row k and, but for the last, has the sum in brackets.
  Written write_steps(const Factors& x) const {
    const auto put = [](std::vector<int32_t>& to, const Digits& digits) {
      for (const int d : digits) {
        to.push_back(kFirstSymbol + d);
      }
    };
    Written w;
    put(w.question, x.a);
    w.question.push_back(kTimes);
    put(w.question, x.b);
    Digits sum;
    for (int k = 0; k < digits_; ++k) {
      std::vector<int32_t>& step = w.steps.emplace_back();
      sum = add(sum, partial(x, k));
      if (k > 0) {
        step.push_back(kPlus);
      }
      put(step, partial(x, k));
      if (k > 0 && k + 1 < digits_) {
        step.push_back(kOpen);
        put(step, sum);
        step.push_back(kClose);
      }
    }
    put(w.answer, sum);
    return w;
  }

  std::vector<Factors> read(const std::string& paths) const {
    std::vector<Factors> list;
    for (const SourceLine& line : read_lines(paths)) {
      list.push_back(parse(line));
    }
    return list;
  }

  /// "a * b||steps #### product"; the line must be the one this task would write.
  Factors parse(const SourceLine& line) const {
    const size_t n = static_cast<size_t>(digits_), mark = line.text.find("||");
    std::string question = line.text.substr(0, mark);
    std::erase(question, ' ');
    const bool shaped = mark != std::string::npos && question.size() == 2 * n + 1 &&
                        question[n] == '*' &&
                        question.find_first_not_of("0123456789*") == std::string::npos &&
                        std::ranges::count(question, '*') == 1;
    if (!shaped) {
      fail(line.where,
           ": two factors of ",
           digits_,
           " digits, '*' between and '||' behind them, are expected (size = ",
           digits_,
           "), got ",
           excerpt(line.text));
    }
    Factors x;
    for (size_t i = 0; i < n; ++i) {
      x.a.push_back(question[i] - '0');
      x.b.push_back(question[n + 1 + i] - '0');
    }
    const Written w = write_steps(x);
    std::string right;
    for (const auto& step : w.steps) {
      right += text_of(step);
    }
    right += "#### " + text_of(w.answer);
    right.pop_back();
    const std::string got = line.text.substr(mark + 2);
    if (got != right) {
      const size_t at = static_cast<size_t>(std::ranges::mismatch(got, right).in1 - got.begin());
      fail(line.where,
           ": column ",
           mark + 3 + at,
           " is ",
           at < got.size() ? excerpt(got.substr(at)) : "missing",
           ", expected ",
           at < right.size() ? excerpt(right.substr(at)) : "the end of the line");
    }
    return x;
  }

  static std::string text_of(const std::vector<int32_t>& symbols) {
    std::string text;
    for (const int32_t s : symbols) {
      text += s >= kTimes ? "*+()"[s - kTimes] : static_cast<char>('0' + s - kFirstSymbol);
      text += ' ';
    }
    return text;
  }

  int form_, digits_;
  int64_t left_out_ = 0;
};

}  // namespace

std::shared_ptr<const Task> make_multiplication(const TaskOptions& options) {
  return std::make_shared<Multiplication>(options);
}

}  // namespace sv

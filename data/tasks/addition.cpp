// Addition of two numbers, least significant digit first. Form columns: one token per column, 10 a
// + b. Form digits: the digits of a, of b and blanks for the answer, with column and role as
// coordinates. Form steps: a + b, then column by column "digit digit carry = digit carry", then the
// sum.
#include <algorithm>

#include "data/task_of.h"
#include "data/task_options.h"
#include "data/written.h"

namespace sv {
namespace {

struct Sum {
  std::vector<int> a, b;  // digits, least significant first
};

class Addition final : public TaskOf<Sum> {
  enum Form : int { kColumns, kDigits, kSteps };
  enum Symbol : int { kPlus = kFirstSymbol + 10, kEquals };  // of form steps, behind the digits

 public:
  explicit Addition(const TaskOptions& o)
      : form_(choose_form(o.form, {"columns", "digits", "steps"})),
        digits_(option(o.size, 12, 2, 256, "size")),
        hops_(option(o.hops, std::max(1, digits_ / 2), 1, digits_ - 1, "hops")) {
    spec_.name = "addition";
    form_ == kSteps ? describe_written(9 * digits_ + 5, 12, digits_, &spec_) : describe_columns();
    spec_.truths = {{"carry",
                     "carry into the column if only the step+1 columns below it counted",
                     2,
                     digits_,
                     ""},
                    {"raw", "sum of the column without carry (one step)", 19, 1, ""}};
    spec_.difficulty = "columns the longest carry runs through";
    spec_.max_difficulty = digits_;
  }
  std::string token_text(int id) const override {
    if (form_ == kSteps) {
      return id == kPlus                 ? "+"
             : id == kEquals             ? "="
             : mark_text(id).has_value() ? *mark_text(id)
                                         : std::to_string(id - kFirstSymbol);
    }
    if (form_ == kDigits) {
      return id == 10 ? "_" : std::to_string(id);
    }
    return std::to_string(id / 10) + "+" + std::to_string(id % 10);
  }
  std::string answer_text(int id) const override {
    return form_ == kSteps ? token_text(id) : std::to_string(id);
  }
  std::vector<std::string> notes() const override {
    return {"train and test: carries run through at most " + std::to_string(hops_) +
            " columns; ood: through more"};
  }

 protected:
  std::optional<Sum> draw(RngCursor& rng, bool ood) const override {
    // Half of the sums have uniform digits; in the others most columns hand a carry on (digits that
    // sum to 9).
    const bool chained = ood || rng.below(2) == 1;
    Sum x;
    for (int i = 0; i < digits_; ++i) {
      const int a = static_cast<int>(rng.below(10));
      const bool hands_on = chained && rng.below(4) != 0;
      x.a.push_back(a);
      x.b.push_back(hands_on ? 9 - a : static_cast<int>(rng.below(10)));
    }
    if (ood) {
      plant_carry(rng, &x);
    }
    return ood == (longest_carry(x) > hops_) ? std::optional(x) : std::nullopt;
  }

  std::string canonical(const Sum& x) const override {
    const std::string a = spelled(x.a), b = spelled(x.b);
    return a < b ? a + "+ " + b : b + "+ " + a;  // a + b and b + a are the same problem
  }

  Example work_out(const Sum& x) const override {
    Example e = form_ == kSteps ? write_steps(x) : blank_example(spec_);
    const int columns = digits_ + 1;
    // The first position that asks for a digit of the sum.
    const int answer = form_ == kColumns  ? 0
                       : form_ == kDigits ? 2 * columns
                                          : place_of(e, kAnswerMark);
    int carry = 0, run = 0;
    for (int c = 0; c < columns; ++c) {
      const int a = digit(x.a, c), b = digit(x.b, c);
      const size_t t = static_cast<size_t>(answer + c);
      if (form_ == kDigits) {
        e.tokens[static_cast<size_t>(c)] = a;
        e.tokens[static_cast<size_t>(columns + c)] = b;
        e.tokens[t] = 10;
      } else if (form_ == kColumns) {
        e.tokens[t] = 10 * a + b;
      }
      if (form_ != kSteps) {
        e.targets[t] = (a + b + carry) % 10;
      }
      e.position_difficulty[t] = run;
      truth_at(&e, spec_, 1, 0, answer + c) = a + b;
      for (int s = 0; s < digits_; ++s) {
        truth_at(&e, spec_, 0, s, answer + c) = carry_into(x, c, s + 1);
      }
      run = a + b > 9 ? 1 : carry == 1 && a + b == 9 ? run + 1 : 0;
      carry = (a + b + carry) / 10;
    }
    e.difficulty = longest_carry(x);
    return e;
  }

 private:
  void describe_columns() {
    const int columns = digits_ + 1;
    const bool by_digit = form_ == kDigits;
    spec_.positions = by_digit ? 3 * columns : columns;
    spec_.vocab = by_digit ? 11 : 100;
    spec_.answers = 10;
    spec_.coordinates = {{"column", columns, {}}};
    if (by_digit) {
      spec_.coordinates.push_back({"role", 3, {}});
    }
    for (int t = 0; t < spec_.positions; ++t) {
      spec_.coordinates[0].ids.push_back(t % columns);
      if (by_digit) {
        spec_.coordinates[1].ids.push_back(t / columns);
      }
    }
  }

  Example write_steps(const Sum& x) const {
    Written w;
    const auto put_digits = [](std::vector<int32_t>& to, std::initializer_list<int> digits) {
      for (const int d : digits) {
        to.push_back(kFirstSymbol + d);
      }
    };
    for (const int d : x.a) {
      put_digits(w.question, {d});
    }
    w.question.push_back(kPlus);
    int carry = 0;
    for (int c = 0; c < digits_; ++c) {
      const int a = digit(x.a, c), b = digit(x.b, c), sum = a + b + carry;
      put_digits(w.question, {b});
      put_digits(w.steps.emplace_back(), {a, b, carry});
      w.steps.back().push_back(kEquals);
      put_digits(w.steps.back(), {sum % 10, sum / 10});
      put_digits(w.answer, {sum % 10});
      carry = sum / 10;
    }
    put_digits(w.answer, {carry});
    return write_out(spec_, w);
  }

  int digit(const std::vector<int>& number, int column) const {
    return column < digits_ ? number[static_cast<size_t>(column)] : 0;
  }

  int carry_into(const Sum& x, int column, int columns_below) const {
    int carry = 0;
    for (int c = std::max(0, column - columns_below); c < column; ++c) {
      carry = (digit(x.a, c) + digit(x.b, c) + carry) / 10;
    }
    return carry;
  }

  /// Columns from where a carry is made to where it is used.
  int longest_carry(const Sum& x) const {
    int longest = 0, run = 0;
    for (int c = 0; c < digits_; ++c) {
      const int sum = digit(x.a, c) + digit(x.b, c);
      run = sum > 9 ? 1 : run > 0 && sum == 9 ? run + 1 : 0;
      longest = std::max(longest, run);
    }
    return longest;
  }

  /// A carry made at a random column that runs through more than hops_ columns.
  void plant_carry(RngCursor& rng, Sum* x) const {
    const int length =
        hops_ + 1 + static_cast<int>(rng.below(static_cast<uint32_t>(digits_ - hops_)));
    const int first = static_cast<int>(rng.below(static_cast<uint32_t>(digits_ - length + 1)));
    for (int c = first; c < first + length; ++c) {
      int& a = x->a[static_cast<size_t>(c)];
      int& b = x->b[static_cast<size_t>(c)];
      if (c == first) {
        a = 1 + static_cast<int>(rng.below(9));
        b = 10 - a + static_cast<int>(rng.below(static_cast<uint32_t>(a)));
      } else {
        b = 9 - a;
      }
    }
  }

  int form_, digits_, hops_;
};

}  // namespace

std::shared_ptr<const Task> make_addition(const TaskOptions& options) {
  return std::make_shared<Addition>(options);
}

}  // namespace sv

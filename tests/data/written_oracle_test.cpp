// Independent oracles of countdown and multiplication: equations are run one by one on the numbers,
// expressions by the shunting-yard method, products in 128-bit integers.
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <sstream>

#include "core/check.h"
#include "data/task_of.h"
#include "data/task_variants.h"
#include "data/written.h"

namespace sv {
namespace {

template <class Check>
void for_examples(const Task& task, int count, const Check& check) {
  for (const Split split : {Split::train, Split::test, Split::ood}) {
    for (int i = 0; i < count && task.count(split) != 0; ++i) {
      check(task.example(split, 12, static_cast<uint64_t>(i)), split);
      if (::testing::Test::HasFatalFailure()) {
        FAIL() << split_name(split) << " example " << i;
      }
    }
  }
}

/// Text without spaces of the positions that have a role.
std::string text_of(const Task& task, const Example& e, int role) {
  std::string text;
  for (size_t t = 0; t < e.tokens.size(); ++t) {
    if (e.roles[t] == role && e.tokens[t] >= kFirstSymbol) {
      text += task.token_text(e.tokens[t]);
    }
  }
  return text;
}

/// An expression's value in doubles, by two stacks; the numbers used are appended.
double run_expression(const std::string& text, std::vector<int>* used) {
  std::vector<double> values;
  std::string ops;
  const auto reduce = [&] {
    const double y = values.back();
    values.pop_back();
    double& x = values.back();
    x = ops.back() == '+' ? x + y : ops.back() == '-' ? x - y : ops.back() == '*' ? x * y : x / y;
    ops.pop_back();
  };
  const auto rank = [](char op) { return op == '(' ? 0 : op == '+' || op == '-' ? 1 : 2; };
  for (size_t at = 0; at < text.size();) {
    const char ch = text[at];
    if (std::isdigit(ch)) {
      size_t end = 0;
      used->push_back(std::stoi(text.substr(at), &end));
      values.push_back(used->back());
      at += end;
      continue;
    }
    ++at;
    if (ch == '(') {
      ops += ch;
    } else if (ch == ')') {
      while (ops.back() != '(') {
        reduce();
      }
      ops.pop_back();
    } else {
      while (!ops.empty() && rank(ops.back()) >= rank(ch)) {
        reduce();
      }
      ops += ch;
    }
  }
  while (!ops.empty()) {
    reduce();
  }
  return values.at(0);
}

TEST(CountdownOracle, ReachesTheTargetWithEveryNumber) {
  const auto task = make_task("countdown");
  std::string all_ops;
  for_examples(*task, 300, [&](const Example& e, Split split) {
    std::string question = text_of(*task, e, 0);
    std::replace(question.begin(), question.end(), ',', ' ');
    const size_t colon = question.find(':');
    const int target = std::stoi(question.substr(colon + 1));
    std::vector<int> numbers;
    std::istringstream in(question.substr(0, colon));
    for (int number = 0; in >> number;) {
      numbers.push_back(number);
    }
    const int n = static_cast<int>(numbers.size());
    ASSERT_TRUE(split == Split::ood ? n == 5 : n == 3 || n == 4);
    ASSERT_EQ(e.difficulty, n - 1);
    ASSERT_EQ(std::count(numbers.begin(), numbers.end(), target), 0);
    std::vector<int> left = numbers;
    for (int s = 1; s < n; ++s) {
      int x = 0, y = 0, value = 0;
      char op = 0, equals = 0, end = 0;
      std::istringstream(text_of(*task, e, s)) >> x >> op >> y >> equals >> value >> end;
      ASSERT_EQ(std::string({equals, end}), "=;");
      for (const int number : {x, y}) {
        const auto at = std::find(left.begin(), left.end(), number);
        ASSERT_NE(at, left.end()) << number;
        left.erase(at);
      }
      ASSERT_TRUE(op == '+'   ? value == x + y
                  : op == '-' ? value == x - y
                  : op == '*' ? value == x * y
                              : op == '/' && value * y == x);
      ASSERT_TRUE(value >= 1 && value <= 99);
      all_ops += op;
      left.push_back(value);
      for (const WrittenMark mark : {kThinkMark, kAnswerMark}) {
        const auto t = static_cast<size_t>(place_of(e, mark));
        ASSERT_EQ(e.truths[0][static_cast<size_t>(s - 1) * e.tokens.size() + t], value);
      }
    }
    ASSERT_EQ(left, std::vector<int>{target});
    std::vector<int> used;
    ASSERT_EQ(run_expression(text_of(*task, e, task->spec().answer_role()), &used), target);
    ASSERT_TRUE(std::is_permutation(used.begin(), used.end(), numbers.begin(), numbers.end()));
  });
  for (const char op : {'+', '-', '*', '/'}) {
    EXPECT_GT(std::count(all_ops.begin(), all_ops.end(), op), 40) << op;
  }
}

TEST(Countdown, AcceptsEveryExpressionThatComesOutRight) {
  const auto task = make_task("countdown");
  const auto symbols = [&](const std::string& text) {
    std::vector<int32_t> out;
    for (const char ch : text) {
      for (int id = kFirstSymbol; id < task->spec().vocab; ++id) {
        if (task->token_text(id) == std::string(1, ch)) {
          out.push_back(id);
        }
      }
    }
    return out;
  };
  Example e = blank_example(task->spec());  // 2,3,4,6:30
  const std::vector<int32_t> question = symbols("2,3,4,6:30");
  std::copy(question.begin(), question.end(), e.tokens.begin());
  e.tokens[question.size()] = kThinkMark;
  for (const char* right : {"2*3*4+6", "6+(4*3)*2", "((6)+4*(2*3))"}) {
    EXPECT_TRUE(task->accepts(e, symbols(right))) << right;
  }
  for (const char* wrong : {"2*3*4",        // a number is missing,
                            "2*3*4+6+0",    // one is new,
                            "2*3*4+6+6-6",  // one is used three times;
                            "2*3*4*6",      // another value;
                            "6*(4+3)-2*6",  // not the given numbers
                            "(2*3*4+6",
                            "2*3*4+6)",
                            "2*3*4++6",
                            "+2*3*4+6",
                            "",
                            "30",
                            "9999999999*2",
                            "2*3*4+6="}) {
    EXPECT_FALSE(task->accepts(e, symbols(wrong))) << wrong;
  }
  std::vector<int32_t> marked = symbols("2*3*4+6");
  marked.push_back(kEndMark);
  EXPECT_FALSE(task->accepts(e, marked));
  // 7/2*4: divisions must be exact.
  Example odd = blank_example(task->spec());
  const std::vector<int32_t> seven = symbols("7,2,4:14");
  std::copy(seven.begin(), seven.end(), odd.tokens.begin());
  odd.tokens[seven.size()] = kThinkMark;
  EXPECT_FALSE(task->accepts(odd, symbols("7/2*4")));
  EXPECT_TRUE(task->accepts(odd, symbols("7*4/2")));
}

__extension__ typedef unsigned __int128 Big;

Big number_of(const std::string& digits) {  // least significant first
  Big value = 0;
  for (size_t i = digits.size(); i-- > 0;) {
    value = 10 * value + static_cast<Big>(digits[i] - '0');
  }
  return value;
}

std::string digits_of(Big value, size_t width) {
  std::string text;
  for (size_t i = 0; i < width; ++i, value /= 10) {
    text += static_cast<char>('0' + static_cast<int>(value % 10));
  }
  return text;
}

Big power_of_ten(size_t n) {
  return n == 0 ? 1 : 10 * power_of_ten(n - 1);
}

/// Truths of the columns that are asked from position `answer` on.
void expect_rows(const Example& e, Big a, const std::string& b, size_t answer) {
  Big sum = 0;
  for (size_t k = 0; k < b.size(); ++k) {
    const Big row = a * static_cast<Big>(b[k] - '0') * power_of_ten(k);
    sum += row;
    const std::string row_digits = digits_of(row, 2 * b.size());
    const std::string sum_digits = digits_of(sum, 2 * b.size());
    for (size_t c = 0; c < 2 * b.size(); ++c) {
      const size_t at = k * e.tokens.size() + answer + c;
      ASSERT_EQ(e.truths[0][at], row_digits[c] - '0');
      ASSERT_EQ(e.truths[1][at], sum_digits[c] - '0');
    }
  }
}

class MultiplicationOracle : public ::testing::TestWithParam<int> {};

TEST_P(MultiplicationOracle, MultipliesInLargeIntegers) {
  const auto n = static_cast<size_t>(GetParam());
  const auto task = make_task("multiplication", testing::with_size(GetParam()));
  for_examples(*task, 60, [&](const Example& e, Split) {
    std::string a, b, product;
    for (size_t i = 0; i < n; ++i) {
      a += task->token_text(e.tokens[i]);
      b += task->token_text(e.tokens[n + i]);
    }
    for (size_t c = 0; c < 2 * n; ++c) {
      ASSERT_EQ(task->token_text(e.tokens[2 * n + c]), "_");
      product += task->answer_text(e.targets[2 * n + c]);
    }
    ASSERT_NE(a.back(), '0');
    ASSERT_NE(b.back(), '0');
    ASSERT_EQ(product, digits_of(number_of(a) * number_of(b), 2 * n));
    ASSERT_EQ(e.difficulty, static_cast<int>(n) - std::count(b.begin(), b.end(), '0'));
    expect_rows(e, number_of(a), b, 2 * n);
    const auto other = task->counterfactual(e, 1, 1);
    int changed = 0;
    for (size_t t = 0; t < 2 * n; ++t) {
      changed += other->tokens[t] != e.tokens[t] ? 1 : 0;
    }
    ASSERT_EQ(changed, 1);
    ASSERT_NE(other->targets, e.targets);
  });
}

TEST_P(MultiplicationOracle, WritesTheMethodOut) {
  const auto n = static_cast<size_t>(GetParam());
  TaskOptions o = testing::with_form("steps");
  o.size = GetParam();
  const auto task = make_task("multiplication", o);
  for_examples(*task, 40, [&](const Example& e, Split) {
    const std::string question = text_of(*task, e, 0);
    ASSERT_EQ(question[n], '*');
    const std::string b = question.substr(n + 1);
    const Big a = number_of(question.substr(0, n));
    Big sum = 0;
    for (size_t k = 0; k < n; ++k) {
      const Big row = a * static_cast<Big>(b[k] - '0') * power_of_ten(k);
      sum += row;
      const std::string right = (k > 0 ? "+" : "") + digits_of(row, n + 1 + k) +
                                (k > 0 && k + 1 < n ? "(" + digits_of(sum, n + 1 + k) + ")" : "");
      ASSERT_EQ(text_of(*task, e, static_cast<int>(k) + 1), right);
    }
    ASSERT_EQ(text_of(*task, e, task->spec().answer_role()), digits_of(sum, 2 * n));
    expect_rows(e, a, b, static_cast<size_t>(place_of(e, kAnswerMark)));
    ASSERT_EQ(e.length, task->spec().positions);  // no padding
    const auto other = task->counterfactual(e, 1, 1);
    ASSERT_NE(text_of(*task, *other, 0), question);
  });
}

INSTANTIATE_TEST_SUITE_P(Sizes, MultiplicationOracle, ::testing::Values(2, 4, 5, 16));

}  // namespace
}  // namespace sv

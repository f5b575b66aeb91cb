// Independent oracles of the sequence tasks: every target and truth is recomputed from the tokens
// by its definition, without scans.
#include <gtest/gtest.h>

#include <algorithm>
#include <sstream>

#include "data/task_of.h"
#include "data/task_variants.h"

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

int truth(const Example& e, size_t k, int step, size_t t) {
  return e.truths[k][static_cast<size_t>(step) * e.tokens.size() + t];
}

size_t window_start(size_t t, int step) {
  const size_t width = size_t{2} << step;
  return t + 1 >= width ? t + 1 - width : 0;
}

TEST(PrefixParityOracle, CountsOnes) {
  const auto task = make_task("prefix_parity");
  for_examples(*task, 100, [&](const Example& e, Split split) {
    ASSERT_EQ(split == Split::ood, e.length > 16);
    const auto ones = [&](size_t from, size_t to) {
      return std::count(e.tokens.begin() + static_cast<int64_t>(from),
                        e.tokens.begin() + static_cast<int64_t>(to) + 1,
                        1);
    };
    for (size_t t = 0; t < static_cast<size_t>(e.length); ++t) {
      ASSERT_EQ(e.targets[t], ones(0, t) % 2);
      ASSERT_EQ(e.position_difficulty[t], ones(0, t));
      for (int s = 0; s < 5; ++s) {
        ASSERT_EQ(truth(e, 0, s, t), ones(window_start(t, s), t) % 2);
      }
    }
  });
}

TEST(ParityOracle, CountsPlusses) {
  const auto task = make_task("parity");
  std::vector<int> drawn(17, 0);
  for_examples(*task, 300, [&](const Example& e, Split split) {
    std::string text;
    for (const int32_t token : e.tokens) {
      text += task->token_text(token);
    }
    ASSERT_EQ(text.size(), 17u);
    ASSERT_EQ(text.find('='), 16u);
    const auto entries = 16 - std::count(text.begin(), text.end(), '0');
    ASSERT_EQ(e.difficulty, entries);
    ASSERT_TRUE(split == Split::ood ? entries > 8 : entries >= 1 && entries <= 8);
    drawn[static_cast<size_t>(entries)] += split == Split::test ? 0 : 1;
    for (size_t t = 0; t < 16; ++t) {
      ASSERT_EQ(e.targets[t], -1);
      const auto end = text.begin() + static_cast<int64_t>(t) + 1;
      ASSERT_EQ(truth(e, 0, 0, t), std::count(text.begin(), end, '+') % 2);
    }
    ASSERT_EQ(e.targets[16], std::count(text.begin(), text.end(), '+') % 2);
    const auto other = task->counterfactual(e, 1, 2);
    ASSERT_EQ(other->difficulty, e.difficulty);
    ASSERT_NE(other->targets[16], e.targets[16]);
  });
  for (size_t k = 1; k <= 16; ++k) {  // every number of entries is about as frequent: 37.5
    EXPECT_NEAR(drawn[k], 37.5, 25) << k;
  }
}

/// Follows every point through the elements from..to, applied in that order.
std::string compose(const Task& task, const Example& e, size_t from, size_t to, size_t points) {
  std::string image;
  for (size_t p = 0; p < points; ++p) {
    char at = static_cast<char>('0' + p);
    for (size_t t = from; t <= to; ++t) {
      at = task.token_text(e.tokens[t])[static_cast<size_t>(at - '0')];
    }
    image += at;
  }
  return image;
}

bool odd(const std::string& permutation) {  // points minus cycles
  size_t cycles = 0;
  std::string left = permutation;
  for (size_t i = 0; i < left.size(); ++i) {
    if (left[i] != 'x') {
      ++cycles;
      for (size_t at = i; left[at] != 'x';) {
        const size_t next = static_cast<size_t>(left[at] - '0');
        left[at] = 'x';
        at = next;
      }
    }
  }
  return (permutation.size() - cycles) % 2 == 1;
}

TEST(GroupWordOracle, FollowsPointsThroughPermutations) {
  for (const size_t points : {size_t{3}, size_t{4}, size_t{5}}) {
    const auto task =
        make_task("group_word", testing::with_group(("S" + std::to_string(points)).c_str()));
    for_examples(*task, 20, [&](const Example& e, Split split) {
      ASSERT_EQ(split == Split::ood, e.length > 16);
      for (size_t t = 0; t < static_cast<size_t>(e.length); ++t) {
        const std::string product = compose(*task, e, 0, t, points);
        ASSERT_EQ(task->answer_text(e.targets[t]), product);
        ASSERT_EQ(truth(e, 1, 0, t), odd(product) ? 1 : 0);
        for (int s = 0; s < 5; ++s) {
          ASSERT_EQ(task->token_text(truth(e, 0, s, t)),
                    compose(*task, e, window_start(t, s), t, points));
        }
      }
    });
  }
}

TEST(GroupWordOracle, AddsInCyclicGroups) {
  const auto task = make_task("group_word", testing::with_group("Z7"));
  for_examples(*task, 100, [&](const Example& e, Split) {
    for (size_t t = 0; t < static_cast<size_t>(e.length); ++t) {
      int sum = 0;
      for (size_t i = 0; i <= t; ++i) {
        sum += e.tokens[i];
      }
      ASSERT_EQ(e.targets[t], sum % 7);
    }
  });
}

/// The value after the maps from..to, read from their texts "as+b".
int run_maps(const Task& task, const Example& e, size_t from, size_t to, int value) {
  for (size_t t = from; t <= to; ++t) {
    int a = 0, b = 0;
    char s = 0, plus = 0;
    std::istringstream(task.token_text(e.tokens[t])) >> a >> s >> plus >> b;
    EXPECT_EQ(std::string({s, plus}), "s+");
    value = (a * value + b) % 5;
  }
  return value;
}

TEST(AffineChainOracle, AppliesTheMapsOneByOne) {
  const auto task = make_task("affine_chain");
  for_examples(*task, 60, [&](const Example& e, Split split) {
    ASSERT_EQ(split == Split::ood, e.length > 16);
    ASSERT_EQ(e.targets[0], -1);
    for (size_t t = 1; t < static_cast<size_t>(e.length); ++t) {
      ASSERT_EQ(e.targets[t], run_maps(*task, e, 1, t, e.tokens[0]));
      for (int s = 0; s < task->spec().truths[0].steps; ++s) {
        const size_t from = std::max<size_t>(1, window_start(t, s));
        const int at0 = run_maps(*task, e, from, t, 0), at1 = run_maps(*task, e, from, t, 1);
        ASSERT_EQ(truth(e, 1, s, t), at0);
        ASSERT_EQ(truth(e, 0, s, t), (at1 - at0 + 5) % 5);
      }
    }
  });
}

TEST(AffineChainOracle, IteratesOneMap) {
  const auto task = make_task("affine_chain", testing::with_form("iterate"));
  for_examples(*task, 150, [&](const Example& e, Split) {
    int value = e.tokens[2];
    for (int s = 0; s < 32; ++s) {
      value = (value * e.tokens[0] + e.tokens[1]) % 13;
      ASSERT_EQ(e.targets[static_cast<size_t>(3 * s + 2)], value);
      for (int k = 0; k < 4; ++k) {
        ASSERT_TRUE(s + 1 != 1 << k || truth(e, 0, k, 2) == value);
      }
    }
  });
}

/// The paper's definition on the string that ends at `at`; -1 where a letter has not occurred
/// before.
int hop_from(const std::vector<int>& letters, int at) {
  for (int j = at - 1; j >= 0; --j) {
    if (letters[static_cast<size_t>(j)] == letters[static_cast<size_t>(at)]) {
      return j + 1;
    }
  }
  return -1;
}

TEST(PHopOracle, SearchesBackwards) {
  for (const char* form : {"final", "every_loop"}) {
    const auto task = make_task("p_hop", testing::with_form(form));
    const int hops = task->spec().truths[0].steps;
    for_examples(*task, 60, [&](const Example& e, Split split) {
      ASSERT_EQ(split == Split::ood, e.length > 32);
      const std::vector<int> letters(e.tokens.begin(), e.tokens.begin() + e.length);
      for (int t = 0; t < e.length; ++t) {
        int at = t;
        for (int s = 0; s < hops; ++s) {
          at = at < 0 ? -1 : hop_from(letters, at);
          const size_t T = e.tokens.size(), p = static_cast<size_t>(t);
          const int letter = at < 0 ? -1 : letters[static_cast<size_t>(at)];
          ASSERT_EQ(truth(e, 0, s, p), letter);
          ASSERT_EQ(truth(e, 1, s, p), at);
          if (std::string(form) == "every_loop") {
            ASSERT_EQ(e.targets[static_cast<size_t>(s) * T + p], letter);
          } else if (s + 1 == hops) {
            ASSERT_EQ(e.targets[p], letter);
          }
        }
      }
    });
  }
}

int64_t power_of_ten(size_t n) {
  return n == 0 ? 1 : 10 * power_of_ten(n - 1);
}

TEST(AdditionOracle, AddsInMachineIntegers) {
  for (const char* form : {"columns", "digits"}) {
    const bool by_digit = std::string(form) == "digits";
    const auto task = make_task("addition", testing::with_form(form));
    for_examples(*task, 100, [&](const Example& e, Split split) {
      int64_t a = 0, b = 0;
      for (size_t c = 0; c < 13; ++c) {
        a += power_of_ten(c) * (by_digit ? e.tokens[c] : e.tokens[c] / 10);
        b += power_of_ten(c) * (by_digit ? e.tokens[13 + c] : e.tokens[c] % 10);
      }
      const size_t answer = by_digit ? 26 : 0;
      int longest = 0;
      for (size_t c = 0; c < 13; ++c) {
        ASSERT_EQ(e.targets[answer + c], (a + b) / power_of_ten(c) % 10);
        for (size_t s = 0; s < 12; ++s) {
          const size_t low = c > s + 1 ? c - s - 1 : 0;
          const int64_t part = power_of_ten(c - low);
          const int64_t sum = a / power_of_ten(low) % part + b / power_of_ten(low) % part;
          ASSERT_EQ(truth(e, 0, static_cast<int>(s), answer + c), sum >= part ? 1 : 0);
        }
        // A carry that has run through w columns is there with w columns below counted, not with w
        // - 1.
        int run = 0;
        for (int s = 11; s >= 0 && truth(e, 0, s, answer + c) == 1; --s) {
          run = s + 1;
        }
        longest = std::max(longest, run);
      }
      ASSERT_EQ(e.difficulty, longest);
      ASSERT_EQ(split == Split::ood, longest > 6);
    });
  }
}

/// The words of a written example behind ||, and what stands in the question.
struct WrittenText {
  std::string question, rest;
};
WrittenText written_text(const Task& task, const Example& e) {
  std::string text;
  for (int t = 0; t < e.length; ++t) {
    text += task.token_text(e.tokens[static_cast<size_t>(t)]) + " ";
  }
  const size_t mark = text.find("|| ");
  return {text.substr(0, mark), text.substr(mark + 3)};
}

TEST(AdditionOracle, WritesTheColumns) {
  const auto task = make_task("addition", testing::with_form("steps"));
  for_examples(*task, 50, [&](const Example& e, Split split) {
    const WrittenText text = written_text(*task, e);
    int64_t a = 0, b = 0;
    for (size_t c = 0; c < 12; ++c) {
      a += power_of_ten(c) * (text.question[2 * c] - '0');
      b += power_of_ten(c) * (text.question[2 * c + 26] - '0');
    }
    ASSERT_EQ(text.question[24], '+');
    std::ostringstream rest;
    int longest = 0, run = 0;
    for (size_t c = 0; c < 12; ++c) {
      const int64_t ten = power_of_ten(c);
      const int64_t in = (a % ten + b % ten) / ten, sum = a / ten % 10 + b / ten % 10 + in;
      rest << a / ten % 10 << ' ' << b / ten % 10 << ' ' << in << " = " << sum % 10 << ' '
           << sum / 10 << ' ';
      run = sum / 10 == 0 ? 0 : sum - in == 9 ? run + 1 : 1;
      longest = std::max(longest, run);
    }
    rest << "#### ";
    for (size_t c = 0; c < 13; ++c) {
      rest << (a + b) / power_of_ten(c) % 10 << ' ';
    }
    ASSERT_EQ(text.rest, rest.str() + "end ");
    ASSERT_EQ(e.difficulty, longest);
    ASSERT_EQ(split == Split::ood, longest > 6);
    const size_t answer = text.question.size() / 2 + 1 + 72;  // position of ####
    for (size_t c = 0; c < 13; ++c) {
      const int64_t ten = power_of_ten(c);
      ASSERT_EQ(truth(e, 0, 11, answer + c), (a % ten + b % ten) / ten);
      ASSERT_EQ(truth(e, 1, 0, answer + c), a / ten % 10 + b / ten % 10);
    }
  });
}

/// Recursive descent over the words; returns the value and writes the value of each closing
/// bracket.
int evaluate(const std::vector<std::string>& words,
             size_t* at,
             std::vector<int>* values,
             int* height) {
  const std::string& word = words[(*at)++];
  *height = 0;
  if (word.size() == 1) {
    return word[0] - '0';
  }
  std::vector<int> arguments;
  while (words[*at] != "]") {
    int inner = 0;
    arguments.push_back(evaluate(words, at, values, &inner));
    *height = std::max(*height, inner);
  }
  ++*height;
  std::vector<int> sorted = arguments;
  std::sort(sorted.begin(), sorted.end());
  const int value = word == "[MAX"     ? sorted.back()
                    : word == "[MIN"   ? sorted[0]
                    : word == "[FIRST" ? arguments[0]
                                       : arguments.back();
  (*values)[(*at)++] = value;
  return value;
}

TEST(ListOpsOracle, DescendsRecursively) {
  const auto task = make_task("listops");
  for_examples(*task, 200, [&](const Example& e, Split split) {
    std::vector<std::string> words;
    for (int t = 1; t < e.length; ++t) {
      words.push_back(task->token_text(e.tokens[static_cast<size_t>(t)]));
    }
    std::vector<int> values(words.size(), -1);
    size_t at = 0;
    int depth = 0;
    ASSERT_EQ(e.targets[0], evaluate(words, &at, &values, &depth));
    ASSERT_EQ(at, words.size());
    ASSERT_EQ(e.difficulty, depth);
    ASSERT_EQ(split == Split::ood, depth > 5);
    for (size_t i = 0; i < values.size(); ++i) {
      ASSERT_EQ(truth(e, 0, 0, i + 1), values[i]);
    }
  });
}

}  // namespace
}  // namespace sv

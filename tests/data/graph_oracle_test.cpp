// Independent oracles of the graph tasks: targets, truths and difficulties are recomputed from the
// tokens alone, by matrix closure and function composition instead of walking.
#include <gtest/gtest.h>

#include <algorithm>
#include <map>
#include <set>

#include "data/task_of.h"
#include "data/task_variants.h"

namespace sv {
namespace {

using Function = std::vector<int>;
using Distances = std::vector<std::vector<int>>;
constexpr int kFar = 1 << 20;

Function power(const Function& f, int exponent) {  // by repeated squaring
  Function result(f.size()), base = f;
  for (size_t i = 0; i < f.size(); ++i) {
    result[i] = static_cast<int>(i);
  }
  for (; exponent > 0; exponent /= 2) {
    if (exponent % 2 == 1) {
      for (int& v : result) {
        v = base[static_cast<size_t>(v)];
      }
    }
    const Function once = base;
    for (int& v : base) {
      v = once[static_cast<size_t>(v)];
    }
  }
  return result;
}

/// Floyd-Warshall over directed edges; 0 on the diagonal.
Distances all_distances(int nodes, const std::vector<std::pair<int, int>>& edges) {
  const size_t n = static_cast<size_t>(nodes);
  Distances d(n, std::vector<int>(n, kFar));
  for (size_t i = 0; i < n; ++i) {
    d[i][i] = 0;
  }
  for (const auto& [a, b] : edges) {
    if (a != b) {
      d[static_cast<size_t>(a)][static_cast<size_t>(b)] = 1;
    }
  }
  for (size_t k = 0; k < n; ++k) {
    for (size_t i = 0; i < n; ++i) {
      for (size_t j = 0; j < n; ++j) {
        d[i][j] = std::min(d[i][j], d[i][k] + d[k][j]);
      }
    }
  }
  return d;
}

template <class Check>
void for_examples(const Task& task, int count, const Check& check) {
  for (const Split split : {Split::train, Split::test, Split::ood}) {
    for (int i = 0; i < count && task.count(split) != 0; ++i) {
      check(task.example(split, 11, static_cast<uint64_t>(i)), split);
      if (::testing::Test::HasFatalFailure()) {
        FAIL() << split_name(split) << " example " << i;
      }
    }
  }
}

int truth(const Example& e, size_t k, int step, size_t t) {
  return e.truths[k][static_cast<size_t>(step) * e.tokens.size() + t];
}

TEST(LinkedListOracle, AgreesOnEndsDistancesAndNodesAhead) {
  const auto task = make_task("linked_list");
  for_examples(*task, 150, [&](const Example& e, Split split) {
    const Function f(e.tokens.begin(), e.tokens.end());
    const Function end = power(f, 16);
    std::vector<std::pair<int, int>> edges;
    for (int i = 0; i < 16; ++i) {
      edges.emplace_back(i, f[static_cast<size_t>(i)]);
    }
    const Distances d = all_distances(16, edges);
    for (size_t t = 0; t < 16; ++t) {
      const int far = d[t][static_cast<size_t>(end[t])];
      ASSERT_EQ(e.targets[t], end[t]);
      ASSERT_EQ(e.position_difficulty[t], far);
      for (int s = 0; s < task->spec().truths[0].steps; ++s) {
        ASSERT_EQ(truth(e, 0, s, t), s + 1 < far ? power(f, s + 1)[t] : -1);
      }
    }
    // Lists: ends are the fixed points, and nothing else has two predecessors.
    const auto ends = std::set<int>(end.begin(), end.end()).size();
    ASSERT_TRUE(split == Split::ood ? ends == 1 : ends >= 2 && ends <= 4);
  });
}

TEST(PermutationPowerOracle, AgreesOnPowersAndCycles) {
  const auto task = make_task("permutation_power");
  for_examples(*task, 60, [&](const Example& e, Split) {
    const Function f(e.tokens.begin(), e.tokens.end());
    ASSERT_EQ(std::set<int>(f.begin(), f.end()).size(), 16u);
    for (int s = 0; s < 32; ++s) {
      const Function fs = power(f, s + 1);
      ASSERT_TRUE(std::equal(fs.begin(), fs.end(), e.targets.begin() + s * 16)) << s;
    }
    for (size_t t = 0; t < 16; ++t) {
      int order = 1;
      while (power(f, order)[t] != static_cast<int>(t)) {
        ++order;
      }
      ASSERT_EQ(truth(e, 1, 0, t), order);
      ASSERT_EQ(e.position_difficulty[t], order);
      for (int s = 0; s < 4; ++s) {
        ASSERT_EQ(truth(e, 0, s, t), power(f, 1 << s)[t]);
      }
    }
    ASSERT_EQ(e.difficulty,
              *std::max_element(e.position_difficulty.begin(), e.position_difficulty.end()));
  });
}

int path_nodes(const Function& f, size_t start) {
  std::set<int> seen;
  for (int k = 0; k < static_cast<int>(f.size()); ++k) {
    seen.insert(power(f, k)[start]);
  }
  return static_cast<int>(seen.size());
}

TEST(PointerChaseOracle, AgreesWithDensePowersOfTheFunction) {
  const auto task = make_task("pointer_chase");
  for_examples(*task, 40, [&](const Example& e, Split split) {
    const Function f(e.tokens.begin(), e.tokens.end());
    int longest = 0;
    for (size_t t = 0; t < 16; ++t) {
      ASSERT_EQ(e.position_difficulty[t], path_nodes(f, t));
      longest = std::max(longest, path_nodes(f, t));
      for (int s = 0; s < 32; ++s) {
        ASSERT_EQ(e.targets[static_cast<size_t>(s) * 16 + t], power(f, s + 1)[t]);
        if (s < 8) {
          ASSERT_EQ(truth(e, 0, s, t), power(f, s + 1)[t]);
        }
      }
    }
    ASSERT_EQ(split == Split::ood, longest > 8);
  });
}

TEST(PointerChaseOracle, AsksOneNodeWithTheHopToken) {
  const auto task = make_task("pointer_chase", testing::with_form("hop_token"));
  for_examples(*task, 150, [&](const Example& e, Split split) {
    const Function f(e.tokens.begin(), e.tokens.begin() + 16);
    const size_t start = static_cast<size_t>(e.tokens[16]);
    const int hops = e.tokens[17] - 16 + 1;
    for (size_t t = 0; t < 17; ++t) {
      ASSERT_EQ(e.targets[t], -1);
    }
    ASSERT_EQ(e.targets[17], power(f, hops)[start]);
    ASSERT_EQ(e.difficulty, hops);
    for (int s = 0; s < task->spec().truths[0].steps; ++s) {
      ASSERT_EQ(truth(e, 0, s, 17), s + 1 < hops ? power(f, s + 1)[start] : -1);
    }
    int longest = 0;
    for (size_t t = 0; t < 16; ++t) {
      longest = std::max(longest, path_nodes(f, t));
    }
    ASSERT_EQ(split == Split::ood, longest > 8);
  });
}

TEST(PointerChaseOracle, WritesTheNodesPassed) {
  const auto task = make_task("pointer_chase", testing::with_form("steps"));
  for_examples(*task, 150, [&](const Example& e, Split) {
    std::vector<std::string> words;
    for (int t = 0; t < e.length; ++t) {
      words.push_back(task->token_text(e.tokens[static_cast<size_t>(t)]));
    }
    Function f;
    for (size_t i = 0; i < 16; ++i) {
      f.push_back(std::stoi(words[i]));
    }
    const size_t start = static_cast<size_t>(std::stoi(words[16]));
    const int hops = std::stoi(words[17].substr(1));
    ASSERT_EQ(e.difficulty, hops);
    ASSERT_EQ(words[18], "||");
    const size_t answer = static_cast<size_t>(18 + hops);  // position of ####
    for (int k = 1; k < hops; ++k) {
      ASSERT_EQ(words[static_cast<size_t>(18 + k)], std::to_string(power(f, k)[start]));
      ASSERT_EQ(truth(e, 0, k - 1, 18), power(f, k)[start]);
      ASSERT_EQ(truth(e, 0, k - 1, answer), power(f, k)[start]);
    }
    ASSERT_EQ(truth(e, 0, hops - 1, 18), -1);
    ASSERT_EQ(words[answer], "####");
    ASSERT_EQ(words[answer + 1], std::to_string(power(f, hops)[start]));
    ASSERT_EQ(words.size(), answer + 3);
  });
}

TEST(ReachabilityOracle, AgreesWithTheClosureOfTheGraph) {
  const auto task = make_task("reachability");
  int yes = 0, asked = 0;
  std::array<std::array<int, 2>, 2> table{};  // parents - 1, answer
  for_examples(*task, 150, [&](const Example& e, Split) {
    std::vector<std::pair<int, int>> edges;
    int root = -1;
    for (int t = 0; t < 32; ++t) {
      const int token = e.tokens[static_cast<size_t>(t)];
      root = token == 17 ? t / 2 : root;
      if (token < 16) {
        edges.emplace_back(token, t / 2);
      }
    }
    ASSERT_GE(root, 0);
    const Distances d = all_distances(16, edges);
    int farthest = 0;
    for (int i = 0; i < 16; ++i) {
      const size_t t = static_cast<size_t>(2 * i);
      const int far = d[static_cast<size_t>(root)][static_cast<size_t>(i)];
      const bool is_root = e.tokens[t] >= 16 && e.tokens[t + 1] >= 16;
      ASSERT_EQ(e.targets[t], is_root ? -1 : far < kFar ? 1 : 0);
      ASSERT_EQ(e.targets[t + 1], -1);
      farthest = std::max(farthest, far < kFar ? far : 0);
      yes += e.targets[t] == 1 ? 1 : 0;
      asked += e.targets[t] >= 0 ? 1 : 0;
      if (e.targets[t] >= 0) {
        ++table[e.tokens[t + 1] < 16 ? 1 : 0][static_cast<size_t>(e.targets[t])];
      }
      for (int s = 0; s < task->spec().truths[0].steps; ++s) {
        ASSERT_EQ(truth(e, 0, s, t), is_root ? -1 : far <= s + 1 ? 1 : 0);
      }
    }
    ASSERT_EQ(e.difficulty, farthest);
  });
  EXPECT_NEAR(static_cast<double>(yes) / asked, 0.5, 0.1);  // neither answer is a good guess
  const auto share = [&](size_t k) {
    return static_cast<double>(table[k][1]) / (table[k][0] + table[k][1]);
  };
  EXPECT_NEAR(share(0), share(1), 0.15);  // and the number of parents tells little
}

TEST(TwoHopOracle, ComposesTheFactsOfTraining) {
  const auto task = make_task("two_hop");
  std::map<std::string, std::string> fact;  // "head relation" -> tail
  std::set<std::string> composed, tested, systematic;
  std::array<std::set<std::string>, 3> used;  // facts in compositions, by split
  const auto word = [&](const Example& e, size_t t) { return task->token_text(e.tokens[t]); };
  for (const Split split : {Split::train, Split::test, Split::ood}) {
    for (int64_t i = 0; i < task->count(split); ++i) {
      const Example e = task->example(split, 1, static_cast<uint64_t>(i));
      const std::string one = word(e, 0) + " " + word(e, 1);
      if (e.length == 2) {
        ASSERT_TRUE(split == Split::train && i < 1000);  // the facts come first
        ASSERT_TRUE(fact.emplace(one, task->answer_text(e.targets[1])).second);
        ASSERT_EQ(e.difficulty, 1);
        ASSERT_EQ(truth(e, 0, 0, 1), -1);
        continue;
      }
      const std::string two = fact.at(one) + " " + word(e, 2);
      ASSERT_EQ(e.difficulty, 2);
      ASSERT_EQ(task->answer_text(e.targets[2]), fact.at(two));
      ASSERT_EQ(e.targets[1], -1);
      ASSERT_EQ(task->answer_text(truth(e, 0, 0, 1)), fact.at(one));
      ASSERT_EQ(task->answer_text(truth(e, 0, 0, 2)), fact.at(one));
      const std::string all = one + " " + word(e, 2);
      ASSERT_TRUE((split == Split::train  ? composed
                   : split == Split::test ? tested
                                          : systematic)
                      .insert(all)
                      .second);
      used[static_cast<size_t>(split)].insert({one, two});
      const auto other = task->counterfactual(e, 1, static_cast<uint64_t>(i));
      ASSERT_TRUE(other.has_value());
      ASSERT_NE(other->targets[2], e.targets[2]);
      ASSERT_EQ(other->tokens[1], e.tokens[1]);
      ASSERT_EQ(other->tokens[2], e.tokens[2]);
    }
  }
  EXPECT_EQ(fact.size(), 1000u);  // every entity with every relation
  for (const std::string& held : tested) {
    EXPECT_FALSE(composed.contains(held));
  }
  for (const std::string& alone : used[2]) {  // ood facts occur in no other composition
    EXPECT_FALSE(used[0].contains(alone) || used[1].contains(alone)) << alone;
  }
  EXPECT_NEAR(
      static_cast<double>(tested.size()) / static_cast<double>(tested.size() + composed.size()),
      0.125,
      0.016);  // 4 standard deviations
  EXPECT_NEAR(static_cast<double>(systematic.size()), 156, 60);
}

struct Statements {
  std::map<std::string, int> index;
  std::vector<std::pair<int, int>> edges;
  std::vector<std::pair<std::string, size_t>> tails;  // word and position
  std::string person, first, second;

  int id(const std::string& word) {
    return index.emplace(word, static_cast<int>(index.size())).first->second;
  }
};

Statements read_graph(const Task& task, const Example& e) {
  Statements g;
  const auto word = [&](size_t t) { return task.token_text(e.tokens[t]); };
  g.person = word(0);
  g.first = word(1);
  g.second = word(2);
  for (size_t t = 3; t < static_cast<size_t>(e.length); t += 2) {
    g.edges.emplace_back(g.id(word(t)), g.id(word(t + 1)));
    g.tails.emplace_back(word(t + 1), t + 1);
  }
  return g;
}

Statements read_sentences(const Task& task, const Example& e) {
  Statements g;
  std::vector<std::string> words;
  for (int t = 0; t < e.length; ++t) {
    words.push_back(task.token_text(e.tokens[static_cast<size_t>(t)]));
  }
  size_t t = 0;
  while (words[t] != "Is") {
    t += words[t] == "Every" ? 1 : 0;
    EXPECT_EQ(words[t + 1] + words[t + 2] + words[t + 4], "isa.");
    g.edges.emplace_back(g.id(words[t]), g.id(words[t + 3]));
    g.tails.emplace_back(words[t + 3], t + 3);
    t += 5;
  }
  EXPECT_EQ(words.size(), t + 7);
  EXPECT_EQ(words[t + 2] + words[t + 4] + words[t + 6], "aor?");
  g.person = words[t + 1];
  g.first = words[t + 3];
  g.second = words[t + 5];
  return g;
}

class ProsqaOracle : public ::testing::TestWithParam<const char*> {};

TEST_P(ProsqaOracle, AgreesWithTheClosureOfTheStatements) {
  const std::string form = GetParam();
  const auto task = make_task("prosqa", testing::with_form(GetParam()));
  for_examples(*task, 60, [&](const Example& e, Split split) {
    Statements g = form == "words" ? read_sentences(*task, e) : read_graph(*task, e);
    const int person = g.id(g.person);
    const Distances d = all_distances(60, g.edges);
    const auto far = [&](const std::string& w) {
      return d[static_cast<size_t>(person)][static_cast<size_t>(g.id(w))];
    };
    const bool first = far(g.first) < kFar;
    ASSERT_NE(first, far(g.second) < kFar);  // exactly one option is reached
    const size_t asks = form == "words" ? static_cast<size_t>(e.length - 1) : 0;
    const bool dense = form == "graph_dense";
    const size_t positions = e.tokens.size();
    const int steps = static_cast<int>(e.targets.size() / positions);
    ASSERT_EQ(steps, dense ? 8 : 1);
    for (int s = 0; s < steps; ++s) {  // dense: asked once so many statements reach the answer
      const bool asked = !dense || s + 1 >= far(first ? g.first : g.second);
      ASSERT_EQ(e.targets[static_cast<size_t>(s) * positions + asks], asked ? (first ? 0 : 1) : -1);
    }
    ASSERT_EQ(e.difficulty, far(first ? g.first : g.second));
    ASSERT_EQ(split == Split::ood, e.difficulty > 6);
    for (const auto& [word, t] : g.tails) {
      for (int s = 0; s < 8; ++s) {
        ASSERT_EQ(truth(e, 0, s, t), far(word) <= s + 1 ? 1 : 0);
      }
      for (int s = 0; s < steps; ++s) {
        ASSERT_EQ(e.targets[static_cast<size_t>(s) * positions + t],
                  !dense               ? -1
                  : far(word) <= s + 1 ? 3
                                       : 2);
      }
    }
  });
}

TEST(ProsqaSteps, WriteAShortestWay) {
  const auto task = make_task("prosqa", testing::with_form("graph_steps"));
  for_examples(*task, 60, [&](const Example& e, Split) {
    std::vector<std::string> words;
    for (int t = 0; t < e.length; ++t) {
      words.push_back(task->token_text(e.tokens[static_cast<size_t>(t)]));
    }
    const auto at = [&](const char* word) {
      return static_cast<size_t>(std::find(words.begin(), words.end(), word) - words.begin());
    };
    const size_t think = at("||"), answer = at("####");
    std::map<std::string, int> index;
    const auto id = [&](const std::string& w) {
      return index.emplace(w, static_cast<int>(index.size())).first->second;
    };
    std::set<std::pair<std::string, std::string>> stated;
    std::vector<std::pair<int, int>> edges;
    for (size_t t = 3; t < think; t += 2) {
      stated.emplace(words[t], words[t + 1]);
      edges.emplace_back(id(words[t]), id(words[t + 1]));
    }
    std::string place = words[0];
    for (size_t t = think + 1; t < answer; t += 2) {
      ASSERT_EQ(words[t], place);
      ASSERT_TRUE(stated.contains({words[t], words[t + 1]}));
      place = words[t + 1];
    }
    const Distances d = all_distances(60, edges);
    const auto far = [&](const std::string& w) {
      return d[static_cast<size_t>(id(words[0]))][static_cast<size_t>(id(w))];
    };
    ASSERT_EQ(words[answer + 1], place);
    ASSERT_EQ(2 * far(place), static_cast<int>(answer - think) - 1);
    ASSERT_EQ(far(words[1]) < kFar, place == words[1]);
    ASSERT_EQ(far(words[2]) < kFar, place == words[2]);
    ASSERT_EQ(e.difficulty, far(place));
  });
}

INSTANTIATE_TEST_SUITE_P(
    Forms, ProsqaOracle, ::testing::Values("graph", "graph_dense", "words"), [](const auto& p) {
      return std::string(p.param) == "graph_dense" ? "GraphDense" : std::string(p.param);
    });

}  // namespace
}  // namespace sv

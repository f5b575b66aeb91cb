// Reachability in a small DAG with two roots (the compact form of ProsQA): every node holds one or
// two tokens, its parents; one root is marked, and every other node asks whether the marked root
// reaches it.
#include <algorithm>

#include "data/task_of.h"
#include "data/task_options.h"

namespace sv {
namespace {

using Parents = std::array<int, 2>;  // kNone where absent
inline constexpr int kNone = -1;
inline constexpr int kFar = 1 << 20;

struct Dag {
  std::vector<Parents> parents;
  int marked = 0, other = 0;  // roots
};

class Reachability final : public TaskOf<Dag> {
 public:
  explicit Reachability(const TaskOptions& o)
      : nodes_(option(o.size, 16, 8, 128, "size")),
        hops_(option(o.hops, 4, 1, nodes_ / 3, "hops")) {
    spec_.name = "reachability";
    spec_.positions = 2 * nodes_;
    spec_.vocab = nodes_ + 2;
    spec_.answers = 2;
    spec_.coordinates = {{"node", nodes_, {}}, {"slot", 2, {}}};
    for (int t = 0; t < spec_.positions; ++t) {
      spec_.coordinates[0].ids.push_back(t / 2);
      spec_.coordinates[1].ids.push_back(t % 2);
    }
    spec_.truths = {
        {"reached", "reached within step+1 hops; first slot of each node", 2, 2 * hops_, ""}};
    spec_.difficulty = "largest distance from the marked root";
    spec_.max_difficulty = 2 * hops_;
  }
  std::string token_text(int id) const override {
    return id < nodes_ ? std::to_string(id) : id == nodes_ ? "-" : "root";
  }
  std::string answer_text(int id) const override { return id == 0 ? "no" : "yes"; }
  std::vector<std::string> notes() const override {
    const auto right = [this](const Dag& x) {
      const Example e = work_out(x);
      double hits = 0, asked = 0;
      for (size_t t = 0; t < e.tokens.size(); t += 2) {
        asked += e.targets[t] >= 0 ? 1 : 0;
        hits += e.targets[t] >= 0 && (e.targets[t] == 1) == (e.tokens[t + 1] < nodes_) ? 1 : 0;
      }
      return hits / asked;
    };
    return {
        "shortcut to beat, a node with two parents is reached and one with one is not: right at " +
        percent_of(Split::test, 1000, right) + " test graphs"};
  }

 protected:
  std::optional<Dag> draw(RngCursor& rng, bool ood) const override {
    Dag x;
    std::vector<int> order(static_cast<size_t>(nodes_));
    for (int i = 0; i < nodes_; ++i) {
      order[static_cast<size_t>(i)] = i;
    }
    rng.shuffle(order);
    x.parents.assign(order.size(), {kNone, kNone});
    x.marked = order[0];
    x.other = order[1];
    // Nodes the marked root does not reach (0) or does (1), in the order of their making.
    std::array<std::vector<int>, 2> side{std::vector<int>{x.other}, std::vector<int>{x.marked}};
    std::vector<int> distance(order.size(), kFar);  // from the marked root
    distance[static_cast<size_t>(x.marked)] = 0;
    int depth = 0;
    for (size_t i = 2; i < order.size(); ++i) {
      const bool two = rng.below(2) == 1;
      const size_t reached = rng.below(2);
      const std::optional<Parents> p = draw_parents(rng, side, reached, two);
      if (!p) {
        return std::nullopt;
      }
      x.parents[static_cast<size_t>(order[i])] = *p;
      side[reached].push_back(order[i]);
      int& d = distance[static_cast<size_t>(order[i])];
      for (const int parent : *p) {
        d = parent == kNone ? d : std::min(d, distance[static_cast<size_t>(parent)] + 1);
      }
      depth = std::max(depth, d < kFar ? d : 0);
    }
    const bool fits = ood ? depth > hops_ && depth <= 2 * hops_ : depth <= hops_;
    return fits ? std::optional(x) : std::nullopt;
  }

  std::string canonical(const Dag& x) const override {
    std::string text = std::to_string(x.marked) + ":";
    for (Parents p : x.parents) {
      std::sort(p.begin(), p.end());
      text += " " + std::to_string(p[0]) + "," + std::to_string(p[1]);
    }
    return text;
  }

  Example work_out(const Dag& x) const override {
    Example e = blank_example(spec_);
    const std::vector<int> distance = distances(x);
    for (int i = 0; i < nodes_; ++i) {
      const size_t node = static_cast<size_t>(i);
      const int d = distance[node];
      for (size_t slot = 0; slot < 2; ++slot) {
        const int parent = x.parents[node][slot];
        e.tokens[2 * node + slot] = i == x.marked ? nodes_ + 1 : parent == kNone ? nodes_ : parent;
      }
      if (i != x.marked && i != x.other) {
        e.targets[2 * node] = d >= 0 ? 1 : 0;
        e.position_difficulty[2 * node] = d;
        for (int s = 0; s < spec_.truths[0].steps; ++s) {
          truth_at(&e, spec_, 0, s, 2 * i) = d >= 0 && d <= s + 1 ? 1 : 0;
        }
      }
      e.difficulty = std::max(e.difficulty, d);
    }
    return e;
  }

 private:
  /// The newest node half of the time, so that paths get long; any node otherwise.
  static int pick(RngCursor& rng, const std::vector<int>& nodes) {
    return rng.below(2) == 0 ? nodes.back() : nodes[rng.below(static_cast<uint32_t>(nodes.size()))];
  }

  /// One or two different parents. One decides the side; the second of a reached node may be any
  /// node, that of another node only an unreached one. Nothing if no different second one turns up.
  static std::optional<Parents> draw_parents(RngCursor& rng,
                                             const std::array<std::vector<int>, 2>& side,
                                             size_t reached,
                                             bool two) {
    Parents p{pick(rng, side[reached]), kNone};
    for (int attempt = 0; two && attempt < 8; ++attempt) {
      const int second = pick(rng, side[reached == 1 && rng.below(2) == 0 ? 1 : 0]);
      if (second != p[0]) {
        return rng.below(2) == 1 ? Parents{second, p[0]} : Parents{p[0], second};
      }
    }
    return two ? std::nullopt : std::optional(p);
  }

  /// From the marked root, -1 where it does not reach: rounds of relaxation until nothing changes.
  std::vector<int> distances(const Dag& x) const {
    std::vector<int> distance(x.parents.size(), -1);
    distance[static_cast<size_t>(x.marked)] = 0;
    for (int round = 1; round < nodes_; ++round) {
      for (size_t i = 0; i < x.parents.size(); ++i) {
        for (const int p : x.parents[i]) {
          if (distance[i] < 0 && p != kNone && distance[static_cast<size_t>(p)] == round - 1) {
            distance[i] = round;
          }
        }
      }
    }
    return distance;
  }

  int nodes_, hops_;
};

}  // namespace

std::shared_ptr<const Task> make_reachability(const TaskOptions& options) {
  return std::make_shared<Reachability>(options);
}

}  // namespace sv

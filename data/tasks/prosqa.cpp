// ProsQA: which of two concepts a person is. Form graph: two tokens per statement (head, tail) with
// statement and role as coordinates; graph_dense also asks after loop r at every tail whether the
// person reaches it within r statements; graph_steps: question, statements of a shortest way and
// the answer, written out; words: the published sentences.
#include "data/prosqa.h"

#include <algorithm>

#include "data/task_of.h"
#include "data/task_options.h"
#include "data/written.h"

namespace sv {
namespace {

constexpr std::array<std::string_view, 7> kFunctionWords{"Every", "is", "a", "or", "Is", ".", "?"};

class Prosqa final : public TaskOf<ProsqaItem> {
  enum Form : int { kGraph, kGraphDense, kWords, kGraphSteps };
  enum Answer : int { kFirstOption, kSecondOption, kNotReached, kReached };
  // Token ids: 0 padding, 1..55 symbols, then (words only) these.
  enum Word : int { kEvery = kProsqaSymbols + 1, kIs, kA, kOr, kAskIs, kStop, kAsk };

 public:
  explicit Prosqa(const TaskOptions& o)
      : form_(choose_form(o.form, {"graph", "graph_dense", "words", "graph_steps"})),
        hops_(option(o.hops, 6, 3, 12, "hops")),
        size_(form_ == kWords ? option(o.size, 320, 40, 1024, "size")
                              : option(o.size, 54, 8, 128, "size")) {
    describe();
    if (!o.file.empty()) {
      use_items(fitting(read_prosqa(o.file)));
    }
    if (!o.ood_file.empty()) {
      in_both_ = use_ood_items(fitting(read_prosqa(o.ood_file)));
    }
    real_ood_ = !o.ood_file.empty();
  }

  std::string token_text(int id) const override {
    if (form_ == kGraphSteps) {
      return mark_text(id).value_or(std::string(prosqa_symbol(std::max(0, id - kFirstSymbol))));
    }
    if (id == 0) {
      return "_";
    }
    return std::string(id <= kProsqaSymbols ? prosqa_symbol(id - 1)
                                            : kFunctionWords[static_cast<size_t>(id - kEvery)]);
  }
  std::string answer_text(int id) const override {
    if (form_ == kGraphSteps) {
      return token_text(id);
    }
    constexpr std::array<const char*, 4> kText{"first", "second", "not reached", "reached"};
    return kText[static_cast<size_t>(id)];
  }

  std::vector<std::string> notes() const override {
    std::vector<std::string> notes{shortcut_note(Split::test)};
    if (real_ood_) {
      notes.push_back(shortcut_note(Split::ood));
    }
    if (too_long_ > 0) {
      notes.push_back(std::to_string(too_long_) + " items are longer than size " +
                      std::to_string(size_) + (form_ == kGraphSteps ? " or hops + 2" : "") +
                      " and are left out");
    }
    if (in_both_ > 0) {
      notes.push_back("ood_file: " + std::to_string(in_both_) +
                      " items also stand in file and are left out");
    }
    return notes;
  }

 protected:
  std::optional<ProsqaItem> draw(RngCursor& rng, bool ood) const override {
    std::optional<ProsqaItem> item =
        ood ? draw_prosqa(rng, hops_ + 1, hops_ + 2, true) : draw_prosqa(rng, 3, hops_, false);
    return item && length_of(*item) <= size_ ? item : std::nullopt;
  }

  std::string canonical(const ProsqaItem& item) const override { return prosqa_canonical(item); }

  Example work_out(const ProsqaItem& item) const override {
    Example e = form_ == kGraphSteps ? write_steps(item) : blank_example(spec_);
    const std::vector<int> distance = prosqa_distances(item, item.person);
    const auto mark = [&](int symbol,
                          int t) {  // the facts about a symbol, at a position that holds it
      const int d = distance[static_cast<size_t>(symbol)];
      e.position_difficulty[static_cast<size_t>(t)] = d;
      for (int s = 0; s < spec_.truths[0].steps; ++s) {
        truth_at(&e, spec_, 0, s, t) = d >= 0 && d <= s + 1 ? 1 : 0;
      }
      for (int s = 0; form_ == kGraphDense && s < spec_.target_steps; ++s) {
        target_at(&e, s, t) = d >= 0 && d <= s + 1 ? kReached : kNotReached;
      }
    };
    e.difficulty = distance[static_cast<size_t>(item.options[static_cast<size_t>(item.answer)])];
    if (form_ == kWords) {
      write_words(item, mark, &e);
    } else if (form_ == kGraphSteps) {
      mark_graph(item, mark);
    } else {
      write_graph(item, mark, &e);
    }
    return e;
  }

 private:
  int32_t& target_at(Example* e, int step, int t) const {
    return e->targets[static_cast<size_t>(step * spec_.positions + t)];
  }

  void describe() {
    spec_.name = "prosqa";
    spec_.truths = {{"reached",
                     "the asked person reaches the tail within step+1 statements",
                     2,
                     hops_ + 2,
                     ""}};
    spec_.difficulty = "statements from the person to the answer";
    spec_.max_difficulty = hops_ + 2;
    if (form_ == kGraphSteps) {
      const int most = hops_ + 2;
      describe_written(3 + 2 * size_ + 2 * most + 1 + 3, kProsqaSymbols, most, &spec_);
      return;
    }
    spec_.positions = form_ == kWords ? size_ : 3 + 2 * size_;
    spec_.vocab =
        1 + kProsqaSymbols + (form_ == kWords ? static_cast<int>(kFunctionWords.size()) : 0);
    spec_.answers = form_ == kWords ? 2 : 4;
    spec_.target_steps = form_ == kGraphDense ? hops_ + 2 : 1;
    if (form_ == kWords) {
      return;
    }
    spec_.coordinates = {{"statement", size_ + 1, {0, 0, 0}},
                         {"role", 5, {0, 1, 2}}};  // question first
    for (int t = 0; t < 2 * size_; ++t) {
      spec_.coordinates[0].ids.push_back(1 + t / 2);
      spec_.coordinates[1].ids.push_back(3 + t % 2);
    }
  }

  /// In units of `size`: statements, or words of the question.
  int length_of(const ProsqaItem& item) const {
    int words = 7;
    for (const auto& edge : item.edges) {
      words += edge[0] < kProsqaNames ? 5 : 6;
    }
    return form_ == kWords ? words : static_cast<int>(item.edges.size());
  }

  /// Without the items that are too long. Longer ways than hops raise the largest difficulty.
  std::vector<ProsqaItem> fitting(std::vector<ProsqaItem> items) {
    const size_t all = items.size();
    std::erase_if(items, [&](const ProsqaItem& item) {
      return length_of(item) > size_ ||
             (form_ == kGraphSteps && std::ssize(item.steps) > spec_.written_steps);
    });
    too_long_ += static_cast<int64_t>(all - items.size());
    for (const ProsqaItem& item : items) {
      const size_t right = static_cast<size_t>(item.options[static_cast<size_t>(item.answer)]);
      spec_.max_difficulty =
          std::max(spec_.max_difficulty, prosqa_distances(item, item.person)[right]);
    }
    return items;
  }

  template <class Mark>
  void write_graph(const ProsqaItem& item, const Mark& mark, Example* e) const {
    e->length = 3 + 2 * static_cast<int>(item.edges.size());
    e->tokens[0] = 1 + item.person;
    // Dense: the answer is asked for once it can be known; the last step keeps it.
    for (int s = std::min(e->difficulty, spec_.target_steps) - 1; s < spec_.target_steps; ++s) {
      target_at(e, s, 0) = item.answer;
    }
    for (int k = 0; k < 2; ++k) {
      e->tokens[static_cast<size_t>(1 + k)] = 1 + item.options[static_cast<size_t>(k)];
    }
    int t = 3;
    for (const auto& [head, tail] : item.edges) {
      e->tokens[static_cast<size_t>(t)] = 1 + head;
      e->tokens[static_cast<size_t>(t + 1)] = 1 + tail;
      t += 2;
    }
    mark_graph(item, mark);
  }

  /// Marks options and tails: the layout that all forms but words begin with.
  template <class Mark>
  static void mark_graph(const ProsqaItem& item, const Mark& mark) {
    mark(item.options[0], 1);
    mark(item.options[1], 2);
    int t = 4;
    for (const auto& edge : item.edges) {
      mark(edge[1], t);
      t += 2;
    }
  }

  Example write_steps(const ProsqaItem& item) const {
    Written w;
    const auto put = [](std::vector<int32_t>& to, std::initializer_list<int> symbols) {
      for (const int symbol : symbols) {
        to.push_back(kFirstSymbol + symbol);
      }
    };
    put(w.question, {item.person, item.options[0], item.options[1]});
    for (const auto& [head, tail] : item.edges) {
      put(w.question, {head, tail});
    }
    for (const auto& [head, tail] : item.steps) {
      put(w.steps.emplace_back(), {head, tail});
    }
    put(w.answer, {item.options[static_cast<size_t>(item.answer)]});
    return write_out(spec_, w);
  }

  template <class Mark>
  void write_words(const ProsqaItem& item, const Mark& mark, Example* e) const {
    int t = 0;
    const auto put = [&](int token) { e->tokens[static_cast<size_t>(t++)] = token; };
    for (const auto& [head, tail] : item.edges) {
      if (head >= kProsqaNames) {
        put(kEvery);
      }
      put(1 + head);
      put(kIs);
      put(kA);
      put(1 + tail);
      mark(tail, t - 1);
      put(kStop);
    }
    put(kAskIs);
    put(1 + item.person);
    put(kA);
    put(1 + item.options[0]);
    put(kOr);
    put(1 + item.options[1]);
    put(kAsk);
    e->targets[static_cast<size_t>(t - 1)] = item.answer;
    e->length = t;
  }

  std::string shortcut_note(Split split) const {
    return std::string(
               "shortcut to beat, the option with the lower in-degree (ties half): right in ") +
           percent_of(split, 2000, prosqa_in_degree_shortcut) + " " + split_name(split) + " items";
  }

  int form_, hops_, size_;
  bool real_ood_ = false;
  int64_t too_long_ = 0, in_both_ = 0;
};

}  // namespace

std::shared_ptr<const Task> make_prosqa(const TaskOptions& options) {
  return std::make_shared<Prosqa>(options);
}

}  // namespace sv

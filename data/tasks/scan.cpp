// SCAN (Lake and Baroni, arXiv 1711.00350): a command in words, its actions as the answer. Every
// line of the file is checked against the grammar. Form simple: test by hash; length: ood is what
// takes more than 22 actions; addprim_jump: ood is every use of "jump" but the word alone.
#include <algorithm>
#include <sstream>

#include "core/nearest.h"
#include "data/lines.h"
#include "data/task_of.h"
#include "data/task_options.h"
#include "data/written.h"

namespace sv {
namespace {

constexpr std::array<std::string_view, 13> kScanWords{"walk",
                                                      "look",
                                                      "run",
                                                      "jump",
                                                      "turn",
                                                      "left",
                                                      "right",
                                                      "opposite",
                                                      "around",
                                                      "twice",
                                                      "thrice",
                                                      "and",
                                                      "after"};
constexpr std::array<std::string_view, 6> kScanActions{
    "I_WALK", "I_LOOK", "I_RUN", "I_JUMP", "I_TURN_LEFT", "I_TURN_RIGHT"};

/// An action and where it comes from: the clause (0 or 1, as in the text), its repetition and its
/// place in that.
struct ScanAction {
  int action = 0, clause = 0, repeat = 0, part = 0;
};

struct Command {
  std::vector<int> words;
  std::vector<ScanAction> actions;
  int copy = 0;  // addprim_jump repeats one line
};

/// Reads a command by the grammar of the paper.
class ScanGrammar {
 public:
  explicit ScanGrammar(const std::vector<int>& words) : words_(words) {}

  /// The actions, or nothing where the words are no command.
  std::optional<std::vector<ScanAction>> actions() {
    std::vector<ScanAction> first = clause(0);
    if (next(kAnd) || next(kAfter)) {
      const bool reversed = words_[at_++] == kAfter;
      std::vector<ScanAction> second = clause(1);
      if (reversed) {
        std::swap(first, second);
      }
      first.insert(first.end(), second.begin(), second.end());
    }
    return good_ && at_ == words_.size() ? std::optional(first) : std::nullopt;
  }

 private:
  enum Word : int { kTurn = 4, kLeft, kRight, kOpposite, kAround, kTwice, kThrice, kAnd, kAfter };

  bool next(int word) const { return at_ < words_.size() && words_[at_] == word; }

  std::vector<ScanAction> clause(int number) {
    const std::vector<int> once = phrase();
    int times = 1;
    if (next(kTwice) || next(kThrice)) {
      times = words_[at_++] == kTwice ? 2 : 3;
    }
    std::vector<ScanAction> out;
    for (int repeat = 0; repeat < times; ++repeat) {
      for (size_t part = 0; part < once.size(); ++part) {
        out.push_back({once[part], number, repeat, static_cast<int>(part)});
      }
    }
    return out;
  }

  /// verb, verb left, verb opposite left, verb around left.
  std::vector<int> phrase() {
    if (at_ == words_.size() || words_[at_] > kTurn) {
      good_ = false;
      return {};
    }
    const int verb = words_[at_++];
    const bool opposite = next(kOpposite), around = next(kAround);
    at_ += opposite || around ? 1 : 0;
    const bool turns = next(kLeft) || next(kRight);
    if (!turns) {
      good_ = good_ && verb != kTurn && !opposite && !around;
      return {verb};
    }
    const int turn = words_[at_++] == kLeft ? 4 : 5;
    std::vector<int> once(opposite ? 2 : 1, turn);
    if (verb != kTurn) {
      once.push_back(verb);
    }
    std::vector<int> out;
    for (int i = 0; i < (around ? 4 : 1); ++i) {
      out.insert(out.end(), once.begin(), once.end());
    }
    return out;
  }

  const std::vector<int>& words_;
  size_t at_ = 0;
  bool good_ = true;
};

class Scan final : public TaskOf<Command> {
  enum Form : int { kSimple, kLength, kAddJump };
  static constexpr int kJump = 3, kMostWords = 9, kMostActions = 48, kShortActions = 22;
  static constexpr int kJumpCopies = 1467;  // lines "jump" in the published split: a tenth

 public:
  explicit Scan(const TaskOptions& o)
      : form_(choose_form(o.form, {"simple", "length", "addprim_jump"})) {
    spec_.name = "scan";
    describe_written(
        kMostWords + kMostActions + 3, kScanWords.size() + kScanActions.size(), 0, &spec_);
    spec_.truths = {
        {"clause", "clause that the asked action belongs to, as in the text (one step)", 2, 1, ""},
        {"repeat", "which repetition of the clause it belongs to (one step)", 3, 1, ""},
        {"part", "which action of the repetition it is (one step)", 8, 1, ""}};
    spec_.difficulty = "actions";
    spec_.max_difficulty = kMostActions;
    std::vector<Command> usual, ood;
    for (const SourceLine& line : read_lines(o.file)) {
      Command x = parse(line);
      (is_ood(x) ? ood : usual).push_back(std::move(x));
    }
    if (form_ == kAddJump) {
      for (int copy = 1; copy < kJumpCopies; ++copy) {
        usual.push_back({{kJump}, {{kJump, 0, 0, 0}}, copy});
      }
    }
    use_items(std::move(usual));
    use_ood_items(std::move(ood));
  }
  std::string token_text(int id) const override {
    const size_t own = static_cast<size_t>(std::max(0, id - kFirstSymbol));
    return mark_text(id).value_or(std::string(
        own < kScanWords.size() ? kScanWords[own] : kScanActions[own - kScanWords.size()]));
  }

 protected:
  std::optional<Command> draw(RngCursor&, bool) const override { return std::nullopt; }

  std::string canonical(const Command& x) const override {
    return spelled(x.words) + (x.copy > 0 ? "copy " + std::to_string(x.copy) : "");
  }

  Split split_for(const Command& x, const std::string& form) const override {
    return form_ == kAddJump && x.words == std::vector{kJump} ? Split::train : split_of(form);
  }

  Example work_out(const Command& x) const override {
    Written w;
    for (const int word : x.words) {
      w.question.push_back(kFirstSymbol + word);
    }
    for (const ScanAction& a : x.actions) {
      w.answer.push_back(kFirstSymbol + static_cast<int>(kScanWords.size()) + a.action);
    }
    Example e = write_out(spec_, w);
    int t = place_of(e, kAnswerMark);
    for (const ScanAction& a : x.actions) {
      truth_at(&e, spec_, 0, 0, t) = a.clause;
      truth_at(&e, spec_, 1, 0, t) = a.repeat;
      truth_at(&e, spec_, 2, 0, t) = a.part;
      ++t;
    }
    e.difficulty = static_cast<int>(x.actions.size());
    return e;
  }

 private:
  bool is_ood(const Command& x) const {
    return form_ == kLength    ? std::ssize(x.actions) > kShortActions
           : form_ == kAddJump ? x.words.size() > 1 && std::ranges::count(x.words, kJump) > 0
                               : false;
  }

  /// "IN: words OUT: actions"
  static Command parse(const SourceLine& line) {
    std::istringstream in(line.text);
    std::string text;
    in >> text;
    if (text != "IN:") {
      fail(line.where, ": 'IN:' is expected, got ", excerpt(text));
    }
    const auto known = [&](std::span<const std::string_view> names) {
      const auto at = std::ranges::find(names, text);
      if (at == names.end()) {
        const std::vector<std::string> list(names.begin(), names.end());
        fail(line.where, ": ", excerpt(text), " is no word of SCAN", did_you_mean(text, list));
      }
      return static_cast<int>(at - names.begin());
    };
    Command x;
    while (in >> text && text != "OUT:") {
      x.words.push_back(known(kScanWords));
    }
    if (text != "OUT:") {
      fail(line.where, ": there is no 'OUT:'");
    }
    std::vector<int> given;
    while (in >> text) {
      given.push_back(known(kScanActions));
    }
    const auto actions = ScanGrammar(x.words).actions();
    if (!actions) {
      fail(line.where, ": ", excerpt(line.text), " is no command of the grammar");
    }
    x.actions = *actions;
    if (!std::ranges::equal(given, x.actions, {}, {}, &ScanAction::action)) {
      fail(line.where,
           ": the ",
           given.size(),
           " actions are not the ",
           x.actions.size(),
           " of the command");
    }
    return x;
  }

  int form_;
};

}  // namespace

std::shared_ptr<const Task> make_scan(const TaskOptions& options) {
  return std::make_shared<Scan>(options);
}

}  // namespace sv

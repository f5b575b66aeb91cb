// Examples of the user's own, from JSON lines or HDF5 (data/rows.h). What a row does not say is
// derived from all of them: positions, symbols, answers, classes of truths.
#include <algorithm>

#include "data/rows.h"
#include "data/task_of.h"
#include "data/task_options.h"
#include "data/written.h"

namespace sv {
namespace {

class FileTask final : public TaskOf<FileRow> {
 public:
  explicit FileTask(const TaskOptions& o) {
    std::vector<FileRow> rows = read_rows(o.file, o.sha256);
    std::vector<FileRow> ood =
        o.ood_file.empty() ? std::vector<FileRow>{} : read_rows(o.ood_file, o.sha256);
    if (!ood.empty()) {
      detail::check_row(ood[0], rows[0]);
    }
    describe(rows[0]);
    for (const auto* list : {&rows, &ood}) {
      for (const FileRow& row : *list) {
        widen(row);
      }
    }
    spec_.positions = settle(o.size, longest_, "positions", "size");
    spec_.vocab = settle(o.vocab, tokens_, "input symbols", "vocab");
    spec_.answers = written_ ? spec_.vocab : settle(o.answers, answers_, "answers", "answers");
    if (written_ && o.answers != 0 && o.answers != spec_.vocab) {
      fail("task file: answers = ",
           o.answers,
           ", but written solutions answer in their own ",
           spec_.vocab,
           " symbols");
    }
    use_items(std::move(rows));
    if (ood.empty()) {
      no_ood();
    } else {
      left_out_ = use_ood_items(std::move(ood));
    }
  }

  std::string token_text(int id) const override {
    return !written_ ? std::to_string(id)
                     : mark_text(id).value_or(std::to_string(id - kFirstSymbol));
  }
  std::vector<std::string> notes() const override {
    if (left_out_ == 0) {
      return {};
    }
    return {"ood_file: " + std::to_string(left_out_) +
            " examples also stand in file and are left out"};
  }

 protected:
  std::optional<FileRow> draw(RngCursor&, bool) const override { return std::nullopt; }

  /// The question alone: the same tokens with other targets are the same problem.
  std::string canonical(const FileRow& row) const override {
    return written_ ? spelled(row.question)
                    : spelled(std::span(row.tokens).first(static_cast<size_t>(row.length)));
  }

  Example work_out(const FileRow& row) const override {
    if (written_) {
      Example e = write_out(spec_, shifted(row));
      e.difficulty = row.difficulty;
      return e;
    }
    Example e = blank_example(spec_);
    e.length = row.length;
    e.difficulty = row.difficulty;
    std::ranges::copy(row.tokens, e.tokens.begin());
    const auto put =
        [&](const std::vector<int32_t>& values, size_t step, std::vector<int32_t>* to) {
          std::ranges::copy(values, to->begin() + static_cast<int64_t>(step) * spec_.positions);
        };
    for (size_t s = 0; s < row.targets.size(); ++s) {
      put(row.targets[s], s, &e.targets);
    }
    put(row.position_difficulty, 0, &e.position_difficulty);
    if (!row.roles.empty()) {
      e.roles.assign(static_cast<size_t>(spec_.positions), -1);
      put(row.roles, 0, &e.roles);
    }
    size_t k = 0;
    for (const auto& [name, steps] : row.truths) {  // in the order of the spec: by name
      for (size_t s = 0; s < steps.size(); ++s) {
        put(steps[s], s, &e.truths[k]);
      }
      ++k;
    }
    return e;
  }

 private:
  void describe(const FileRow& first) {
    spec_.name = "file";
    spec_.difficulty = "as the file says";
    written_ = first.written();
    spec_.causal = written_;
    spec_.target_steps = written_ ? 1 : static_cast<int>(first.targets.size());
    spec_.written_steps = written_ ? 0 : -1;
    for (const auto& [name, steps] : first.truths) {
      spec_.truths.push_back({name, "given by the file", 2, static_cast<int>(steps.size()), ""});
    }
  }

  /// What the rows use of something, and the first row that uses so much.
  struct Need {
    int count = 0;
    std::string where;

    void fit(int n, const FileRow& row) {
      if (n > count) {
        count = n;
        where = row.where;
      }
    }
    void fit(const std::vector<int32_t>& values, const FileRow& row) {
      if (!values.empty()) {
        fit(*std::ranges::max_element(values) + 1, row);
      }
    }
  };

  /// Makes room for the row in everything that is derived.
  void widen(const FileRow& row) {
    spec_.max_difficulty = std::max(spec_.max_difficulty, row.difficulty);
    if (written_) {
      const Written w = shifted(row);
      tokens_.fit(w.question, row);
      tokens_.fit(w.answer, row);
      for (const std::vector<int32_t>& step : w.steps) {
        tokens_.fit(step, row);
      }
      spec_.written_steps = std::max(spec_.written_steps, static_cast<int>(w.steps.size()));
      longest_.fit(written_length(w), row);
      return;
    }
    longest_.fit(static_cast<int>(row.tokens.size()), row);
    tokens_.fit(row.tokens, row);
    for (const std::vector<int32_t>& step : row.targets) {
      answers_.fit(step, row);
    }
    size_t k = 0;
    for (const auto& [name, steps] : row.truths) {
      int& classes = spec_.truths[k++].classes;
      for (const std::vector<int32_t>& step : steps) {
        classes = std::max(classes, *std::ranges::max_element(step) + 1);
      }
    }
    if (!row.roles.empty()) {  // the answer has the largest role
      spec_.causal = true;
      const int role = *std::ranges::max_element(row.roles);
      spec_.written_steps = std::max(spec_.written_steps, role - 1);
    }
  }

  static int settle(int asked, const Need& need, const char* what, const char* name) {
    if (asked != 0 && asked < need.count) {
      fail(need.where, ": ", need.count, " ", what, ", more than ", name, " = ", asked);
    }
    return asked == 0 ? need.count : asked;
  }

  static Written shifted(const FileRow& row) {
    Written w{row.question, row.steps, row.answer};
    const auto shift = [](std::vector<int32_t>& symbols) {
      for (int32_t& symbol : symbols) {
        symbol += kFirstSymbol;
      }
    };
    shift(w.question);
    shift(w.answer);
    std::ranges::for_each(w.steps, shift);
    return w;
  }

  bool written_ = false;
  Need longest_, tokens_, answers_;
  int64_t left_out_ = 0;
};

}  // namespace

std::shared_ptr<const Task> make_file(const TaskOptions& options) {
  return std::make_shared<FileTask>(options);
}

}  // namespace sv

// Grade-school word problems in the text of "From explicit CoT to implicit CoT" (arXiv 2405.14838):
// question || <<equation>> <<equation>> #### answer, one a line, read byte by byte.
#include <algorithm>

#include "data/lines.h"
#include "data/task_of.h"
#include "data/task_options.h"
#include "data/written.h"

namespace sv {
namespace {

struct WordProblem {
  std::string question, answer;
  std::vector<std::string> steps;
};

class Gsm8k final : public TaskOf<WordProblem> {
 public:
  explicit Gsm8k(const TaskOptions& o) : size_(option(o.size, 512, 32, 4096, "size")) {
    spec_.name = "gsm8k";
    spec_.difficulty = "equations";
    std::vector<WordProblem> lines = read(o.file);
    std::vector<WordProblem> ood =
        o.ood_file.empty() ? std::vector<WordProblem>{} : read(o.ood_file);
    describe_written(size_, 256, spec_.max_difficulty, &spec_);
    use_items(std::move(lines));
    if (o.ood_file.empty()) {
      no_ood();
    } else {
      in_both_ = use_ood_items(std::move(ood));
    }
  }
  std::string token_text(int id) const override {
    return mark_text(id).value_or(byte_text(id - kFirstSymbol));
  }
  std::vector<std::string> notes() const override {
    std::vector<std::string> notes;
    if (too_long_ > 0) {
      notes.push_back(std::to_string(too_long_) + " lines take more than " + std::to_string(size_) +
                      " positions and are left out");
    }
    if (in_both_ > 0) {
      notes.push_back("ood_file: " + std::to_string(in_both_) +
                      " questions also stand in file and are left out");
    }
    return notes;
  }

 protected:
  std::optional<WordProblem> draw(RngCursor&, bool) const override { return std::nullopt; }

  std::string canonical(const WordProblem& x) const override { return x.question; }

  Example work_out(const WordProblem& x) const override {
    Example e = write_out(spec_, written(x));
    e.difficulty = static_cast<int>(x.steps.size());
    return e;
  }

 private:
  static Written written(const WordProblem& x) {
    const auto symbols = [](const std::string& text) {
      std::vector<int32_t> out;
      for (const char ch : text) {
        out.push_back(kFirstSymbol + static_cast<uint8_t>(ch));
      }
      return out;
    };
    Written w{symbols(x.question), {}, symbols(x.answer)};
    for (const std::string& step : x.steps) {
      w.steps.push_back(symbols(step));
    }
    return w;
  }

  std::vector<WordProblem> read(const std::string& paths) {
    std::vector<WordProblem> list;
    for (const SourceLine& line : read_lines(paths, Comments::none)) {
      WordProblem x = parse(line);
      if (written_length(written(x)) > size_) {
        ++too_long_;
        continue;
      }
      spec_.max_difficulty = std::max(spec_.max_difficulty, static_cast<int>(x.steps.size()));
      list.push_back(std::move(x));
    }
    if (list.empty()) {
      fail("no line of at most ", size_, " positions in '", paths, "'");
    }
    return list;
  }

  static WordProblem parse(const SourceLine& line) {
    const size_t think = line.text.find("||"), answer = line.text.rfind("#### ");
    if (think == std::string::npos || answer == std::string::npos || answer < think + 2) {
      fail(line.where, ": 'question||steps #### answer' is expected, got ", excerpt(line.text));
    }
    WordProblem x{line.text.substr(0, think), line.text.substr(answer + 5), {}};
    if (x.question.empty() || x.answer.empty()) {
      fail(line.where, ": the ", x.question.empty() ? "question" : "answer", " is empty");
    }
    const std::string steps = line.text.substr(think + 2, answer - think - 2);
    for (size_t at = steps.find_first_not_of(' '); at != std::string::npos;
         at = steps.find_first_not_of(' ', at)) {
      const size_t end = steps.find(">>", at);
      if (steps.compare(at, 2, "<<") != 0 || end == std::string::npos) {
        fail(line.where, ": a step is ", excerpt(steps.substr(at)), ", expected <<equation>>");
      }
      x.steps.push_back(steps.substr(at, end + 2 - at));
      at = end + 2;
    }
    return x;
  }

  int size_;
  int64_t too_long_ = 0, in_both_ = 0;
};

}  // namespace

std::shared_ptr<const Task> make_gsm8k(const TaskOptions& options) {
  return std::make_shared<Gsm8k>(options);
}

}  // namespace sv

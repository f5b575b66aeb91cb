// Language modelling on a text file: windows of bytes, every byte asks for the next one. The
// windows do not overlap; the last eighth of the text is the test split.
#include "data/lines.h"
#include "data/task_of.h"
#include "data/task_options.h"

namespace sv {
namespace {

struct Window {
  std::string bytes;  // one more than there are positions
  bool test = false;
};

class Text final : public TaskOf<Window> {
 public:
  explicit Text(const TaskOptions& o) : size_(option(o.size, 64, 8, 4096, "size")) {
    spec_.name = "text";
    spec_.positions = size_;
    spec_.vocab = spec_.answers = 256;
    spec_.causal = true;
    spec_.difficulty = "none: all windows alike";
    std::vector<Window> windows;
    for (const std::string& path : split_paths(o.file)) {
      std::vector<Window> of_file = read(path, true);
      std::ranges::move(of_file, std::back_inserter(windows));
    }
    use_items(without_repeats(std::move(windows)));
    std::vector<Window> ood;
    for (const std::string& path : split_paths(o.ood_file)) {
      std::vector<Window> of_file = read(path, false);
      std::ranges::move(of_file, std::back_inserter(ood));
    }
    repeats_ += use_ood_items(std::move(ood));
  }
  std::string token_text(int id) const override { return byte_text(id); }
  std::vector<std::string> notes() const override {
    if (repeats_ == 0) {
      return {};
    }
    return {std::to_string(repeats_) + " windows are left out: they repeat one of another split"};
  }

 protected:
  std::optional<Window> draw(RngCursor&, bool) const override { return std::nullopt; }

  std::string canonical(const Window& x) const override { return x.bytes; }

  Split split_for(const Window& x, const std::string&) const override {
    return x.test ? Split::test : Split::train;
  }

  Example work_out(const Window& x) const override {
    Example e = blank_example(spec_);
    for (size_t t = 0; t < e.tokens.size(); ++t) {
      e.tokens[t] = static_cast<uint8_t>(x.bytes[t]);
      e.targets[t] = static_cast<uint8_t>(x.bytes[t + 1]);
    }
    return e;
  }

 private:
  std::vector<Window> read(const std::string& path, bool cut) const {
    const std::string text = read_text(path);
    const size_t width = static_cast<size_t>(size_), windows = (text.size() - 1) / width;
    if (text.empty() || windows < 8) {
      fail("'", path, "' has ", text.size(), " bytes, fewer than 8 windows of ", size_, " + 1");
    }
    std::vector<Window> list;
    for (size_t i = 0; i < windows; ++i) {
      list.push_back({text.substr(i * width, width + 1), cut && i >= windows - windows / 8});
    }
    return list;
  }

  /// Training windows that the test part also holds, word for word, are left out.
  std::vector<Window> without_repeats(std::vector<Window> windows) {
    std::unordered_set<std::string> test;
    for (const Window& x : windows) {
      if (x.test) {
        test.insert(x.bytes);
      }
    }
    repeats_ = static_cast<int64_t>(
        std::erase_if(windows, [&](const Window& x) { return !x.test && test.contains(x.bytes); }));
    return windows;
  }

  int size_;
  int64_t repeats_ = 0;
};

}  // namespace

std::shared_ptr<const Task> make_text(const TaskOptions& options) {
  return std::make_shared<Text>(options);
}

}  // namespace sv

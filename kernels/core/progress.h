// The progress line: rate and time left on one redrawn line of a terminal, else a plain line every
// ten seconds.
//
//   Progress p("train", steps, "steps");
//   p.update(120, "loss 0.31");  // train 120/1000 steps (12 %), 34.5 steps/s, 0:25 left, loss 0.31
//   p.done();                    // train 1000/1000 steps in 0:29, 34.5 steps/s, loss 0.02
#pragma once
#include <cstdint>
#include <functional>
#include <ostream>
#include <string>
#include <string_view>

namespace sv {

/// Where progress is written and how time passes; tests replace all of it.
struct ProgressOutput {
  std::ostream* out = nullptr;  // nullptr: nothing is written (--quiet)
  bool terminal = false;        // redraw one line
  int columns = 80;             // of the terminal; longer lines are cut
  std::function<double()> now;  // seconds on a clock that only goes forward

  /// Standard error, with what the system says about it.
  static ProgressOutput standard_error();
  static ProgressOutput quiet() { return {}; }
};

class Progress {
 public:
  /// `start`: what was done before this process began (a resumed run); it does not count for the
  /// rate.
  Progress(std::string name,
           int64_t total,
           std::string unit,
           ProgressOutput output = ProgressOutput::standard_error(),
           int64_t start = 0);
  /// Ends an open terminal line, so that what is printed next (an error) starts on its own.
  ~Progress();
  Progress(const Progress&) = delete;
  Progress& operator=(const Progress&) = delete;

  /// Cheap: writes at most ten times a second on a terminal, else every ten seconds.
  void update(int64_t done, std::string_view note = {});
  /// The closing line.
  void done();
  /// Wipes the terminal line, for text between two updates.
  void hide();

 private:
  std::string line(double seconds) const;
  void write(const std::string& text, bool last);

  std::string name_;
  int64_t total_;
  std::string unit_;
  ProgressOutput output_;
  int64_t start_;
  int64_t done_;
  std::string note_;
  double began_ = 0;
  double written_ = 0;
  bool open_line_ = false;
  bool closed_ = false;
};

/// "0:07", "12:30", "3:02:11": whole seconds, rounded down.
std::string clock_text(double seconds);

}  // namespace sv

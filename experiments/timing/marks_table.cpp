// The table of `subvocal bench`: marks with their times beside the limits.
#include <fmt/format.h>

#include "experiments/timing/timing.h"

namespace sv::bench {

namespace {

std::string row(const Mark& mark, const Limits& limits) {
  const bool copies = mark.flops == 0;
  const Timing& t = mark.seconds;
  return fmt::format(
      "{:<22} {:>10.4g} ms  {:>9} {:>8.4g} {:>9}  {:>15}  {:>7.1f} %  ({:.4g} .. {:.4g})\n",
      mark.name,
      1e3 * t.median,
      copies ? "-" : fmt::format("{:.4g}", mark.gflops()),
      mark.gbs(),
      copies ? "-" : fmt::format("{:.3g}", mark.intensity()),
      copies ? fmt::format("{:.4g} GB/s", limits.gbs)
             : fmt::format("{:.4g} GFLOP/s", mark.limit(limits)),
      100 * mark.reached(limits),
      1e3 * t.low,
      1e3 * t.high);
}

}  // namespace

std::string marks_table(const std::vector<Mark>& marks, const Limits& limits) {
  std::string text =
      fmt::format("{:<22} {:>13}  {:>9} {:>8} {:>9}  {:>15}  {:>9}  (quartiles, ms)\n",
                  "",
                  "median",
                  "GFLOP/s",
                  "GB/s",
                  "FLOP/byte",
                  "limit",
                  "reached");
  bool cached = false, disturbed = false;
  for (const Mark& mark : marks) {
    text += row(mark, limits);
    const bool above = mark.reached(limits) > 1;
    const bool streams = mark.intensity() * limits.gbs < limits.gflops;
    cached = cached || (above && streams);
    disturbed = disturbed || (above && !streams);
  }
  text += fmt::format(
      "{} repetitions of 20 ms or one call; measured in this process: peak {:.4g} GFLOP/s of "
      "multiply-adds, {:.4g} GB/s from memory\nlimit: min(peak, FLOP/byte x GB/s); a VJP counts "
      "twice the FLOP of its op\n",
      kRepetitions,
      limits.gflops,
      limits.gbs);
  if (cached) {
    text += "above 100 %: a cache serves the data, which is faster than memory\n";
  }
  if (disturbed) {
    text += "above 100 % of the peak: other work slowed the measurement of the peak; repeat\n";
  }
  return text;
}

}  // namespace sv::bench

// bench: times an op, the loop or a training step beside the limits measured in this process;
// compares two Google Benchmark files; times everything for the report's roofline.
#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <nlohmann/json.hpp>

#include "core/nearest.h"
#include "core/progress.h"
#include "data/io/json.h"
#include "data/io/publish.h"
#include "experiments/cli/commands.h"
#include "experiments/cli/keys.h"
#include "experiments/config.h"
#include "experiments/run_folder.h"
#include "experiments/timing/compare.h"
#include "experiments/timing/model_timing.h"
#include "experiments/timing/timing.h"
#include "kernels/cpu/isa.h"

namespace sv::cli {

namespace {

constexpr double kPatience = 2;  // seconds until a progress line says what is going on

/// A progress line that stays silent if all is over soon.
class LateProgress {
 public:
  LateProgress(const Arguments& a, const std::string& name, int64_t total, const std::string& unit)
      : line_(name,
              total,
              unit,
              a.quiet ? ProgressOutput::quiet() : ProgressOutput::standard_error()) {}
  void update(int64_t done, const std::string& note = "") {
    const std::chrono::duration<double> gone = std::chrono::steady_clock::now() - start_;
    if (gone.count() > kPatience) {
      line_.update(done, note);
      spoke_ = true;
    }
  }
  void done() {
    if (spoke_) {
      line_.done();
    }
  }

 private:
  Progress line_;
  std::chrono::steady_clock::time_point start_ = std::chrono::steady_clock::now();
  bool spoke_ = false;
};

cases::SizedDims dims_of(const OpKeys& k) {
  return {k.M, k.B, k.T, k.d, k.out, k.heads, k.hidden, k.vocab};
}

/// Refuses dimensions that the op does not have: they would change nothing.
void check_reads(const cases::SizedOp& op, const std::map<std::string, std::string>& set) {
  for (const auto& [key, place] : set) {
    const bool reads = key == "dtype" || std::ranges::find(op.reads, key) != op.reads.end();
    if (!reads) {
      fail(place,
           ": ",
           op.op,
           " does not read '",
           key,
           "'; it reads ",
           fmt::format("{}", fmt::join(op.reads, ", ")),
           ", dtype");
    }
  }
}

int bench_op(const Arguments& a, const cases::SizedOp& op) {
  OpKeys keys;
  check_reads(op, load_settings(keys, {"", a.overrides}));
  const int threads = thread_count(a);
  const DType dtype = keys.dtype == "f64" ? DType::f64 : DType::f32;
  const bool two = op.make("", {1, 1, 1, 2, 1, 1, 1, 2}).vjp != nullptr;
  const bench::Limits before = bench::machine_limits(threads);
  LateProgress progress(a, "bench " + op.op, (two ? 2 : 1) * bench::kRepetitions, "repetitions");
  int done = 0;
  const bench::OpMarks marks = bench::time_op(
      op.op, dims_of(keys), dtype, threads, true, [&](int) { progress.update(++done); });
  progress.done();
  bench::Limits limits = bench::machine_limits(threads, before);
  limits.gflops *= dtype == DType::f64 ? 0.5 : 1;  // half as many lanes
  std::string shape;
  for (const Field& f : fields_of(keys)) {
    if (std::ranges::find(op.reads, f.key) != op.reads.end()) {
      shape += fmt::format(" {}={}", f.key, value_text(f));
    }
  }
  fmt::print("{}: {};{} {}, {} threads, {}\n",
             op.op,
             op.what,
             shape,
             keys.dtype,
             threads,
             cpu::isa_name(cpu::isa()));
  std::vector<bench::Mark> rows{marks.forward};
  if (!marks.vjp.name.empty()) {
    rows.push_back(marks.vjp);
  }
  fmt::print("{}", bench::marks_table(rows, limits));
  return 0;
}

bench::Shape shape_of(const ModelKeys& k) {
  SV_CHECK(k.d % k.heads == 0 && k.d / k.heads % 2 == 0,
           "heads=",
           k.heads,
           " must divide d=",
           k.d,
           " into even widths");
  return {"", k.d, k.layers, k.T, k.B, k.hidden, k.heads};
}

using Tick = std::function<void(int)>;

/// One iteration of the loop, as a share of a run of many.
bench::Mark iteration_mark(const ModelKeys& k, int threads, const Tick& tick) {
  const int loops = k.loops > 0 ? k.loops : bench::kIterations;
  bench::LoopTiming timing(shape_of(k), k.M, k.B, loops, threads);
  bench::Timing t = bench::time_call([&] { timing.run(); }, tick);
  t = {t.median / loops, t.low / loops, t.high / loops, t.repetitions};
  return {"iteration", timing.flop() / loops, timing.bytes() / loops, t};
}

bench::Mark train_mark(const ModelKeys& k, int threads, const Tick& tick) {
  const int loops = k.loops > 0 ? k.loops : bench::kLoops;
  bench::TrainTiming timing(shape_of(k), k.M, k.B, loops, threads);
  const bench::Timing t = bench::time_call([&] { timing.step(); }, tick);
  return {"training step", timing.flop(), timing.bytes(), t};
}

int bench_model(const Arguments& a) {
  ModelKeys keys;
  load_settings(keys, {"", a.overrides});
  const int threads = thread_count(a);
  const bench::Limits before = bench::machine_limits(threads);
  LateProgress progress(a, "bench " + a.target, bench::kRepetitions, "repetitions");
  const Tick tick = [&](int done) { progress.update(done); };
  const bench::Mark mark =
      a.target == "train" ? train_mark(keys, threads, tick) : iteration_mark(keys, threads, tick);
  progress.done();
  std::string shape;
  for (const Field& f : fields_of(keys)) {
    shape += f.key == "loops" && keys.loops == 0 ? "" : fmt::format(" {}={}", f.key, value_text(f));
  }
  fmt::print("{}:{} f32, {} threads, {}\n", mark.name, shape, threads, cpu::isa_name(cpu::isa()));
  fmt::print("{}", bench::marks_table({mark}, bench::machine_limits(threads, before)));
  return 0;
}

int bench_compare(const Arguments& a) {
  SV_CHECK(a.files.size() == 2 && a.overrides.empty(),
           "bench compare takes two files: subvocal bench compare A.json B.json [--limit PERCENT]");
  const bench::Comparison found = bench::compare_files(a.files[0], a.files[1]);
  fmt::print("{:>12} {:>12} {:>7}\n", "A ms", "B ms", "B/A");
  int slower = 0;
  for (const bench::Pair& p : found.pairs) {
    const bool flag = p.ratio() > 1 + a.limit / 100;
    slower += flag ? 1 : 0;
    fmt::print("{:>12.5g} {:>12.5g} {:>7.3f}  {}{}\n",
               p.a * 1e-6,
               p.b * 1e-6,
               p.ratio(),
               p.name,
               flag ? "  SLOWER" : "");
  }
  for (const auto& [which, names] : {std::pair{"A", &found.only_a}, {"B", &found.only_b}}) {
    for (const std::string& name : *names) {
      fmt::print("only in {}: {}\n", which, name);
    }
  }
  fmt::print("{} compared, {} more than {:g} % slower\n", found.pairs.size(), slower, a.limit);
  return slower > 0 ? static_cast<int>(Exit::failed) : 0;
}

nlohmann::json json_of_mark(const bench::Mark& m) {
  return {{"name", m.name},
          {"flops", m.flops},
          {"bytes", m.bytes},
          {"seconds", m.seconds.median},
          {"quartiles", {m.seconds.low, m.seconds.high}},
          {"repetitions", m.seconds.repetitions}};
}

std::vector<bench::Mark> roofline_marks(const Arguments& a, int threads) {
  const auto& ops = cases::sized_ops();
  const auto total = static_cast<int64_t>(ops.size()) + 2;
  LateProgress progress(a, "bench roofline", total, "timings");
  std::vector<bench::Mark> marks;
  for (const cases::SizedOp& op : ops) {
    marks.push_back(bench::time_op(op.op, dims_of({}), DType::f32, threads, false).forward);
    progress.update(static_cast<int64_t>(marks.size()), op.op);
  }
  ModelKeys loop;
  loop.loops = 16;  // a quarter of the usual run: still long beside encoding
  marks.push_back(iteration_mark(loop, threads, {}));
  progress.update(total - 1, "iteration");
  marks.push_back(train_mark({}, threads, {}));
  progress.update(total, "training step");
  progress.done();
  return marks;
}

int bench_roofline(const Arguments& a) {
  SV_CHECK(a.overrides.empty(), "bench roofline takes no keys: its shape is the demo's");
  const int threads = thread_count(a);
  const std::string isa(cpu::isa_name(cpu::isa()));
  RunStart start;
  start.command = "bench roofline";
  start.argv = a.argv;
  start.device = a.device;
  start.isa = isa;
  start.threads = threads;
  const ModelKeys shape;
  RunFolder run = RunFolder::create(
      a.out.empty() ? "runs/roofline" : a.out, start, settings_toml(shape), settings_digest(shape));
  const bench::Limits before = bench::machine_limits(threads);
  const std::vector<bench::Mark> marks = roofline_marks(a, threads);
  const bench::Limits limits = bench::machine_limits(threads, before);
  nlohmann::json doc = {
      {"schema", 1},
      {"shape", "5 models, 64 sequences of 36 positions, width 48, single precision"},
      {"threads", threads},
      {"isa", isa},
      {"gflops", limits.gflops},
      {"gbs", limits.gbs},
      {"marks", nlohmann::json::array()}};
  for (const bench::Mark& m : marks) {
    doc["marks"].push_back(json_of_mark(m));
  }
  const std::string text = dump_json(doc);
  publish_bytes(run.file("bench.json"), as_bytes(text));
  run.finish("done");
  fmt::print("{}{}\nnext: subvocal report {}\n",
             bench::marks_table(marks, limits),
             run.file("bench.json"),
             run.path());
  return 0;
}

}  // namespace

int bench(const Arguments& a) {
  if (a.target.empty()) {
    SV_CHECK(a.overrides.empty(), "bench needs an op: subvocal bench matmul ", a.overrides[0]);
    fmt::print("subvocal bench: time an op, the loop or a training step\n{}", keys_help("bench"));
    return 0;
  }
  std::vector<std::string> known = {"iteration", "train", "roofline", "compare"};
  if (a.target == "iteration" || a.target == "train") {
    return bench_model(a);
  }
  if (a.target == "roofline") {
    return bench_roofline(a);
  }
  if (a.target == "compare") {
    return bench_compare(a);
  }
  for (const cases::SizedOp& op : cases::sized_ops()) {
    if (op.op == a.target) {
      return bench_op(a, op);
    }
    known.push_back(op.op);
  }
  fail("'", a.target, "' is nothing that bench knows", did_you_mean(a.target, known));
}

}  // namespace sv::cli

// Our side of bench/peers/pytorch_peer.py: makes a model of timing/shapes.h, hands over its weights
// and a batch with what we compute from them, and then times steps on request. One command a line
// on standard input, one answer a line:
//
//   open SHAPE BATCH LOOPS THREADS FILE     ok; FILE holds parameters, tokens, targets, logits and
//   the loss train STEPS                             seconds infer ITERATIONS seconds of one run of
//   the batch through so many iterations memory                                  peak resident KiB
//   of this process
#include <sys/resource.h>
#include <unistd.h>

#include <chrono>
#include <fstream>
#include <iostream>
#include <sstream>

#include "data/io/safetensors.h"
#include "experiments/timing/shapes.h"
#include "interp/run.h"
#include "models/train/trainer.h"

namespace sv::bench {
namespace {

double seconds_of(auto&& f) {
  const auto start = std::chrono::steady_clock::now();
  f();
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - start).count();
}

/// Resident memory now.
long resident_kib() {
  std::ifstream statm("/proc/self/statm");
  long pages = 0, resident = 0;
  statm >> pages >> resident;
  return resident * (sysconf(_SC_PAGESIZE) / 1024);
}

class Session {
 public:
  Session(
      const Shape& shape, int batch, int loops, int threads, const std::string& gradient = "full")
      : task_(task_of(shape)),
        data_(task_, Split::train, 0, std::max(2000, batch), false),
        model_(model_of(shape, 1)),
        threads_(threads),
        loops_(loops) {
    settings_.batch = batch;
    settings_.warmup = 0;
    settings_.decay = 0;
    settings_.gradient = gradient;
    trainer_ = std::make_unique<Trainer>(*model_, data_, settings_, Depth::fixed(loops), threads);
    data_.draw(model_->params().seeds(), 0, batch, batch_);
  }

  void dump(const std::string& path) {
    std::vector<HostTensor> tensors;
    const auto add = [&](const std::string& name, const Tensor& x) {
      const auto* bytes = static_cast<const std::byte*>(x.data);
      tensors.push_back({name,
                         x.dtype == DType::i32 ? Element::i32 : Element::f32,
                         x.shape.to_vector(),
                         {bytes, bytes + x.bytes()}});
    };
    for (const Param& p : model_->params()) {
      add("param." + p.name, p.value);
    }
    Arena arena;
    Tape tape({&arena, threads_, {}}, false);
    Plan plan;
    plan.depth = Depth::fixed(loops_);
    Trajectory out;
    const Inputs in = load_inputs(tape.ctx, batch_);
    unroll(*model_, in, plan, tape, out);
    add("tokens", in.tokens);
    add("logits", out.readouts.back().logits.value());
    add("targets", Tensor({batch_.size, batch_.positions}, DType::i32, batch_.targets.data()));
    trainer_->step(step_++);
    auto loss = static_cast<float>(trainer_->stats().loss[0]);
    add("loss", Tensor({1}, DType::f32, &loss));
    std::vector<TensorView> views;
    for (const HostTensor& t : tensors) {
      views.push_back(t.view());
    }
    const size_t slash = path.rfind('/');
    publish(path.substr(0, slash), {safetensors_file(path.substr(slash + 1), views, {})});
  }

  double train(int steps) {
    return seconds_of([&] {
      for (int i = 0; i < steps; ++i) {
        trainer_->step(step_++);
      }
    });
  }

  double infer(int iterations) {
    return seconds_of([&] {
      const RunOptions options{.batch = batch_.size, .threads = threads_};
      for_each_group(*model_, data_, batch_.size, options, false, [&](const GroupRun& g) {
        Plan plan;
        plan.depth = Depth::fixed(iterations);
        Trajectory out;
        g.unroll(*model_, plan, out);
      });
    });
  }

 private:
  std::shared_ptr<const Task> task_;
  Dataset data_;
  std::unique_ptr<Reasoner> model_;
  TrainSettings settings_;
  std::unique_ptr<Trainer> trainer_;
  Batch batch_;
  int threads_, loops_;
  int64_t step_ = 0;
};

const Shape& shape_named(const std::string& name) {
  for (const Shape& s : shapes()) {
    if (s.name == name) {
      return s;
    }
  }
  fail("no shape '", name, "'");
}

int serve() {
  std::unique_ptr<Session> session;
  std::string line;
  while (std::getline(std::cin, line)) {
    std::istringstream words(line);
    std::string verb;
    words >> verb;
    if (verb == "open") {
      std::string shape, path;
      int batch = 0, loops = 0, threads = 0;
      std::string gradient = "full";
      words >> shape >> batch >> loops >> threads >> path >> gradient;
      gradient = gradient.empty() ? "full" : gradient;
      session.reset();
      session = std::make_unique<Session>(shape_named(shape), batch, loops, threads, gradient);
      if (path != "-") {
        session->dump(path);
      }
      std::cout << "ok" << std::endl;
    } else if (verb == "memory") {
      SV_CHECK(session != nullptr, "open a shape first");
      const long before = resident_kib();
      session->train(2);
      rusage usage{};
      getrusage(RUSAGE_SELF, &usage);
      std::cout << usage.ru_maxrss - before << std::endl;
    } else {
      SV_CHECK(session != nullptr, "open a shape first");
      int n = 0;
      words >> n;
      std::cout << (verb == "train" ? session->train(n) : session->infer(n)) << std::endl;
    }
  }
  return 0;
}

}  // namespace
}  // namespace sv::bench

int main() {
  try {
    return sv::bench::serve();
  } catch (const std::exception& e) {
    std::cerr << "peer_bench: " << e.what() << '\n';
    return 1;
  }
}

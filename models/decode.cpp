#include "models/decode.h"

#include <algorithm>
#include <cmath>

#include "core/rng.h"
#include "kernels/memory/copy.h"

namespace sv {

Decoder::Decoder(
    Reasoner& model, int64_t positions, const Depth& depth, const CachePolicy& policy, int threads)
    : model_(model), cache_(policy, positions), threads_(threads) {
  SV_CHECK(model.decodes(),
           "this model cannot be decoded: only models with a causal mask (model.mask=causal) that "
           "compute a position from earlier ones in attention alone can");
  SV_CHECK(model.params().device() == nullptr, "decoding runs on the CPU");
  plan_.depth = depth;
  plan_.cache = &cache_;
  packed_.pack(memory_.context(threads), model.params());
  plan_.packed = &packed_;
}

Tensor Decoder::next(const Tensor& tokens, const Tensor& ids) {
  memory_.reset();
  cache_.open(tokens.dim(2));
  Tape tape(memory_.context(threads_), false);
  Trajectory run;
  Inputs in;
  in.tokens = tokens;
  in.ids = ids;
  unroll(model_, in, plan_, tape, run);
  cache_.close();
  Tensor out = run.readouts.back().logits.value();
  for (const Readout& y : run.readouts) {  // models of one depth each
    for (const int m : y.models) {
      copy_tensor(tape.ctx, out.slice(m, 1), y.logits.value().slice(m, 1));
    }
  }
  return out;
}

namespace {

/// The symbol that a row of logits (V) gives.
template <class T>
int32_t choose_symbol(const T* logits, int64_t V, double temperature, double uniform) {
  const auto best = std::max_element(logits, logits + V) - logits;
  if (temperature == 0) {
    return static_cast<int32_t>(best);
  }
  const auto weight = [&](int64_t v) {
    return std::exp(static_cast<double>(logits[v] - logits[best]) / temperature);
  };
  double sum = 0;
  for (int64_t v = 0; v < V; ++v) {
    sum += weight(v);
  }
  double left = uniform * sum;
  for (int64_t v = 0; v < V; ++v) {
    left -= weight(v);
    if (left < 0) {
      return static_cast<int32_t>(v);
    }
  }
  return static_cast<int32_t>(best);
}

/// What is written while a pack decodes.
class Writer {
 public:
  Writer(Decoder& decoder, const Prompts& prompts, const Sampling& sampling)
      : decoder_(decoder),
        prompts_(prompts),
        sampling_(sampling),
        models_(decoder.model().models()),
        batch_(std::ssize(prompts.length)),
        ids_({1, batch_}, DType::i32) {
    SV_CHECK_EQ(std::ssize(prompts.tokens), batch_ * prompts.positions, "tokens of the prompts");
    SV_CHECK_EQ(std::ssize(prompts.ids), batch_, "ids of the prompts");
    SV_CHECK(prompts.positions <= decoder.cache().positions() && sampling.temperature >= 0,
             prompts.positions,
             " positions, the decoder has ",
             decoder.cache().positions(),
             "; temperature ",
             sampling.temperature);
    for (const int32_t n : prompts.length) {
      SV_CHECK(n >= 1 && n <= prompts.positions, "a prompt of ", n, " positions");
    }
    std::copy(prompts.ids.begin(), prompts.ids.end(), ids_.tensor().as<int32_t>());
    out_.tokens.assign(static_cast<size_t>(models_ * batch_ * prompts.positions), 0);
    out_.length.assign(static_cast<size_t>(models_ * batch_), 0);
    for (int64_t m = 0; m < models_; ++m) {
      for (int64_t b = 0; b < batch_; ++b) {
        const auto n = prompts.length[static_cast<size_t>(b)];
        std::copy_n(prompts.tokens.begin() + b * prompts.positions, n, row(m, b));
        out_.length[static_cast<size_t>(m * batch_ + b)] = n;
      }
    }
    done_.assign(out_.length.size(), 0);
  }

  Continuation run() {
    int64_t from = 0;
    int64_t to = *std::min_element(prompts_.length.begin(), prompts_.length.end());
    while (to < prompts_.positions && std::find(done_.begin(), done_.end(), 0) != done_.end()) {
      const Tensor logits = decoder_.next(window(from, to), ids_);
      with_float(logits.dtype, [&]<class T>() { write<T>(logits, to); });
      from = to++;
    }
    return std::move(out_);
  }

 private:
  int32_t* row(int64_t m, int64_t b) {
    return out_.tokens.data() + (m * batch_ + b) * prompts_.positions;
  }
  /// Tokens [from, to) of all rows.
  Tensor window(int64_t from, int64_t to) {
    window_ = Buffer({models_, batch_, to - from}, DType::i32);
    for (int64_t i = 0; i < models_ * batch_; ++i) {
      std::copy_n(out_.tokens.data() + i * prompts_.positions + from,
                  to - from,
                  window_.tensor().as<int32_t>() + i * (to - from));
    }
    return window_;
  }
  /// The symbols at position `at`, of rows whose prompt does not reach it.
  template <class T>
  void write(const Tensor& logits, int64_t at) {
    const int64_t count = logits.dim(2), V = logits.dim(3);
    for (int64_t m = 0; m < models_; ++m) {
      const Rng rng(decoder_.model().params().seeds()[static_cast<size_t>(m)], stream_of("decode"));
      for (int64_t b = 0; b < batch_; ++b) {
        const auto cell = static_cast<size_t>(m * batch_ + b);
        if (done_[cell] != 0 || prompts_.length[static_cast<size_t>(b)] > at) {
          continue;
        }
        const T* mine = logits.as<T>() + ((m * batch_ + b) * count + count - 1) * V;
        const auto draw = static_cast<uint64_t>(
            int64_t{prompts_.ids[static_cast<size_t>(b)]} * prompts_.positions + at);
        const int32_t symbol = choose_symbol(mine, V, sampling_.temperature, rng.uniform(draw));
        row(m, b)[at] = symbol;
        out_.length[cell] = static_cast<int32_t>(at + 1);
        done_[cell] = symbol == sampling_.end ? 1 : 0;
      }
    }
  }

  Decoder& decoder_;
  const Prompts& prompts_;
  const Sampling& sampling_;
  int64_t models_, batch_;
  Buffer ids_, window_;
  Continuation out_;
  std::vector<uint8_t> done_;  // (M, B)
};

}  // namespace

Continuation generate(Decoder& decoder, const Prompts& prompts, const Sampling& sampling) {
  SV_CHECK(!prompts.length.empty(), "no prompts");
  return Writer(decoder, prompts, sampling).run();
}

}  // namespace sv

#include "models/train/carry.h"

#include <algorithm>

#include "core/rng.h"
#include "kernels/memory/copy.h"

namespace sv {

namespace {
enum : int { kExample = 0, kMade = 1, kFresh = 2 };
}

Carry::Carry(Reasoner& model, const Dataset& data, const TrainSettings& settings)
    : model_(model),
      data_(data),
      segments_(settings.segments),
      batch_(settings.batch),
      explore_(settings.explore) {
  if (!on()) {
    return;
  }
  SV_CHECK(model.params().device() == nullptr, "train.segments > 1 runs on the CPU only");
  // The shapes of the state are the model's business: ask it with one example.
  Workspace memory;
  const Context ctx = memory.context(1);
  Tape tape(ctx, false);
  const Inputs in = load_inputs(ctx, data.range(0, 1));
  Pass pass{tape, model.params(), nullptr, Phase::encode, 0};
  const Var e = model.encode(pass, in);
  pass.phase = Phase::loop;
  const State h = model.init(pass, in, e);
  const int64_t models = model.models();
  for (size_t p = 0; p < model.schedule().parts.size(); ++p) {
    const Tensor x = h[static_cast<int>(p)].value();
    parts_.emplace_back(x.shape.with(0, models).with(1, batch_), x.dtype);
    parts_.back().tensor().zero();
  }
  rows_ = Buffer({models, batch_, 3}, DType::i32);
  fresh_.assign(static_cast<size_t>(models * batch_), 1);
  for (int m = 0; m < models; ++m) {
    for (int b = 0; b < batch_; ++b) {
      int32_t* r = row(m, b);
      r[kExample] = 0, r[kMade] = 0, r[kFresh] = 1;
    }
  }
}

void Carry::begin(const Batch& drawn, Batch& batch) {
  if (batch.size == 0) {
    data_.resize(model_.models(), batch_, batch);
  }
  for (int m = 0; m < model_.models(); ++m) {
    for (int b = 0; b < batch_; ++b) {
      int32_t* r = row(m, b);
      if (r[kFresh] != 0) {
        r[kExample] = static_cast<int32_t>(drawn.index[cell(m, b)]);
        r[kMade] = 0;
        data_.put(r[kExample], m, b, batch);
      }
    }
  }
}

Start Carry::start(int m, Rows rows) const {
  Start out;
  for (size_t p = 0; p < parts_.size(); ++p) {
    const Tensor& all = parts_[p];
    const Tensor mine = all.slice(m, 1);
    const int64_t bytes = static_cast<int64_t>(mine.bytes()) / batch_;
    out.parts[p] = {mine.shape.with(1, rows.count),
                    mine.dtype,
                    static_cast<std::byte*>(mine.data) + rows.begin * bytes};
  }
  out.fresh = {fresh_.data() + cell(m, rows.begin), static_cast<size_t>(rows.count)};
  return out;
}

void Carry::keep(const Context& ctx,
                 int m,
                 Rows rows,
                 const Trajectory& run,
                 const Readout& last,
                 uint64_t step) {
  const Start place = start(m, rows);
  for (size_t p = 0; p < parts_.size(); ++p) {
    copy_tensor(ctx, place.parts[p], run.final[static_cast<int>(p)].value());
  }
  SV_CHECK(!last.halt || last.halt.shape().rank() == 2,
           "segments need one halting score a row, got ",
           last.halt.shape());
  const Rng explore(model_.params().seeds()[static_cast<size_t>(m)], stream_of("explore"), step);
  for (int i = 0; i < rows.count; ++i) {
    const int b = rows.begin + i;
    int32_t* r = row(m, b);
    r[kMade] += 1;
    const double going_on = last.go_on ? element(last.go_on.value(), i) : 0;
    const bool halts = last.halt && element(last.halt.value(), i) > going_on;
    const auto draw = static_cast<uint64_t>(b);
    const int least = segments_ > 1 && explore.uniform(2 * draw) < explore_
                          ? 2 + static_cast<int>(explore.below(
                                    2 * draw + 1, static_cast<uint32_t>(segments_ - 1)))
                          : 1;
    r[kFresh] = r[kMade] >= segments_ || (halts && r[kMade] >= least) ? 1 : 0;
    fresh_[cell(m, b)] = static_cast<uint8_t>(r[kFresh]);
  }
}

std::vector<std::pair<std::string, Tensor>> Carry::tensors() const {
  std::vector<std::pair<std::string, Tensor>> out;
  for (size_t p = 0; p < parts_.size(); ++p) {
    out.emplace_back("carry." + model_.schedule().parts[p], parts_[p]);
  }
  if (on()) {
    out.emplace_back("carry.rows", rows_);
  }
  return out;
}

void Carry::restore(Batch& batch) {
  if (!on()) {
    return;
  }
  data_.resize(model_.models(), batch_, batch);
  for (int m = 0; m < model_.models(); ++m) {
    for (int b = 0; b < batch_; ++b) {
      const int32_t* r = row(m, b);
      SV_CHECK(r[kExample] >= 0 && r[kExample] < data_.size() && r[kMade] >= 0 &&
                   r[kMade] <= segments_ && (r[kFresh] == 0 || r[kFresh] == 1),
               "the checkpoint carries a row of example ",
               r[kExample],
               " of ",
               data_.size(),
               " with ",
               r[kMade],
               " segments of ",
               segments_);
      fresh_[cell(m, b)] = static_cast<uint8_t>(r[kFresh]);
      data_.put(r[kExample], m, b, batch);
    }
  }
}

}  // namespace sv

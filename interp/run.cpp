#include "interp/run.h"

#include <algorithm>

namespace sv {

Evidence evidence_of(const Reasoner& model, int64_t items, const Provenance& trained) {
  const auto& seeds = model.params().seeds();
  return {seeds, items, trained, seeds.size() < static_cast<size_t>(kSeedsForClaims)};
}

Inputs load_inputs(Arena& arena, const Batch& batch) {
  const auto host = [&](const std::vector<int32_t>& values, const Shape& shape) {
    SV_CHECK_EQ(static_cast<int64_t>(values.size()), shape.numel());
    const Tensor x = make_tensor(arena, shape, DType::i32);
    std::copy(values.begin(), values.end(), x.as<int32_t>());
    return x;
  };
  Inputs in;
  in.tokens = host(batch.tokens, {batch.models, batch.size, batch.positions});
  if (std::any_of(batch.lengths.begin(), batch.lengths.end(), [&](int32_t n) {
        return n < batch.positions;
      })) {
    in.lengths = host(batch.lengths, {batch.models, batch.size});
  }
  return in;
}

Batch batch_of(const std::vector<Example>& examples, const TaskSpec& spec) {
  Batch out;
  out.size = static_cast<int>(examples.size());
  out.positions = spec.positions;
  out.target_steps = spec.target_steps;
  for (size_t i = 0; i < examples.size(); ++i) {
    const Example& e = examples[i];
    out.tokens.insert(out.tokens.end(), e.tokens.begin(), e.tokens.end());
    out.targets.insert(out.targets.end(), e.targets.begin(), e.targets.end());
    out.lengths.push_back(e.length);
    out.difficulty.push_back(e.difficulty);
    out.index.push_back(static_cast<int64_t>(i));
  }
  return out;
}

void for_each_batch(const Dataset& data,
                    int64_t begin,
                    int64_t end,
                    int size,
                    const std::function<void(const Batch&)>& f) {
  SV_CHECK(begin >= 0 && begin < end && end <= data.size(),
           "examples ",
           begin,
           "..",
           end,
           " of a set of ",
           data.size());
  SV_CHECK(size > 0, "batch ", size);
  for (int64_t at = begin; at < end; at += size) {
    f(data.range(at, static_cast<int>(std::min<int64_t>(size, end - at))));
  }
}

std::vector<int> pooled_models(const std::vector<int>& listed, int models) {
  std::vector<int> out = listed;
  for (int m = 0; listed.empty() && m < models; ++m) {
    out.push_back(m);
  }
  for (const int m : out) {
    SV_CHECK(m >= 0 && m < models, "model ", m, " of a pack of ", models);
  }
  return out;
}

std::vector<double> column_means(const Grid& rows) {
  std::vector<double> out;
  std::vector<double> column(rows.size());
  for (size_t j = 0; !rows.empty() && j < rows[0].size(); ++j) {
    for (size_t i = 0; i < rows.size(); ++i) {
      column[i] = rows[i][j];
    }
    out.push_back(mean_of(column));
  }
  return out;
}

std::vector<Interval> column_intervals(const Grid& rows, const Bootstrap& options) {
  std::vector<Interval> out;
  std::vector<double> column(rows.size());
  for (size_t j = 0; !rows.empty() && j < rows[0].size(); ++j) {
    for (size_t i = 0; i < rows.size(); ++i) {
      column[i] = rows[i][j];
    }
    out.push_back(bootstrap_interval(column, options));
  }
  return out;
}

}  // namespace sv

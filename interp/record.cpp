#include "interp/record.h"

#include <algorithm>
#include <numeric>

namespace sv {

namespace {

/// What a site's tensor looks like as (positions, width) per row.
struct Layout {
  int64_t positions = 1;
  int64_t width = 1;
};

Layout layout_of(const Shape& s) {
  switch (s.rank()) {
    case 2:
      return {1, 1};
    case 3:
      return {1, s[2]};
    case 5:
      return {s[3], s[2] * s[4]};
    default:
      return {s[2], s.numel() / (s[0] * s[1] * s[2])};
  }
}

/// Row (m, b) of x into `to` (T, W); the heads of an attention pattern move behind the position.
template <class T>
void copy_row(const Tensor& x, int64_t m, int64_t b, const Layout& l, T* to) {
  const int64_t size = l.positions * l.width;
  const T* from = x.as<T>() + (m * x.dim(1) + b) * size;
  if (x.shape.rank() != 5) {
    std::copy_n(from, size, to);
    return;
  }
  const int64_t heads = x.dim(2);
  const int64_t keys = x.dim(4);
  for (int64_t h = 0; h < heads; ++h) {
    for (int64_t t = 0; t < l.positions; ++t) {
      std::copy_n(from + (h * l.positions + t) * keys, keys, to + t * l.width + h * keys);
    }
  }
}

/// The arrays of one batch; made when a site first fires, for only then is its shape known.
class BatchRecorder {
 public:
  BatchRecorder(Reasoner& model, const Batch& batch, const RecordPlan& plan)
      : model_(model), batch_(batch), plan_(plan) {}

  void take(const TapEvent& e) {
    Site key = e.site;
    key.r = 0;
    auto it =
        std::find_if(out_.begin(), out_.end(), [&](const SiteValues& v) { return v.site == key; });
    const Layout layout = layout_of(e.x.shape);
    if (it == out_.end()) {
      out_.push_back(open(key, layout, e.x.dtype));
      it = out_.end() - 1;
    }
    const int64_t u = key.phase == Phase::encode ? 0 : it->update_index(e.site.r);
    with_float(e.x.dtype, [&]<class T>() {
      T* to = it->data.tensor().as<T>();
      for (int64_t m = 0; m < e.x.dim(0); ++m) {
        for (int64_t b = 0; b < e.x.dim(1); ++b) {
          copy_row(e.x, m, b, layout, to + it->offset(m, u, b));
        }
      }
    });
  }

  std::vector<SiteValues> out_;

 private:
  /// Updates that write the site's part, of those asked for.
  SiteValues open(const Site& key, const Layout& layout, DType dtype) const {
    SiteValues v;
    v.site = key;
    v.name = site_name(key, model_.schedule());
    if (key.phase == Phase::encode) {
      v.updates = {0};
    } else {
      for (const int r : plan_.updates) {
        if (visited(key, model_.schedule(), r)) {
          v.updates.push_back(r);
        }
      }
    }
    v.data = Buffer({model_.models(),
                     static_cast<int64_t>(v.updates.size()),
                     batch_.size,
                     layout.positions,
                     layout.width},
                    dtype);
    return v;
  }

  Reasoner& model_;
  const Batch& batch_;
  const RecordPlan& plan_;
};

/// Periods that reach the last update asked for.
int periods_for(const Schedule& schedule, std::span<const int> updates) {
  const int last = updates.empty() ? 1 : std::max(1, updates.back());
  return (last + schedule.period() - 1) / schedule.period();
}

void check_plan(const RecordPlan& plan) {
  SV_CHECK(!plan.sites.empty(), "nothing to record");
  SV_CHECK(std::is_sorted(plan.updates.begin(), plan.updates.end()) &&
               std::adjacent_find(plan.updates.begin(), plan.updates.end()) == plan.updates.end(),
           "the updates to record must ascend");
}

void round_to_bf16(SiteValues& v) {
  if (v.data.tensor().dtype == DType::f32) {
    float* x = v.data.tensor().as<float>();
    std::transform(
        x, x + v.data.tensor().numel(), x, [](float f) { return static_cast<float>(bf16(f)); });
  }
  v.rounded = true;
}

}  // namespace

int64_t SiteValues::update_index(int r) const {
  const auto it = std::find(updates.begin(), updates.end(), r);
  SV_CHECK(it != updates.end(), "update ", r, " of ", name, " was not recorded");
  return it - updates.begin();
}

std::string updates_text(std::span<const int> updates) {
  std::string out;
  for (const int r : updates) {
    out += (out.empty() ? "" : ",") + std::to_string(r);
  }
  return out;
}

std::string at_updates(const std::string& site, const std::string& updates) {
  for (const std::string phase : {"loop.*.", "readout.*."}) {
    if (site.starts_with(phase)) {
      return phase.substr(0, phase.size() - 2) + updates + "." + site.substr(phase.size());
    }
  }
  return site;
}

std::vector<SiteValues> record_batch(Reasoner& model,
                                     const Batch& batch,
                                     const RecordPlan& plan,
                                     const PackedWeights& packed) {
  check_plan(plan);
  BatchRecorder recorder(model, batch, plan);
  Taps taps;
  bool readout = false;
  for (const std::string& site : plan.sites) {
    readout = readout || site.starts_with("readout.");
    Tap tap;
    tap.pattern = at_updates(site, updates_text(plan.updates));
    tap.action = [&](const TapEvent& e) { recorder.take(e); };
    taps.push_back(std::move(tap));
  }
  Workspace memory(model.params().device(), kRunBlock);
  Tape tape(memory.context(plan.run.threads), false);
  Plan run;
  run.depth = Depth::fixed(periods_for(model.schedule(), plan.updates));
  run.taps = &taps;
  run.save.readouts = readout ? SaveAt::Readouts::list : SaveAt::Readouts::none;
  run.save.readout_list = plan.updates;
  run.save.drop_readouts = true;  // taps copy what is wanted
  run.packed = &packed;
  Trajectory trajectory;
  unroll(model, load_inputs(tape.ctx, batch), run, tape, trajectory);
  plan.run.note(trajectory);
  return std::move(recorder.out_);
}

void stream_sites(Reasoner& model,
                  const Dataset& data,
                  int64_t begin,
                  int64_t end,
                  const RecordPlan& plan,
                  const std::function<void(const Batch&, std::span<const SiteValues>)>& each) {
  const PackedWeights packed = pack_weights(model, plan.run.threads);
  for_each_batch(data, begin, end, plan.run.batch, [&](const Batch& batch) {
    each(batch, record_batch(model, batch, plan, packed));
  });
}

int64_t estimate_bytes(Reasoner& model,
                       const Dataset& data,
                       int64_t examples,
                       const RecordPlan& plan) {
  int64_t bytes = 0;
  RecordPlan silent = plan;
  silent.run.blocks = nullptr;  // not a run of the measurement
  const PackedWeights packed = pack_weights(model, plan.run.threads);
  for (const SiteValues& v : record_batch(model, data.range(0, 1), silent, packed)) {
    bytes += v.data.tensor().numel() * 4 * examples;
  }
  return bytes;
}

std::vector<SiteValues> record(Reasoner& model,
                               const Dataset& data,
                               int64_t begin,
                               int64_t end,
                               const RecordPlan& plan,
                               const RecordOptions& options) {
  const int64_t bytes = estimate_bytes(model, data, end - begin, plan);
  SV_CHECK(bytes <= options.limit_bytes,
           "the recording takes ",
           bytes >> 20,
           " MiB, the limit is ",
           options.limit_bytes >> 20,
           " MiB; record fewer updates, sites or examples, or write segments");
  std::vector<SiteValues> out;
  stream_sites(model, data, begin, end, plan, [&](const Batch& batch, auto sites) {
    for (size_t i = 0; i < sites.size(); ++i) {
      const SiteValues& from = sites[i];
      if (out.size() == i) {
        const Shape& shape = from.data.tensor().shape;
        out.push_back({from.site,
                       from.name,
                       from.updates,
                       false,
                       Buffer(shape.with(2, end - begin), from.data.tensor().dtype)});
      }
      SiteValues& to = out[i];
      const auto size = static_cast<size_t>(from.positions() * from.width()) *
                        dtype_size(from.data.tensor().dtype);
      const size_t element = dtype_size(from.data.tensor().dtype);
      for (int64_t m = 0; m < from.models(); ++m) {
        for (int64_t u = 0; u < static_cast<int64_t>(from.updates.size()); ++u) {
          std::memcpy(static_cast<std::byte*>(to.data.tensor().data) +
                          static_cast<size_t>(to.offset(m, u, batch.index[0] - begin)) * element,
                      static_cast<const std::byte*>(from.data.tensor().data) +
                          static_cast<size_t>(from.offset(m, u, 0)) * element,
                      size * static_cast<size_t>(from.examples()));
        }
      }
    }
  });
  for (SiteValues& v : out) {
    if (options.bf16) {
      round_to_bf16(v);
    }
  }
  return out;
}

}  // namespace sv

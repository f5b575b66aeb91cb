// Recordings on disk: HDF5 segments with coordinates and labels, each complete and never changed
// afterwards.
#include <algorithm>
#include <cstdio>
#include <filesystem>

#include "data/io/h5.h"
#include "interp/record.h"

namespace sv {

namespace {

/// "loop.*.block.0.resid_out:h" -> "loop_block_0_resid_out_h"
std::string array_name(const std::string& site) {
  std::string out;
  for (const char c : site) {
    if (std::isalnum(static_cast<unsigned char>(c)) != 0 || c == '_') {
      out += c;
    } else if (!out.empty() && out.back() != '_' && c != '*') {
      out += '_';
    }
  }
  return out;
}

std::vector<float> values_of(const SiteValues& v, bool round) {
  std::vector<float> out(static_cast<size_t>(v.data.tensor().numel()));
  with_float(v.data.tensor().dtype, [&]<class T>() {
    const T* x = v.data.tensor().as<T>();
    std::transform(x, x + out.size(), out.begin(), [&](T value) {
      const auto f = static_cast<float>(value);
      return round ? static_cast<float>(bf16(f)) : f;
    });
  });
  return out;
}

/// Name of a dimension that has one size in the whole file: the size stands in the name where
/// arrays differ.
std::string sized(const std::string& name, int64_t size, int64_t usual) {
  return size == usual ? name : name + "_" + std::to_string(size);
}

class Segment {
 public:
  Segment(Reasoner& model,
          const Dataset& data,
          const RecordPlan& plan,
          const SegmentOptions& options,
          int64_t begin,
          int64_t end)
      : model_(model),
        data_(data),
        options_(options),
        begin_(begin),
        end_(end),
        writer_({"subvocal.activations",
                 1,
                 options.config_digest,
                 {{"task", data.task().spec().name},
                  {"precision", std::string(options.bf16 ? "rounded to bf16" : "f32")}}}) {
    coordinates(plan);
    labels();
  }

  void add(const std::vector<SiteValues>& sites, const RecordPlan& plan) {
    for (const SiteValues& v : sites) {
      const Shape& s = v.data.tensor().shape;
      const std::vector<float> values = values_of(v, options_.bf16);
      const auto updates = static_cast<int64_t>(v.updates.size());
      const auto usual = static_cast<int64_t>(plan.updates.size());
      const std::string update = v.site.phase == Phase::encode ? "input" : "update";
      writer_.dataset<float>(array_name(v.name),
                             {"model",
                              sized(update, updates, update == "input" ? updates : usual),
                              "example",
                              sized("position", s[3], data_.task().spec().positions),
                              "width_" + std::to_string(s[4])},
                             values,
                             s.to_vector(),
                             {"1", "recorded at " + v.name, {}});
    }
  }

  void publish(const std::string& path) { writer_.publish(path); }

 private:
  void coordinates(const RecordPlan& plan) {
    const auto& seeds = model_.params().seeds();
    const std::vector<int64_t> models(seeds.begin(), seeds.end());
    writer_.coordinate<int64_t>("model", models, {"1", "seed of the model", {}});
    if (!plan.updates.empty()) {
      const std::vector<int64_t> updates(plan.updates.begin(), plan.updates.end());
      writer_.coordinate<int64_t>("update", updates, {"1", "latent updates made", {}});
    }
    std::vector<int64_t> examples;
    for (int64_t i = begin_; i < end_; ++i) {
      examples.push_back(i);
    }
    writer_.coordinate<int64_t>("example", examples, {"1", "index in the data set", {}});
  }

  template <class Get>
  void integers(const std::string& name,
                const std::vector<std::string>& dims,
                const std::vector<int64_t>& sizes,
                const std::string& help,
                const Get& get) {
    std::vector<int32_t> values;
    for (int64_t i = begin_; i < end_; ++i) {
      const auto& row = get(data_[i]);
      values.insert(values.end(), row.begin(), row.end());
    }
    writer_.dataset<int32_t>(name, dims, values, sizes, {"1", help, {}});
  }

  void labels() {
    const TaskSpec& spec = data_.task().spec();
    const int64_t n = end_ - begin_;
    integers("tokens", {"example", "position"}, {n, spec.positions}, "input symbols", [](auto& e) {
      return e.tokens;
    });
    integers("targets",
             {"example", "target_step", "position"},
             {n, spec.target_steps, spec.positions},
             "answers; -1: not asked",
             [](auto& e) { return e.targets; });
    integers("difficulty", {"example"}, {n}, spec.difficulty, [](auto& e) {
      return std::vector<int32_t>{e.difficulty};
    });
    for (size_t k = 0; k < spec.truths.size() && !data_[begin_].truths.empty(); ++k) {
      const TruthSpec& truth = spec.truths[k];
      integers("truth_" + array_name(truth.name),
               {"example", "step_" + std::to_string(truth.steps), "position"},
               {n, truth.steps, spec.positions},
               truth.help + "; -1: not defined",
               [k](auto& e) { return e.truths[k]; });
    }
  }

  Reasoner& model_;
  const Dataset& data_;
  const SegmentOptions& options_;
  int64_t begin_, end_;
  H5Writer writer_;
};

void check_space(const std::string& folder, int64_t bytes) {
  const auto space = std::filesystem::space(folder);
  if (static_cast<int64_t>(space.available) < bytes + bytes / 10) {
    throw Error("recording takes " + std::to_string(bytes >> 20) + " MiB and " + folder + " has " +
                    std::to_string(space.available >> 20) + " MiB free",
                Exit::environment);
  }
}

}  // namespace

SegmentReport write_segments(Reasoner& model,
                             const Dataset& data,
                             int64_t begin,
                             int64_t end,
                             const RecordPlan& plan,
                             const std::string& folder,
                             const SegmentOptions& options) {
  SV_CHECK(begin >= 0 && begin < end && end <= data.size(),
           "examples ",
           begin,
           "..",
           end,
           " of a set of ",
           data.size());
  SegmentReport report;
  report.bytes = estimate_bytes(model, data, end - begin, plan);
  check_space(folder, report.bytes);
  const int64_t one = std::max<int64_t>(1, report.bytes / (end - begin));
  report.examples_per_segment = std::max<int64_t>(1, options.segment_bytes / one);
  for (int64_t at = begin; at < end; at += report.examples_per_segment) {
    const int64_t stop = std::min(end, at + report.examples_per_segment);
    Segment segment(model, data, plan, options, at, stop);
    segment.add(record(model, data, at, stop, plan, {INT64_MAX, false}), plan);
    std::array<char, 16> number{};
    std::snprintf(number.data(), number.size(), "-%03zu.h5", report.files.size());
    report.files.push_back(options.prefix + number.data());
    segment.publish(folder + "/" + report.files.back());
  }
  return report;
}

}  // namespace sv

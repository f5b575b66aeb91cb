#include "interp/probe/labels.h"

#include <algorithm>

#include "core/check.h"
#include "core/nearest.h"
#include "core/rng.h"

namespace sv {

namespace {

constexpr const char* kAnswer = "answer";

/// What a LabelSet is filled from.
struct Source {
  std::string truth, member, help;
  int classes = 2;
  int steps = 1;
  int index = -1;  // of the task's truths; -1: the targets
};

std::vector<Source> sources(const TaskSpec& spec, const LabelRequest& request) {
  std::vector<Source> all;
  std::vector<std::string> names;
  for (size_t k = 0; k < spec.truths.size(); ++k) {
    const TruthSpec& t = spec.truths[k];
    all.push_back({t.group.empty() ? t.name : t.group,
                   t.name,
                   t.help,
                   t.classes,
                   t.steps,
                   static_cast<int>(k)});
  }
  all.push_back({kAnswer, kAnswer, "the answer asked for", spec.answers, spec.target_steps, -1});
  for (const Source& s : all) {
    names.push_back(s.truth);
    names.push_back(s.member);
  }
  for (const std::string& wanted : request.truths) {
    if (std::find(names.begin(), names.end(), wanted) == names.end()) {
      fail("task ",
           spec.name,
           " has no truth '",
           wanted,
           "'; nearest is '",
           nearest_name(wanted, names),
           "'");
    }
  }
  std::erase_if(all, [&](const Source& s) {
    const auto& list = request.truths;
    return !list.empty() && std::find(list.begin(), list.end(), s.truth) == list.end() &&
           std::find(list.begin(), list.end(), s.member) == list.end();
  });
  return all;
}

class Builder {
 public:
  Builder(const Dataset& data, const LabelRequest& request)
      : data_(data),
        request_(request),
        items_(request.train_items + request.test_items),
        positions_(data.task().spec().positions) {}

  LabelSet build(const Source& source, int step) const {
    LabelSet set{source.truth, source.member, source.help, step, source.classes, {}, {}};
    std::vector<int16_t>& truth = label(set, LabelKind::truth);
    truth.assign(static_cast<size_t>(items_ * positions_), -1);
    for (int64_t i = 0; i < items_; ++i) {
      const Example& e = data_[i];
      const std::vector<int32_t>& from =
          source.index < 0 ? e.targets : e.truths[static_cast<size_t>(source.index)];
      for (int64_t t = 0; t < positions_; ++t) {
        if (wanted(t)) {
          truth[at(i, t)] = static_cast<int16_t>(from[static_cast<size_t>(step * positions_ + t)]);
        }
      }
    }
    set.train_count.assign(static_cast<size_t>(source.classes), 0);
    for (int64_t j = 0; j < request_.train_items * positions_; ++j) {
      const int16_t v = truth[static_cast<size_t>(j)];
      SV_CHECK(v < source.classes, source.member, " has value ", v, " of ", source.classes);
      if (v >= 0) {
        ++set.train_count[static_cast<size_t>(v)];
      }
    }
    shuffle(set);
    relabel(set);
    return set;
  }

 private:
  static std::vector<int16_t>& label(LabelSet& set, LabelKind kind) {
    return set.label[static_cast<size_t>(kind)];
  }
  size_t at(int64_t i, int64_t t) const { return static_cast<size_t>(i * positions_ + t); }
  bool wanted(int64_t t) const {
    const auto& list = request_.positions;
    return list.empty() || std::find(list.begin(), list.end(), static_cast<int>(t)) != list.end();
  }

  /// Permutes the labels of each position among the examples of each split.
  void shuffle(LabelSet& set) const {
    const std::vector<int16_t>& truth = label(set, LabelKind::truth);
    std::vector<int16_t>& out = label(set, LabelKind::shuffled);
    out = truth;
    const uint32_t stream = stream_of("probe.shuffle." + set.member);
    for (int64_t t = 0; t < positions_; ++t) {
      for (int split = 0; split < 2; ++split) {
        const int64_t begin = split == 0 ? 0 : request_.train_items;
        const int64_t end = split == 0 ? request_.train_items : items_;
        std::vector<int16_t> values;
        for (int64_t i = begin; i < end; ++i) {
          if (truth[at(i, t)] >= 0) {
            values.push_back(truth[at(i, t)]);
          }
        }
        const auto step = static_cast<uint64_t>((set.step * positions_ + t) * 2 + split);
        RngCursor rng(Rng(request_.key, stream, step));
        rng.shuffle(values);
        for (int64_t i = begin, next = 0; i < end; ++i) {
          if (truth[at(i, t)] >= 0) {
            out[at(i, t)] = values[static_cast<size_t>(next++)];
          }
        }
      }
    }
  }

  /// Each (position, token) gets the label of a random training row: the class frequencies stay.
  void relabel(LabelSet& set) const {
    const std::vector<int16_t>& truth = label(set, LabelKind::truth);
    std::vector<int16_t>& out = label(set, LabelKind::control);
    out.assign(truth.size(), -1);
    std::vector<int16_t> seen;
    for (int64_t j = 0; j < request_.train_items * positions_; ++j) {
      if (truth[static_cast<size_t>(j)] >= 0) {
        seen.push_back(truth[static_cast<size_t>(j)]);
      }
    }
    const Rng rng(
        request_.key, stream_of("probe.control." + set.member), static_cast<uint64_t>(set.step));
    const auto vocab = static_cast<int64_t>(data_.task().spec().vocab);
    for (int64_t i = 0; i < items_ && !seen.empty(); ++i) {
      for (int64_t t = 0; t < positions_; ++t) {
        if (truth[at(i, t)] >= 0) {
          const auto type =
              static_cast<uint64_t>(t * vocab + data_[i].tokens[static_cast<size_t>(t)]);
          out[at(i, t)] = seen[rng.below(type, static_cast<uint32_t>(seen.size()))];
        }
      }
    }
  }

  const Dataset& data_;
  const LabelRequest& request_;
  int64_t items_, positions_;
};

}  // namespace

std::vector<LabelFamily> make_labels(const Dataset& data, const LabelRequest& request) {
  const TaskSpec& spec = data.task().spec();
  SV_CHECK(request.train_items > 0 && request.test_items > 0 &&
               request.train_items + request.test_items <= data.size(),
           request.train_items,
           " + ",
           request.test_items,
           " examples of a set of ",
           data.size());
  const Builder builder(data, request);
  std::vector<LabelFamily> families;
  for (const Source& source : sources(spec, request)) {
    SV_CHECK(source.index < 0 || !data[0].truths.empty(), "the data set was made without truths");
    for (int step = 0; step < source.steps; ++step) {
      const auto& steps = request.steps;
      if (!steps.empty() && std::find(steps.begin(), steps.end(), step) == steps.end()) {
        continue;
      }
      LabelSet set = builder.build(source, step);
      const std::vector<int16_t>& truth = set.label[0];
      std::vector<uint8_t> defined(truth.size());
      std::transform(truth.begin(), truth.end(), defined.begin(), [](int16_t v) {
        return static_cast<uint8_t>(v >= 0 ? 1 : 0);
      });
      const auto cut =
          defined.begin() + static_cast<std::ptrdiff_t>(request.train_items) * spec.positions;
      const int64_t train_rows = std::count(defined.begin(), cut, 1);
      const int64_t test_rows = std::count(cut, defined.end(), 1);
      if (train_rows == 0 || test_rows == 0) {
        continue;
      }
      auto it = std::find_if(families.begin(), families.end(), [&](const LabelFamily& f) {
        return f.defined == defined;
      });
      if (it == families.end()) {
        families.push_back({std::move(defined), {}, train_rows, test_rows});
        it = families.end() - 1;
      }
      it->sets.push_back(std::move(set));
    }
  }
  SV_CHECK(!families.empty(), "none of the truths asked for is defined in both splits");
  return families;
}

}  // namespace sv

// One pass over the fitting examples streams the sums of every (model, update) cell, one pass over
// the held-out examples scores them: no recording is held. Truths of equal mask share a Gram
// matrix.
#include "interp/probe/linear_probe.h"

#include <algorithm>
#include <limits>
#include <map>
#include <optional>

#include "kernels/linalg/ridge.h"

namespace sv {

namespace {

/// Right predictions of one cell: (set of the family, kind, position).
struct Counts {
  std::vector<int32_t> right;
};

/// One family in one cell: sums while fitting, maps afterwards.
struct CellFamily {
  linalg::InputSums inputs{0};
  std::vector<double> cross;  // (K, D): sum of x over the rows of each one-hot column
  std::vector<double> total;  // (K)
  linalg::LinearMap map;
  Counts counts;
};

/// Probes of one pack at one site.
class ProbeRun {
 public:
  ProbeRun(Reasoner& model,
           const Dataset& data,
           const std::vector<LabelFamily>& families,
           const ProbeOptions& options,
           const std::string& site,
           int kinds)
      : model_(model),
        data_(data),
        families_(families),
        options_(options),
        kinds_(kinds),
        positions_(data.task().spec().positions) {
    plan_.sites = {site};
    plan_.updates = site.starts_with("encode") ? std::vector<int>{} : options.updates;
    plan_.run = options.run;
  }

  void run() {
    const int64_t cut = options_.train_items;
    pass(0, cut, [&](CellFamily& cell, const LabelFamily& f, const auto& x, const auto& rows) {
      fit(cell, f, x, rows);
    });
    run_tasks(static_cast<int64_t>(cells_.size()), options_.run.threads, [&](int64_t c, int) {
      for (size_t f = 0; f < families_.size(); ++f) {
        solve(cells_[static_cast<size_t>(c)][f]);
      }
    });
    pass(cut,
         cut + options_.test_items,
         [&](CellFamily& cell, const LabelFamily& f, const auto& x, const auto& rows) {
           score(cell, f, x, rows);
         });
  }

  int64_t updates() const { return updates_; }
  /// Those of the updates asked for that write what the site shows.
  const std::vector<int>& update_list() const { return update_list_; }
  /// Right predictions of a set at a position, or at all (position -1).
  int64_t right(int64_t m, int64_t u, size_t f, size_t set, int kind, int position) const {
    const Counts& c = cells_[static_cast<size_t>(m * updates_ + u)][f].counts;
    const size_t begin = (set * static_cast<size_t>(kinds_) + static_cast<size_t>(kind)) *
                         static_cast<size_t>(positions_);
    if (position >= 0) {
      return c.right[begin + static_cast<size_t>(position)];
    }
    int64_t sum = 0;
    for (int64_t t = 0; t < positions_; ++t) {
      sum += c.right[begin + static_cast<size_t>(t)];
    }
    return sum;
  }

 private:
  int64_t columns(const LabelFamily& f) const {
    int64_t k = 0;
    for (const LabelSet& set : f.sets) {
      k += static_cast<int64_t>(kinds_) * set.columns();
    }
    return k;
  }

  void open(const SiteValues& site) {
    update_list_ = site.updates;
    updates_ = static_cast<int64_t>(site.updates.size());
    width_ = site.width();
    prefix_ = model_.schedule().prefix;
    SV_CHECK(site.positions() == prefix_ + positions_,
             "the probe reads one vector per position; ",
             site.name,
             " has ",
             site.positions(),
             " positions, the task ",
             positions_,
             " behind ",
             prefix_);
    cells_.resize(static_cast<size_t>(site.models() * updates_));
    for (auto& cell : cells_) {
      for (const LabelFamily& f : families_) {
        CellFamily& c = cell.emplace_back();
        const auto k = static_cast<size_t>(columns(f));
        c.inputs = linalg::InputSums(width_);
        c.cross.assign(k * static_cast<size_t>(width_), 0);
        c.total.assign(k, 0);
        c.counts.right.assign(f.sets.size() * static_cast<size_t>(kinds_ * positions_), 0);
      }
    }
  }

  /// Gathers the rows of each family and hands them to `act`, cell by cell.
  template <class Act>
  void pass(int64_t begin, int64_t end, const Act& act) {
    stream_sites(model_, data_, begin, end, plan_, [&](const Batch& batch, auto sites) {
      SV_CHECK(sites.size() == 1, "the probe reads one site; '", plan_.sites[0], "' is several");
      const SiteValues& site = sites[0];
      if (cells_.empty()) {
        open(site);
      }
      std::vector<std::vector<int64_t>> rows;  // per family: example * T + position
      for (const LabelFamily& f : families_) {
        std::vector<int64_t>& list = rows.emplace_back();
        const int64_t first = batch.index[0] * positions_;
        for (int64_t i = first; i < first + batch.size * positions_; ++i) {
          if (f.defined[static_cast<size_t>(i)] != 0) {
            list.push_back(i);
          }
        }
      }
      run_tasks(static_cast<int64_t>(cells_.size()), options_.run.threads, [&](int64_t c, int) {
        std::vector<double> x;
        for (size_t f = 0; f < families_.size(); ++f) {
          gather(site, c, batch.index[0] * positions_, rows[f], x);
          act(cells_[static_cast<size_t>(c)][f], families_[f], x, rows[f]);
        }
      });
    });
  }

  void gather(const SiteValues& site,
              int64_t cell,
              int64_t first,
              const std::vector<int64_t>& rows,
              std::vector<double>& x) const {
    x.resize(rows.size() * static_cast<size_t>(width_));
    with_float(site.data.tensor().dtype, [&]<class T>() {
      const T* from = site.data.tensor().as<T>() + site.offset(cell / updates_, cell % updates_, 0);
      for (size_t j = 0; j < rows.size(); ++j) {
        const int64_t example = (rows[j] - first) / positions_, t = rows[j] % positions_;
        const T* row = from + (example * (prefix_ + positions_) + prefix_ + t) * width_;
        std::copy_n(row, width_, x.data() + j * static_cast<size_t>(width_));
      }
    });
  }

  void fit(CellFamily& cell,
           const LabelFamily& f,
           const std::vector<double>& x,
           const std::vector<int64_t>& rows) const {
    cell.inputs.add(x.data(), static_cast<int64_t>(rows.size()));
    int64_t column = 0;
    for (const LabelSet& set : f.sets) {
      for (int kind = 0; kind < kinds_; ++kind, column += set.columns()) {
        const std::vector<int16_t>& label = set.label[static_cast<size_t>(kind)];
        for (size_t j = 0; j < rows.size(); ++j) {
          const int16_t v = label[static_cast<size_t>(rows[j])];
          if (set.classes == 2 && v == 0) {
            continue;
          }
          const auto k = static_cast<size_t>(column + (set.classes == 2 ? 0 : v));
          double* to = cell.cross.data() + k * static_cast<size_t>(width_);
          const double* from = x.data() + j * static_cast<size_t>(width_);
          for (int64_t d = 0; d < width_; ++d) {
            to[d] += from[d];
          }
          cell.total[k] += 1;
        }
      }
    }
  }

  void solve(CellFamily& cell) const {
    const size_t k = cell.total.size();
    const auto d = static_cast<size_t>(width_);
    std::vector<double> cross(d * k);  // (D, K)
    for (size_t i = 0; i < k; ++i) {
      for (size_t j = 0; j < d; ++j) {
        cross[j * k + i] = cell.cross[i * d + j];
      }
    }
    cell.map = linalg::Ridge(cell.inputs, options_.strength).solve(cross, cell.total);
    cell.cross = {};
  }

  void score(CellFamily& cell,
             const LabelFamily& f,
             const std::vector<double>& x,
             const std::vector<int64_t>& rows) const {
    const auto k = static_cast<size_t>(cell.map.outputs);
    std::vector<double> y(rows.size() * k);
    cell.map.apply(x.data(), static_cast<int64_t>(rows.size()), y.data());
    size_t column = 0;
    size_t block = 0;
    for (const LabelSet& set : f.sets) {
      for (int kind = 0; kind < kinds_; ++kind, ++block) {
        const std::vector<int16_t>& label = set.label[static_cast<size_t>(kind)];
        const auto count = static_cast<size_t>(set.columns());
        for (size_t j = 0; j < rows.size(); ++j) {
          const double* out = y.data() + j * k + column;
          const auto guess =
              set.classes == 2 ? (out[0] > 0.5 ? 1 : 0) : std::max_element(out, out + count) - out;
          const auto t = static_cast<size_t>(rows[j] % positions_);
          cell.counts.right[block * static_cast<size_t>(positions_) + t] +=
              guess == label[static_cast<size_t>(rows[j])] ? 1 : 0;
        }
        column += count;
      }
    }
  }

  Reasoner& model_;
  const Dataset& data_;
  const std::vector<LabelFamily>& families_;
  const ProbeOptions& options_;
  int kinds_;
  int64_t positions_;
  int64_t prefix_ = 0;  // positions of the site before the task's
  int64_t updates_ = 0;
  std::vector<int> update_list_;
  int64_t width_ = 0;
  RecordPlan plan_;
  std::vector<std::vector<CellFamily>> cells_;  // (M, U) of families
};

/// Where the sets of one result are: (family, set).
using FamilyMembers = std::vector<std::pair<size_t, size_t>>;

/// Mean over the members of right / rows.
double share(const ProbeRun& run,
             const std::vector<LabelFamily>& families,
             const FamilyMembers& members,
             int64_t m,
             int64_t u,
             LabelKind kind) {
  double sum = 0;
  for (const auto& [f, set] : members) {
    sum += static_cast<double>(run.right(m, u, f, set, static_cast<int>(kind), -1)) /
           static_cast<double>(families[f].test_rows);
  }
  return sum / static_cast<double>(members.size());
}

Grid shares(const ProbeRun& run,
            const std::vector<LabelFamily>& families,
            const FamilyMembers& members,
            int64_t models,
            LabelKind kind) {
  Grid out = make_grid(static_cast<size_t>(models), static_cast<size_t>(run.updates()));
  for (int64_t m = 0; m < models; ++m) {
    for (int64_t u = 0; u < run.updates(); ++u) {
      out[static_cast<size_t>(m)][static_cast<size_t>(u)] =
          share(run, families, members, m, u, kind);
    }
  }
  return out;
}

Grid difference(const Grid& a, const Grid& b) {
  Grid out = a;
  for (size_t i = 0; i < a.size(); ++i) {
    for (size_t j = 0; j < a[i].size(); ++j) {
      out[i][j] -= b[i][j];
    }
  }
  return out;
}

/// Share of the held-out labels that have the most frequent training class.
double majority(const std::vector<LabelFamily>& families,
                const FamilyMembers& members,
                int64_t first_test_row) {
  double sum = 0;
  for (const auto& [f, s] : members) {
    const LabelSet& set = families[f].sets[s];
    const auto best =
        std::max_element(set.train_count.begin(), set.train_count.end()) - set.train_count.begin();
    const std::vector<int16_t>& label = set.label[0];
    const auto begin = label.begin() + static_cast<std::ptrdiff_t>(first_test_row);
    sum += static_cast<double>(std::count(begin, label.end(), static_cast<int16_t>(best))) /
           static_cast<double>(families[f].test_rows);
  }
  return sum / static_cast<double>(members.size());
}

/// (U, T) accuracy of one kind, over models and members; NaN where a position has no labels.
Grid position_map(const ProbeRun& run,
                  const std::vector<LabelFamily>& families,
                  const FamilyMembers& members,
                  const std::vector<int>& models,
                  int64_t positions,
                  int64_t first_test_row,
                  LabelKind kind) {
  Grid out = make_grid(static_cast<size_t>(run.updates()),
                       static_cast<size_t>(positions),
                       std::numeric_limits<double>::quiet_NaN());
  for (int64_t t = 0; t < positions; ++t) {
    int64_t rows = 0;
    for (const auto& [f, set] : members) {
      const auto& defined = families[f].defined;
      for (size_t i = static_cast<size_t>(first_test_row + t); i < defined.size();
           i += static_cast<size_t>(positions)) {
        rows += defined[i];
      }
    }
    for (int64_t u = 0; rows > 0 && u < run.updates(); ++u) {
      int64_t right = 0;
      for (const int m : models) {
        for (const auto& [f, set] : members) {
          right += run.right(m, u, f, set, static_cast<int>(kind), static_cast<int>(t));
        }
      }
      out[static_cast<size_t>(u)][static_cast<size_t>(t)] =
          static_cast<double>(right) /
          static_cast<double>(rows * static_cast<int64_t>(models.size()));
    }
  }
  return out;
}

}  // namespace

std::vector<ProbeResult> linear_probe(Reasoner& model, const Dataset& data, const ProbeOptions& o) {
  const std::vector<LabelFamily> families =
      make_labels(data, {o.truths, o.steps, o.positions, o.train_items, o.test_items, o.key});
  const std::string input = "encode.encoded";
  ProbeRun main(model, data, families, o, o.site, o.controls ? kLabelKinds : 1);
  main.run();
  std::optional<ProbeRun> input_only;
  if (o.controls) {
    input_only.emplace(model, data, families, o, input, 1).run();
  }
  std::optional<ProbeRun> untrained;
  if (o.untrained != nullptr) {
    untrained.emplace(*o.untrained, data, families, o, o.site, 1).run();
  }
  std::map<std::pair<std::string, int>, FamilyMembers> members;
  std::vector<std::pair<std::string, int>> order;
  for (size_t f = 0; f < families.size(); ++f) {
    for (size_t s = 0; s < families[f].sets.size(); ++s) {
      const LabelSet& set = families[f].sets[s];
      const auto [it, fresh] = members.try_emplace({set.truth, set.step});
      it->second.emplace_back(f, s);
      if (fresh) {
        order.push_back(it->first);
      }
    }
  }
  const int64_t models = model.models();
  const std::vector<int> pooled = pooled_models(o.pooled, model.models());
  const int64_t positions = data.task().spec().positions;
  const int64_t first_test_row = o.train_items * positions;
  std::vector<ProbeResult> results;
  for (const auto& name : order) {
    const FamilyMembers& list = members[name];
    const auto& [f, s] = list[0];
    const LabelSet& set = families[f].sets[s];
    ProbeResult r;
    r.evidence = evidence_of(model, o.test_items, o.trained);
    r.truth = set.truth;
    r.help = set.help;
    r.site = o.site;
    r.step = set.step + 1;
    r.classes = set.classes;
    r.updates = main.update_list();
    r.accuracy = shares(main, families, list, models, LabelKind::truth);
    Grid pooled_rows;
    for (const int m : pooled) {
      pooled_rows.push_back(r.accuracy[static_cast<size_t>(m)]);
    }
    r.interval = column_intervals(pooled_rows, o.bootstrap);
    r.majority = majority(families, list, first_test_row);
    r.probe_examples = o.train_items;
    r.train_labels = families[f].train_rows;
    r.test_labels = families[f].test_rows;
    r.by_position =
        position_map(main, families, list, pooled, positions, first_test_row, LabelKind::truth);
    if (o.controls) {
      r.shuffled = shares(main, families, list, models, LabelKind::shuffled);
      r.control_task = shares(main, families, list, models, LabelKind::control);
      r.selectivity = difference(r.accuracy, r.control_task);
      r.above_shuffled = difference(r.accuracy, r.shuffled);
      r.by_position_above_shuffled = difference(
          r.by_position,
          position_map(
              main, families, list, pooled, positions, first_test_row, LabelKind::shuffled));
      for (int64_t m = 0; m < models; ++m) {
        r.input_only.push_back(share(*input_only, families, list, m, 0, LabelKind::truth));
      }
    }
    if (untrained) {
      r.untrained = shares(*untrained, families, list, o.untrained->models(), LabelKind::truth);
    }
    results.push_back(std::move(r));
  }
  return results;
}

}  // namespace sv

#include "interp/patching/patch.h"

#include <algorithm>
#include <limits>

#include "core/rng.h"
#include "interp/patching/patch_runs.h"

namespace sv {

namespace {

/// Answers counted in one cell.
struct Tally {
  int64_t clean = 0, donor = 0, other = 0;
  int64_t all() const { return clean + donor + other; }
  void add(int32_t got, int32_t base, int32_t wanted) {
    ++(got == base ? clean : got == wanted ? donor : other);
  }
};

/// (M, U, C) tallies.
struct Tallies {
  size_t models, starts, columns;
  std::vector<Tally> cell;
  Tallies(size_t m, size_t u, size_t c) : models(m), starts(u), columns(c), cell(m * u * c) {}
  Tally& at(size_t m, size_t u, size_t c) { return cell[(m * starts + u) * columns + c]; }

  /// (M) of (U, C): share(tally), NaN where nothing was counted.
  template <class F>
  std::vector<Grid> shares(F&& count) const {
    std::vector<Grid> out;
    for (size_t m = 0; m < models; ++m) {
      Grid g = make_grid(starts, columns, kNaN);
      for (size_t u = 0; u < starts; ++u) {
        for (size_t c = 0; c < columns; ++c) {
          const Tally& t = cell[(m * starts + u) * columns + c];
          if (t.all() > 0) {
            g[u][c] = static_cast<double>(count(t)) / static_cast<double>(t.all());
          }
        }
      }
      out.push_back(std::move(g));
    }
    return out;
  }
  std::vector<Grid> donor() const {
    return shares([](const Tally& t) { return t.donor; });
  }
  OutcomeGrids outcomes() const {
    return {shares([](const Tally& t) { return t.clean; }), donor(), shares([](const Tally& t) {
              return t.other;
            })};
  }
};

/// Calls f(u, c, values of the listed seeds) for every cell.
template <class F>
void each_cell(const std::vector<Grid>& by_seed, const std::vector<int>& models, F&& f) {
  std::vector<double> values(models.size());
  for (size_t u = 0; u < by_seed.at(0).size(); ++u) {
    for (size_t c = 0; c < by_seed[0][u].size(); ++c) {
      for (size_t i = 0; i < models.size(); ++i) {
        values[i] = by_seed[static_cast<size_t>(models[i])][u][c];
      }
      f(u, c, values);
    }
  }
}

/// Mean over seeds of each cell, leaving NaN out.
Grid mean_over(const std::vector<Grid>& by_seed, const std::vector<int>& models) {
  Grid out = by_seed.at(0);
  each_cell(by_seed, models, [&](size_t u, size_t c, const std::vector<double>& values) {
    out[u][c] = mean_of(values);
  });
  return out;
}

std::vector<std::vector<Interval>> intervals(const std::vector<Grid>& by_seed,
                                             const std::vector<int>& models,
                                             const Bootstrap& options) {
  std::vector<std::vector<Interval>> out(by_seed.at(0).size());
  each_cell(by_seed, models, [&](size_t u, size_t, const std::vector<double>& values) {
    out[u].push_back(bootstrap_interval(values, options));
  });
  return out;
}

double logit(const Tensor& x, int64_t m, int64_t row, int64_t t, int64_t v) {
  const int64_t i = ((m * x.dim(1) + row) * x.dim(2) + t) * x.dim(3) + v;
  return x.dtype == DType::f64 ? x.as<double>()[i] : static_cast<double>(x.as<float>()[i]);
}

bool holds(const PositionSet& set, int t) {
  return std::find(set.positions.begin(), set.positions.end(), t) != set.positions.end();
}

/// One grid of one pack.
class Study {
 public:
  Study(Reasoner& model,
        const PatchPairs& pairs,
        const TaskSpec& spec,
        const PatchOptions& options,
        const std::vector<PositionSet>& sets)
      : pairs_(pairs),
        spec_(spec),
        options_(options),
        sets_(sets),
        models_(static_cast<size_t>(model.models())),
        runs_(model, pairs, spec, options),
        here_(models_, options.updates.size(), sets.size()),
        elsewhere_(here_),
        same_(here_),
        random_(here_),
        relation_(models_, options.updates.size(), spec.coordinates.size() + 2),
        path_(models_ * options.updates.size() * sets.size()) {}

  /// `controls`: also the donors that should not matter.
  void run(bool controls) {
    const std::vector<PatchJob> main = jobs(true);
    const std::vector<PatchJob> same = controls ? jobs(false) : std::vector<PatchJob>{};
    std::vector<PatchJob> random = controls ? main : std::vector<PatchJob>{};
    const Rng rng(options_.key, stream_of("patch.random_donor"));
    const auto count = static_cast<uint32_t>(pairs_.base.size());
    for (size_t j = 0; j < random.size(); ++j) {
      random[j].donor = (random[j].pair + 1 + static_cast<int>(rng.below(j, count - 1))) %
                        static_cast<int>(count);
    }
    patches_ = static_cast<int64_t>(main.size() * options_.updates.size());
    for (size_t u = 0; u < options_.updates.size(); ++u) {
      if (controls) {
        runs_.check_identity(u);
      }
      runs_.run(u, main, sets_, [&](auto batch, const Tensor& logits, const Tensor& answer) {
        count_main(u, batch, logits, answer);
      });
      runs_.run(u, same, sets_, [&](auto batch, const Tensor&, const Tensor& answer) {
        each_answer(
            batch,
            answer,
            [&](size_t m, const PatchJob& job, int t, int32_t got, int32_t base, int32_t wanted) {
              if (base == wanted && holds(set_of(job), t)) {
                same_.at(m, u, static_cast<size_t>(job.set)).add(got, base, -1);
              }
            });
      });
      runs_.run(u, random, sets_, [&](auto batch, const Tensor&, const Tensor& answer) {
        each_answer(
            batch,
            answer,
            [&](size_t m, const PatchJob& job, int t, int32_t got, int32_t base, int32_t wanted) {
              if (base != wanted && holds(set_of(job), t)) {
                random_.at(m, u, static_cast<size_t>(job.set)).add(got, base, wanted);
              }
            });
      });
    }
  }

  Grid recovery(const std::vector<int>& models) const {
    Grid out = make_grid(options_.updates.size(), sets_.size(), kNaN);
    for (size_t u = 0; u < out.size(); ++u) {
      for (size_t c = 0; c < sets_.size(); ++c) {
        double gone = 0;
        double whole = 0;
        for (const int m : models) {
          const Path& p = path_[(static_cast<size_t>(m) * out.size() + u) * sets_.size() + c];
          gone += p.gone;
          whole += p.whole;
        }
        out[u][c] = whole != 0 ? gone / whole : kNaN;
      }
    }
    return out;
  }

  const PatchPairs& pairs_;
  const TaskSpec& spec_;
  const PatchOptions& options_;
  const std::vector<PositionSet>& sets_;
  size_t models_;
  PatchRuns runs_;
  Tallies here_, elsewhere_, same_, random_, relation_;
  int64_t patches_ = 0;

 private:
  struct Path {
    double gone = 0, whole = 0;
  };
  const PositionSet& set_of(const PatchJob& job) const {
    return sets_[static_cast<size_t>(job.set)];
  }
  const int32_t* last_targets(const Example& e) const {
    const int s = std::min(spec_.target_steps, std::max(1, runs_.last_update()));
    return e.targets.data() + static_cast<size_t>(s - 1) * static_cast<size_t>(spec_.positions);
  }

  /// All (pair, set) whose token or answer differs, or (`differing` false) up to four sets of each
  /// pair where an answer is asked and nothing differs: their donor must not matter.
  std::vector<PatchJob> jobs(bool differing) const {
    std::vector<PatchJob> out;
    for (int i = 0; i < static_cast<int>(pairs_.base.size()); ++i) {
      const Example& a = pairs_.base[static_cast<size_t>(i)];
      const Example& b = pairs_.donor[static_cast<size_t>(i)];
      std::vector<PatchJob> mine;
      for (int s = 0; s < static_cast<int>(sets_.size()); ++s) {
        bool differs = false;
        bool asked = false;
        for (const int t : sets_[static_cast<size_t>(s)].positions) {
          differs = differs ||
                    a.tokens[static_cast<size_t>(t)] != b.tokens[static_cast<size_t>(t)] ||
                    last_targets(a)[t] != last_targets(b)[t];
          asked = asked || last_targets(a)[t] >= 0;
        }
        if (differing ? (differs || !options_.only_differing) : (!differs && asked)) {
          mine.push_back({i, i, s});
        }
      }
      if (!differing) {
        RngCursor rng(Rng(options_.key, stream_of("patch.same_answer"), static_cast<uint64_t>(i)));
        rng.shuffle(mine);
        mine.resize(std::min<size_t>(mine.size(), 4));
      }
      out.insert(out.end(), mine.begin(), mine.end());
    }
    return out;
  }

  /// f(m, job, t, patched answer, base's answer, donor's answer) at every position that is asked.
  template <class F>
  void each_answer(std::span<const PatchJob> batch, const Tensor& answer, F&& f) const {
    const int positions = spec_.positions;
    const auto pairs = static_cast<int64_t>(pairs_.base.size());
    const int32_t* base = runs_.base().answer.tensor().as<int32_t>();
    const int32_t* donor = runs_.donor().answer.tensor().as<int32_t>();
    for (size_t m = 0; m < models_; ++m) {
      for (size_t j = 0; j < batch.size(); ++j) {
        const int32_t* asked = last_targets(pairs_.base[static_cast<size_t>(batch[j].pair)]);
        const int64_t clean = (static_cast<int64_t>(m) * pairs + batch[j].pair) * positions;
        const int64_t mine = static_cast<int64_t>(m * batch.size() + j) * positions;
        for (int t = 0; t < positions; ++t) {
          if (asked[t] >= 0) {
            f(m, batch[j], t, answer.as<int32_t>()[mine + t], base[clean + t], donor[clean + t]);
          }
        }
      }
    }
  }

  void count_main(size_t u,
                  std::span<const PatchJob> batch,
                  const Tensor& logits,
                  const Tensor& answer) {
    each_answer(
        batch,
        answer,
        [&](size_t m, const PatchJob& job, int t, int32_t got, int32_t base, int32_t wanted) {
          if (base == wanted) {
            return;
          }
          const PositionSet& set = set_of(job);
          const auto c = static_cast<size_t>(job.set);
          (holds(set, t) ? here_ : elsewhere_).at(m, u, c).add(got, base, wanted);
          if (set.positions.size() == 1) {
            relate(m, u, set.positions[0], t, got, base, wanted);
          }
          if (holds(set, t)) {
            measure_path(
                u, c, &job - batch.data(), static_cast<int64_t>(m), job, t, base, wanted, logits);
          }
        });
  }

  /// Column 0: the patched position itself; then each coordinate it shares; last: none.
  void relate(size_t m, size_t u, int from, int to, int32_t got, int32_t base, int32_t wanted) {
    bool any = from == to;
    if (any) {
      relation_.at(m, u, 0).add(got, base, wanted);
    }
    for (size_t k = 0; from != to && k < spec_.coordinates.size(); ++k) {
      const std::vector<int32_t>& id = spec_.coordinates[k].ids;
      if (id[static_cast<size_t>(from)] == id[static_cast<size_t>(to)]) {
        relation_.at(m, u, k + 1).add(got, base, wanted);
        any = true;
      }
    }
    if (!any) {
      relation_.at(m, u, spec_.coordinates.size() + 1).add(got, base, wanted);
    }
  }

  /// How far the logit difference (donor's answer - base's answer) has moved.
  void measure_path(size_t u,
                    size_t c,
                    int64_t row,
                    int64_t m,
                    const PatchJob& job,
                    int t,
                    int32_t base,
                    int32_t wanted,
                    const Tensor& logits) {
    const auto lead = [&](const Tensor& x, int64_t r) {
      return logit(x, m, r, t, wanted) - logit(x, m, r, t, base);
    };
    const double from = lead(runs_.base().logits, job.pair);
    Path& p = path_[(static_cast<size_t>(m) * options_.updates.size() + u) * sets_.size() + c];
    p.gone += lead(logits, row) - from;
    p.whole += lead(runs_.donor().logits, job.pair) - from;
  }

  std::vector<Path> path_;  // (M, U, sets)
};

std::vector<PositionSet> sets_of(const PatchOptions& options, const TaskSpec& spec) {
  std::vector<PositionSet> sets = options.sets;
  for (int t = 0; options.sets.empty() && t < spec.positions; ++t) {
    sets.push_back({std::to_string(t), {t}});
  }
  for (const PositionSet& set : sets) {
    SV_CHECK(!set.positions.empty(), "the position set '", set.name, "' is empty");
    for (const int t : set.positions) {
      SV_CHECK(t >= 0 && t < spec.positions, "position ", t, " of ", spec.positions);
    }
  }
  return sets;
}

PatchControl control(const std::string& name,
                     std::vector<Grid> by_seed,
                     const std::vector<int>& models) {
  Grid effect = mean_over(by_seed, models);
  return {name, std::move(by_seed), std::move(effect)};
}

}  // namespace

PatchResult patch(Reasoner& model, const Dataset& data, const PatchOptions& options) {
  const TaskSpec& spec = data.task().spec();
  const PatchPairs pairs = make_pairs(data, options.pairs, options.key, options.direction);
  const std::vector<PositionSet> sets = sets_of(options, spec);
  const std::vector<int> pooled = pooled_models(options.pooled, model.models());
  Study study(model, pairs, spec, options, sets);
  study.run(options.controls);
  PatchResult out;
  out.evidence = evidence_of(model, static_cast<int64_t>(pairs.base.size()), options.trained);
  out.site = options.site;
  out.when = when_name(options.when);
  out.direction = options.direction == Direction::noising ? "noising" : "denoising";
  out.updates = options.updates;
  out.last_update = study.runs_.last_update();
  for (const PositionSet& set : sets) {
    out.sets.push_back(set.name);
  }
  out.here = study.here_.outcomes();
  out.elsewhere = study.elsewhere_.outcomes();
  out.effect_here = mean_over(out.here.donor, pooled);
  out.effect_elsewhere = mean_over(out.elsewhere.donor, pooled);
  out.interval_here = intervals(out.here.donor, pooled, options.bootstrap);
  out.interval_elsewhere = intervals(out.elsewhere.donor, pooled, options.bootstrap);
  out.recovery = study.recovery(pooled);
  out.relations = {"the position"};
  for (const Channel& c : spec.coordinates) {
    out.relations.push_back("same " + c.name);
  }
  out.relations.emplace_back("elsewhere");
  out.by_relation_seed = study.relation_.donor();
  out.by_relation = mean_over(out.by_relation_seed, pooled);
  out.identity_checked = options.controls;
  out.patches = study.patches_;
  if (options.controls) {
    out.controls.push_back(control("donor with the same answer: share changed",
                                   study.same_.shares([](const Tally& t) { return t.other; }),
                                   pooled));
    out.controls.push_back(
        control("random donor: share of the donor's answer", study.random_.donor(), pooled));
  }
  if (options.untrained != nullptr) {
    Study blank(*options.untrained, pairs, spec, options, sets);
    blank.run(false);
    // Of a pack like the trained one, the twins of the models that are pooled.
    const int models = options.untrained->models();
    out.controls.push_back(control("untrained model",
                                   blank.here_.donor(),
                                   models == model.models() ? pooled : pooled_models({}, models)));
  }
  return out;
}

}  // namespace sv

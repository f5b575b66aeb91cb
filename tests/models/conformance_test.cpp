// Conformance: every entry of the zoo, with every kind of part, keeps the tap laws at every site
// and every update, bit for bit. (The law of resuming is in unroll_test, that of a fused step waits
// for one.)
#include <functional>
#include <map>

#include "models/model_fixture.h"

namespace sv::models_test {
namespace {

const std::vector<uint64_t> kSeeds = {3, 7};
constexpr int kBatch = 2;

using Bytes = std::vector<std::byte>;

/// What a run shows: readouts (and halting scores) of every update and the final state, by model.
struct Shown {
  std::vector<std::array<Bytes, 2>> readouts;  // [update - first][model]
  std::array<Bytes, 2> final;
  bool operator==(const Shown&) const = default;
};

struct Subject {
  std::string name;
  std::function<std::unique_ptr<Reasoner>()> make;
  int cycles;
  bool whole = true;  // its blocks, if it has any, are of those that fused::block computes
  std::vector<std::string> unread = {}, read_later = {};  // as in Setting
};

std::vector<Subject> subjects() {
  std::vector<Subject> out;
  for (const Setting& s : all_settings()) {
    const ModelSettings& m = s.model;
    const bool whole = m.mixer == "attention" && m.conv == 0 && !m.qk_bias && !m.qk_norm &&
                       m.mlp != "relu_squared" && m.placement != "branch" &&
                       m.rope_pairs == "half_split" &&
                       m.name != "thought_machine";  // it has no blocks
    out.push_back({s.name,
                   [s] { return make_model(s.model, kSeeds, DType::f32); },
                   3,
                   whole,
                   s.unread,
                   s.read_later});
  }
  out.push_back({"two_level", [] { return make_two_level(kSeeds, DType::f32); }, 2});
  return out;
}

void append(Bytes& to, const Tensor& x) {
  const Bytes more = bytes_of(x);
  to.insert(to.end(), more.begin(), more.end());
}

void perturb(const Tensor& x, int model) {
  const Tensor mine = x.slice(model, 1);
  for (int64_t i = 0; i < mine.numel(); ++i) {
    mine.as<float>()[i] += 0.25f + 0.5f * static_cast<float>(i % 3);
  }
}

Tap tap_at(const std::string& pattern,
           Tap::Kind kind,
           std::function<void(const TapEvent&)> action) {
  Tap tap;
  tap.pattern = pattern;
  tap.kind = kind;
  tap.action = std::move(action);
  return tap;
}

/// Adds to both models at a site.
Tap edit(const std::string& pattern) {
  return tap_at(pattern, Tap::Kind::add, [](const TapEvent& e) {
    perturb(e.x, 0);
    perturb(e.x, 1);
  });
}

class Conformance : public testing::TestWithParam<Subject> {
 protected:
  Conformance() : model_(GetParam().make()) {
    Arena arena;
    packed_.pack({&arena, 1, {}}, model_->params());
  }

  int updates() const { return GetParam().cycles * model_->schedule().period(); }

  Shown run(const Taps& taps, const Start* start = nullptr) {
    Plan plan = plan_of(std::to_string(GetParam().cycles), SaveAt::Readouts::every);
    plan.taps = taps.empty() ? nullptr : &taps;
    plan.start = start;
    plan.packed =
        pack_ ? &packed_ : nullptr;  // so that blocks without a tap inside are computed in one call
    ModelRun runner(*model_);
    const Trajectory& out = runner.forward(data_.inputs(), plan);
    paths_ = out.blocks;
    Shown shown;
    for (const Readout& y : out.readouts) {
      std::array<Bytes, 2> at;
      for (int m = 0; m < 2; ++m) {
        append(at[static_cast<size_t>(m)], y.logits.value().slice(m, 1));
        if (y.halt) {
          append(at[static_cast<size_t>(m)], y.halt.value().slice(m, 1));
        }
      }
      shown.readouts.push_back(at);
    }
    for (size_t p = 0; p < model_->schedule().parts.size(); ++p) {
      for (int m = 0; m < 2; ++m) {
        append(shown.final[static_cast<size_t>(m)],
               out.final[static_cast<int>(p)].value().slice(m, 1));
      }
    }
    return shown;
  }

  /// Every address of the run: sites times the updates that visit them.
  std::vector<Site> addresses() const {
    std::vector<Site> out;
    for (Site site : model_->sites()) {
      for (int r = 1; r <= updates(); ++r) {
        site.r = site.phase == Phase::encode ? 0 : r;
        if (visited(site, model_->schedule(), r) && (site.phase != Phase::encode || r == 1)) {
          out.push_back(site);
        }
      }
    }
    return out;
  }
  /// Some readout reads what stands at the site.
  bool visible(const Site& site) const {
    if (site.phase != Phase::loop || site.part < 0) {
      return true;
    }
    const std::string& part = model_->schedule().parts[static_cast<size_t>(site.part)];
    const auto listed = [&](const std::vector<std::string>& parts) {
      return std::ranges::find(parts, part) != parts.end() ||
             (site.point == Point::state_in &&
              std::ranges::find(parts, "state_in:" + part) != parts.end());
    };
    return !listed(GetParam().unread) && !(listed(GetParam().read_later) && site.r == updates());
  }
  std::string address(const Site& site) const { return site_name(site, model_->schedule()); }

  /// The value at every address of a run.
  std::map<std::string, Bytes> record(const Start* start = nullptr) {
    std::map<std::string, Bytes> values;
    Taps taps;
    for (const Site& site : addresses()) {
      if (site.phase == Phase::encode || site.r > (start != nullptr ? start->r : 0)) {
        taps.push_back(tap_at(address(site), Tap::Kind::read, [&](const TapEvent& e) {
          values[address(e.site)] = bytes_of(e.x);
        }));
      }
    }
    run(taps, start);
    return values;
  }

  std::unique_ptr<Reasoner> model_;
  PackedWeights packed_;
  bool pack_ = true;
  BlockPaths paths_;  // of the last run
  Data data_{kSeeds, kBatch};
};

TEST_P(Conformance, WritingBackWhatWasReadChangesNothing) {
  const Shown plain = run({});
  const auto values = record();
  for (const Site& site : addresses()) {
    const Bytes& value = values.at(address(site));
    EXPECT_TRUE(plain == run({tap_at(address(site),
                                     Tap::Kind::replace,
                                     [&](const TapEvent& e) {
                                       std::memcpy(e.x.data, value.data(), value.size());
                                     })}))
        << address(site);
    EXPECT_TRUE(plain == run({tap_at(address(site), Tap::Kind::read, [](const TapEvent&) {})}))
        << address(site);
  }
}

TEST_P(Conformance, AnEditChangesTheReadoutThereOrLater) {
  const Shown plain = run({});
  for (const Site& site : addresses()) {
    if (!visible(site)) {
      continue;
    }
    const Shown edited = run({edit(address(site))});
    std::array<bool, 2> changed{};
    for (size_t r = 1; r <= plain.readouts.size(); ++r) {
      for (size_t m = 0; m < 2; ++m) {
        const bool same = plain.readouts[r - 1][m] == edited.readouts[r - 1][m];
        changed[m] = changed[m] || !same;
        EXPECT_TRUE(same || static_cast<int>(r) >= site.r) << address(site) << " changed " << r;
      }
    }
    EXPECT_TRUE(changed[0] && changed[1]) << address(site);
  }
}

TEST_P(Conformance, ReadsSeeWhatWritesLeft) {
  const auto values = record();
  for (const Site& site : addresses()) {
    Bytes before, after;
    run({tap_at(address(site), Tap::Kind::read, [&](const TapEvent& e) { before = bytes_of(e.x); }),
         edit(address(site)),
         edit(address(site)),
         tap_at(address(site), Tap::Kind::read, [&](const TapEvent& e) {
           after = bytes_of(e.x);
           const Tensor first(e.x.shape, e.x.dtype, before.data());
           perturb(first, 0), perturb(first, 1);
           perturb(first, 0), perturb(first, 1);
         })});
    EXPECT_TRUE(before == after) << address(site);
    EXPECT_FALSE(after == values.at(address(site))) << address(site);
  }
}

/// Run A goes plainly; run B is disturbed at its first update. Once all parts are those of A,
/// B is A.
TEST_P(Conformance, PatchingTheFullStateReproducesTheOtherRun) {
  const Shown a = run({});
  const auto values = record();
  const Schedule& schedule = model_->schedule();
  const int period = schedule.period();
  const size_t seen = static_cast<size_t>(period) - 1;  // readouts show the disturbance from here
  EXPECT_NE(run({edit("loop.1.state_out")}).readouts[seen], a.readouts[seen]);
  for (int r = 1 + period; r <= updates(); ++r) {
    Taps taps = {edit("loop.1.state_out")};
    for (int part = 0; part < static_cast<int>(schedule.parts.size()); ++part) {
      int last = r;
      while (!schedule.writes_part(last, part)) {
        --last;
      }
      const std::string at = address({Phase::loop, Point::state_out, -1, last, part});
      taps.push_back(tap_at(at, Tap::Kind::replace, [&values, at](const TapEvent& e) {
        std::memcpy(e.x.data, values.at(at).data(), values.at(at).size());
      }));
    }
    const Shown b = run(taps);
    for (size_t i = static_cast<size_t>(r) - 1; i < a.readouts.size(); ++i) {
      EXPECT_TRUE(a.readouts[i] == b.readouts[i]) << "patched at " << r << ", readout " << i + 1;
    }
    EXPECT_TRUE(a.final == b.final);
  }
}

TEST_P(Conformance, ARecordedValueIsTheOneRecomputedFromTheStateBeforeIt) {
  const auto values = record();
  Plan plan = plan_of(std::to_string(GetParam().cycles));
  for (int r = 0; r < updates(); ++r) {
    plan.save.states.push_back(r);
  }
  ModelRun keeper(*model_);
  const Trajectory& kept = keeper.forward(data_.inputs(), plan);
  for (const auto& [r, h] : kept.states) {
    Start start{r, {}};
    for (size_t p = 0; p < model_->schedule().parts.size(); ++p) {
      start.parts[p] = h[static_cast<int>(p)].value();
    }
    for (const auto& [name, value] : record(&start)) {
      EXPECT_TRUE(value == values.at(name)) << name << " from update " << r;
    }
  }
}

TEST_P(Conformance, WindowsAddUp) {
  const int last = updates();
  const std::string to_last = ".." + std::to_string(last);
  for (Site site : model_->sites()) {
    if (site.phase == Phase::encode) {
      continue;
    }
    site.r = 0;
    const std::string starred = address(site);
    const auto at = [&](const std::string& updates) {
      std::string out = starred;
      return out.replace(out.find('*'), 1, updates);
    };
    int begin = 2;  // an update that visits the site
    while (!visited(site, model_->schedule(), begin)) {
      ++begin;
    }
    const std::string one = std::to_string(begin), next = std::to_string(begin + 1);
    EXPECT_TRUE(run({edit(at(one))}) == run({edit(at(one + ".." + one))})) << starred;
    const Shown clamp = run({edit(at(one + to_last))});
    EXPECT_TRUE(clamp == run({edit(at(one)), edit(at(next + to_last))})) << starred;
    std::string each = one;
    for (int r = begin + 1; r <= last; ++r) {
      each += "," + std::to_string(r);
    }
    EXPECT_TRUE(clamp == run({edit(at(each))})) << starred;
    EXPECT_TRUE(run({edit(at("*"))}) == run({edit(at("1" + to_last))})) << starred;
  }
}

TEST_P(Conformance, SteeringByZeroIsNothing) {
  const Shown plain = run({});
  for (const Site& site : addresses()) {
    EXPECT_TRUE(plain == run({tap_at(address(site),
                                     Tap::Kind::add,
                                     [](const TapEvent& e) {
                                       for (int64_t i = 0; i < e.x.numel(); ++i) {
                                         e.x.as<float>()[i] += 0.0f * static_cast<float>(i);
                                       }
                                     })}))
        << address(site);
  }
}

TEST_P(Conformance, ATapOnOneModelLeavesTheOthersAlone) {
  const Shown plain = run({});
  for (const Site& site : addresses()) {
    Tap tap = tap_at(address(site), Tap::Kind::replace, [](const TapEvent& e) { perturb(e.x, 0); });
    tap.select.models = {0};
    const Shown edited = run({tap});
    for (size_t r = 0; r < plain.readouts.size(); ++r) {
      EXPECT_TRUE(plain.readouts[r][1] == edited.readouts[r][1]) << address(site);
    }
    EXPECT_TRUE(plain.final[1] == edited.final[1]) << address(site);
  }
}

TEST_P(Conformance, BlocksInOneCallHaveTheBitsOfTheirOps) {
  const Shown whole = run({});
  const BlockPaths in_one = paths_;
  pack_ = false;
  const Shown apart = run({});
  EXPECT_TRUE(whole == apart);
  EXPECT_EQ(paths_.fused, 0);
  EXPECT_EQ(in_one.plain, GetParam().whole ? 0 : paths_.plain);
  EXPECT_EQ(in_one.fused, paths_.plain - in_one.plain);
}

/// Only the block that a tap looks into is computed op by op, and only at that update.
TEST_P(Conformance, ATapInsideABlockTakesItsOpsOneByOne) {
  run({});
  const BlockPaths without = paths_;
  for (const Site& site : addresses()) {
    run({tap_at(address(site), Tap::Kind::read, [](const TapEvent&) {})});
    const bool inside = GetParam().whole && site.block >= 0 && site.point != Point::resid_in &&
                        site.point != Point::resid_out;
    const int64_t moved = inside ? static_cast<int64_t>(kSeeds.size()) : 0;
    EXPECT_EQ(paths_.plain, without.plain + moved) << address(site);
    EXPECT_EQ(paths_.fused, without.fused - moved) << address(site);
  }
}

INSTANTIATE_TEST_SUITE_P(Zoo, Conformance, testing::ValuesIn(subjects()), [](const auto& tested) {
  std::string name = tested.param.name;
  std::erase(name, '_');
  return name;
});

/// A recomputed segment repeats its writes and not its reads, and its gradients are those of the
/// full tape with the same taps.
TEST(TapsAndCheckpoints, WritesAreReplayed) {
  const auto model = make_model(setting("add"), kSeeds, DType::f64);
  const Data data(kSeeds, kBatch);
  std::vector<std::vector<double>> grads;
  std::vector<int> reads;
  for (const auto kind : {Gradient::Kind::full, Gradient::Kind::checkpoint}) {
    int count = 0;
    Taps taps = {
        tap_at("loop.2..3.block.0.mlp_out",
               Tap::Kind::add,
               [](const TapEvent& e) { e.x.as<double>()[3] += 0.5; }),
        tap_at(
            "loop.2.block.0.attn_out", Tap::Kind::replace, [](const TapEvent& e) { e.x.zero(); }),
        tap_at("loop.*.state_out", Tap::Kind::read, [&](const TapEvent&) { ++count; })};
    Plan plan = plan_of("4", SaveAt::Readouts::last, {kind, 2});
    plan.taps = &taps;
    ModelRun run(*model);
    run.loss(data, plan, true);
    grads.push_back(gradients_of(model->params(), 0));
    reads.push_back(count);
  }
  EXPECT_EQ(grads[0], grads[1]);
  EXPECT_EQ(reads, (std::vector<int>{4, 4}));
}

}  // namespace
}  // namespace sv::models_test

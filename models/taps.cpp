#include "models/taps.h"

#include <utility>

#include "core/nearest.h"
#include "kernels/memory/copy.h"
#include "kernels/memory/device.h"
#include "models/tap_address.h"

namespace sv {

namespace {

/// Bytes of reads under way at most: more than the staging memory of a device holds, and little
/// beside what a long run would gather.
constexpr size_t kMostComing = size_t{16} << 20;

void check_selection(const std::vector<int>& list,
                     int size,
                     const char* what,
                     const std::string& pattern) {
  for (const int i : list) {
    SV_CHECK(i >= 0 && i < size, what, " ", i, " of tap '", pattern, "' is outside 0..", size - 1);
  }
}

int64_t chosen(const std::vector<int>& list, int64_t size) {
  return list.empty() ? size : static_cast<int64_t>(list.size());
}

bool wanted(const std::vector<int>& list, int i) {
  return list.empty() || std::find(list.begin(), list.end(), i) != list.end();
}

}  // namespace

TapSession::TapSession(const Taps& taps,
                       std::span<const Site> sites,
                       const Schedule& schedule,
                       int first_r,
                       int last_r,
                       int models,
                       int batch,
                       std::span<const int> base)
    : taps_(taps),
      schedule_(schedule),
      models_(models),
      batch_(batch),
      base_(base),
      first_r_(first_r) {
  for (const Tap& tap : taps) {
    SV_CHECK(tap.edit.has_value() != static_cast<bool>(tap.action) &&
                 (tap.kind != Tap::Kind::read || tap.action),
             "tap '",
             tap.pattern,
             "' needs an action, or an edit if it writes");
    const Address address = parse_address(tap.pattern);
    Resolved resolved;
    resolved.updates.assign(static_cast<size_t>(last_r) + 1, 0);
    for (const Site& site : sites) {
      if (site_matches(address, site, schedule, tap.pattern)) {
        resolved.sites.push_back(site);
      }
    }
    if (resolved.sites.empty()) {
      std::vector<std::string> names;
      for (const Site& site : sites) {
        names.push_back(site_name(site, schedule));
      }
      const std::string starred = address.phase + (address.phase == "encode" ? "" : ".*") +
                                  (address.block.empty() ? "" : ".block." + address.block) + "." +
                                  address.point + (address.part.empty() ? "" : ":" + address.part);
      const std::string near = nearest_name(starred, names);
      // A program's own list of updates is no help to a reader.
      const std::string& shown = tap.pattern.size() > 40 ? starred : tap.pattern;
      fail("tap '",
           shown,
           "' matches no site of this model; ",
           near.empty() ? "`subvocal list sites` shows them" : "the nearest is '" + near + "'");
    }
    bool any = address.phase == "encode";
    for (int r = first_r + 1; r <= last_r && !address.update.empty(); ++r) {
      resolved.updates[static_cast<size_t>(r)] =
          update_matches(address.update, r, schedule, tap.pattern);
      any = any || resolved.updates[static_cast<size_t>(r)] != 0;
    }
    SV_CHECK(any,
             "tap '",
             tap.pattern,
             "' addresses no update of this run, which makes updates ",
             first_r + 1,
             "..",
             last_r);
    check_selection(tap.select.models, models, "model", tap.pattern);
    check_selection(tap.select.items, batch, "item", tap.pattern);
    resolved_.push_back(std::move(resolved));
  }
}

bool TapSession::matches(size_t tap, const Site& site) const {
  const Resolved& resolved = resolved_[tap];
  Site key = site;
  key.r = 0;
  return (site.phase == Phase::encode || resolved.updates[static_cast<size_t>(site.r)] != 0) &&
         std::find(resolved.sites.begin(), resolved.sites.end(), key) != resolved.sites.end();
}

bool TapSession::inside(Phase phase, int r, int block) const {
  const auto within = [&](const Site& site) {
    return site.phase == phase && site.block == block && site.point != Point::resid_in &&
           site.point != Point::resid_out;
  };
  return std::ranges::any_of(resolved_, [&](const Resolved& tap) {
    return (phase == Phase::encode || tap.updates[static_cast<size_t>(r)] != 0) &&
           std::ranges::any_of(tap.sites, within);
  });
}

bool TapSession::at(const Site& site) const {
  for (size_t i = 0; i < resolved_.size(); ++i) {
    if (matches(i, site)) {
      return true;
    }
  }
  return false;
}

TapSession::~TapSession() {
  if (!coming_.empty()) {
    device_->drop_copies();
  }
}

void TapSession::read(const Context& ctx, const Tap& tap, const Site& site, const Tensor& x) {
  if (!ctx.device) {
    tap.action({site, x, tap.select, ctx.models, live_});
    return;
  }
  const auto kept = [&]<class T>(std::span<const T> list) {
    T* copy = coming_memory_.alloc_n<T>(list.size());
    std::copy(list.begin(), list.end(), copy);
    return std::span<const T>(copy, list.size());
  };
  device_ = ctx.device;
  const Tensor copy = make_tensor(coming_memory_, x.shape, x.dtype);
  coming_.push_back({&tap, site, copy, kept(ctx.models), kept(live_)});
  device_->to_host_later(copy.data, x.data, x.bytes());
  coming_bytes_ += x.bytes();
  if (coming_bytes_ > kMostComing) {
    finish_reads();
  }
}

void TapSession::finish_reads() {
  if (coming_.empty()) {
    return;
  }
  device_->finish_copies();
  const std::vector<Coming> here = std::exchange(coming_, {});
  for (const Coming& c : here) {
    c.tap->action({c.site, c.x, c.tap->select, c.models, c.live});
  }
  coming_memory_.reset();
  coming_bytes_ = 0;
}

Var TapSession::write(Tape& tape, const Tap& tap, const Site& site, Var x) {
  Var y = tape.output(x.shape(), x.value().dtype, x.needs_grad());
  if (tap.edit) {
    copy_tensor(tape.ctx, y.value(), x.value());
    apply_edit(tape.ctx, *tap.edit, site, tap.select, y.value());
  } else if (tape.ctx.device) {
    finish_reads();
    const ArenaScope scope(tape.host());
    const Tensor copy = host_copy(tape.ctx, x.value());
    tap.action({site, copy, tap.select, tape.ctx.models, live_});
    write_tensor(tape.ctx.device, y.value(), copy.data);
  } else {
    copy_tensor(tape.ctx, y.value(), x.value());
    tap.action({site, y.value(), tap.select, tape.ctx.models, live_});
  }
  const bool cut = tap.kind == Tap::Kind::replace;
  const Select* select = &tap.select;
  tape.record(y, [=](Tape& t, const Tensor& dy) {
    const Tensor dx = copy_of(t.ctx, dy);
    if (cut) {
      zero_selected(t.ctx, *select, dx);
    }
    t.pass_grad(x, dx);
  });
  return y;
}

Var TapSession::fire(Tape& tape, const Site& site, Var x) {
  for (size_t i = 0; i < taps_.size(); ++i) {
    const Tap& tap = taps_[i];
    if (!matches(i, site)) {
      continue;
    }
    if (x.shape().rank() >= 3) {
      const int64_t positions = x.shape()[x.shape().rank() == 5 ? 3 : 2];
      check_selection(tap.select.positions, static_cast<int>(positions), "position", tap.pattern);
    }
    if (tap.kind != Tap::Kind::read) {
      x = write(tape, tap, site, x);
    } else if (!replay_) {
      read(tape.ctx, tap, site, x.value());
    }
    for (int m = 0; !replay_ && m < models_; ++m) {
      const auto& live_models = tape.ctx.models;
      const bool live = live_models.empty() ||
                        std::find(live_models.begin(), live_models.end(), m) != live_models.end();
      for (int b = 0; live && wanted(tap.select.models, m) && b < batch_; ++b) {
        const bool iterating =
            site.phase != Phase::loop || live_.empty() ||
            live_[static_cast<size_t>(m) * static_cast<size_t>(batch_) + static_cast<size_t>(b)] !=
                0;
        resolved_[i].fired += iterating && wanted(tap.select.items, b) ? 1 : 0;
      }
    }
  }
  return x;
}

bool TapSession::runs(const Tap& tap, int m) const {
  const bool listed = base_.empty() || std::find(base_.begin(), base_.end(), m) != base_.end();
  return listed && wanted(tap.select.models, m);
}

void TapSession::check(std::span<const int> steps,
                       std::span<const int> readouts,
                       std::span<const int> halts) const {
  for (size_t i = 0; i < taps_.size(); ++i) {
    const Tap& tap = taps_[i];
    const Resolved& resolved = resolved_[i];
    int64_t expected = 0;
    int64_t unreached = 0;
    for (const Site& site : resolved.sites) {
      if (site.phase == Phase::encode) {
        for (int m = 0; m < models_; ++m) {
          expected += runs(tap, m) ? chosen(tap.select.items, batch_) : 0;
        }
        continue;
      }
      for (size_t r = static_cast<size_t>(first_r_) + 1; r < resolved.updates.size(); ++r) {
        if (resolved.updates[r] == 0) {
          continue;
        }
        if (!visited(site, schedule_, static_cast<int>(r))) {
          continue;
        }
        for (int m = 0; m < models_; ++m) {
          const bool read_out =
              readouts[r * static_cast<size_t>(models_) + static_cast<size_t>(m)] != 0;
          const bool halt_read =
              halts[r * static_cast<size_t>(models_) + static_cast<size_t>(m)] != 0;
          for (int b = 0; runs(tap, m) && b < batch_; ++b) {
            if (!wanted(tap.select.items, b)) {
              continue;
            }
            const bool reached = steps[static_cast<size_t>(m) * static_cast<size_t>(batch_) +
                                       static_cast<size_t>(b)] >= static_cast<int>(r);
            if (site.phase == Phase::readout) {
              expected += read_out ? 1 : 0;
            } else if (site.point == Point::halt) {
              expected += halt_read && reached ? 1 : 0;
            } else {
              expected += reached ? 1 : 0;
              unreached += reached ? 0 : 1;
            }
          }
        }
      }
    }
    SV_CHECK(resolved.fired == expected,
             "tap '",
             tap.pattern,
             "' fired for ",
             resolved.fired,
             " (model, row) pairs, expected ",
             expected);
    SV_CHECK(expected > 0,
             "tap '",
             tap.pattern,
             "' never fired: the run made none of the updates or readouts it addresses");
    SV_CHECK(tap.kind == Tap::Kind::read || unreached == 0 || tap.tolerate_unreached,
             "tap '",
             tap.pattern,
             "': ",
             unreached,
             " (model, row, update) cells were not reached because the rows had halted");
  }
}

}  // namespace sv

#include "interp/intervene.h"

#include <algorithm>
#include <cmath>

#include "core/rng.h"

namespace sv {

namespace {

bool chosen(const std::vector<int>& list, int64_t i) {
  return list.empty() || std::find(list.begin(), list.end(), static_cast<int>(i)) != list.end();
}

/// Calls f(m, b, t, x, width) for every selected vector of the site; x has the site's type.
template <class F>
void edit(const TapEvent& e, F&& f) {
  SV_CHECK(e.x.shape.rank() == 4,
           "this intervention acts on (M, B, T, W); the site ",
           point_name(e.site.point),
           " is ",
           e.x.shape);
  const int64_t width = e.x.dim(3);
  with_float(e.x.dtype, [&]<class T>() {
    for (int64_t m = 0; m < e.x.dim(0); ++m) {
      if (!chosen(e.select.models, m) ||
          (!e.models.empty() &&
           std::find(e.models.begin(), e.models.end(), static_cast<int>(m)) == e.models.end())) {
        continue;
      }
      for (int64_t b = 0; b < e.x.dim(1); ++b) {
        for (int64_t t = 0; chosen(e.select.items, b) && t < e.x.dim(2); ++t) {
          if (chosen(e.select.positions, t)) {
            f(m, b, t, e.x.as<T>() + ((m * e.x.dim(1) + b) * e.x.dim(2) + t) * width, width);
          }
        }
      }
    }
  });
}

Tap action_tap(const Target& target, Tap::Kind kind, std::function<void(const TapEvent&)> action) {
  Tap tap;
  tap.pattern = target.address();
  tap.kind = kind;
  tap.select = target.select;
  tap.action = std::move(action);
  return tap;
}

/// The verb as an edit: values are known without the site.
Tap edit_tap(const Target& target,
             Tap::Kind kind,
             Edit::Kind how,
             std::function<bool(const EditRow&, std::span<double>)> value,
             std::span<const double> axes = {}) {
  Tap tap;
  tap.pattern = target.address();
  tap.kind = kind;
  tap.select = target.select;
  tap.edit = {how, std::move(value), axes};
  return tap;
}
Tap replace_tap(const Target& target,
                std::function<bool(const EditRow&, std::span<double>)> value) {
  return edit_tap(target, Tap::Kind::replace, Edit::Kind::replace, std::move(value));
}

/// What is written must be what was read: same model axis, shape and type, not rounded on the way.
void check_source(const SiteValues& source, const Tensor& x) {
  SV_CHECK(!source.rounded,
           source.name,
           " was recorded in less than the run's precision; written back it would change the run "
           "by itself");
  SV_CHECK(source.models() == x.dim(0) && source.positions() == x.dim(2) &&
               source.width() == x.dim(3) && source.data.tensor().dtype == x.dtype,
           "a recording of shape ",
           source.data.tensor().shape,
           " cannot be written to ",
           x.shape);
}

int source_row(const RowSource& rows, int64_t b, const SiteValues& source) {
  SV_CHECK(rows.empty() || b < static_cast<int64_t>(rows.size()), "no source for row ", b);
  const int row = rows.empty() ? static_cast<int>(b) : rows[static_cast<size_t>(b)];
  SV_CHECK(row >= 0 && row < source.examples(),
           "source row ",
           row,
           " of a recording of ",
           source.examples());
  return row;
}

/// Calls f(x) with the recorded vector of an example at (m, r, t), in its own type.
template <class F>
void at_vector(const SiteValues& source, int64_t m, int r, int64_t example, int64_t t, F&& f) {
  const int64_t offset = source.offset(m, source.update_index(r), example) + t * source.width();
  with_float(source.data.tensor().dtype,
             [&]<class T>() { f(source.data.tensor().as<T>() + offset); });
}

/// Puts the recorded vector of an example for the row.
bool put_vector(const SiteValues& source,
                const EditRow& row,
                int64_t example,
                std::span<double> v) {
  check_source(source, row.x);
  at_vector(source, row.m, row.site.r, example, row.t, [&](const auto* x) {
    std::copy_n(x, v.size(), v.begin());
  });
  return true;
}

/// Mean over the recorded examples at (m, r, t).
void mean_at(const SiteValues& source, int64_t m, int r, int64_t t, std::span<double> mean) {
  std::fill(mean.begin(), mean.end(), 0.0);
  for (int64_t e = 0; e < source.examples(); ++e) {
    at_vector(source, m, r, e, t, [&](const auto* x) {
      for (size_t d = 0; d < mean.size(); ++d) {
        mean[d] += static_cast<double>(x[d]);
      }
    });
  }
  for (double& v : mean) {
    v /= static_cast<double>(source.examples());
  }
}

void expect_width(size_t given, size_t width) {
  SV_CHECK(given == width, "a vector of ", given, " for a site of width ", width);
}

}  // namespace

std::string_view when_name(When::Kind kind) {
  return kind == When::Kind::at ? "at" : kind == When::Kind::window ? "window" : "clamp";
}

int When::last(int run_end) const {
  SV_CHECK(r >= 1 && r <= run_end && width >= 1,
           "a write from update ",
           r,
           " over ",
           width,
           " updates, in a run of ",
           run_end);
  return kind == Kind::at ? r : kind == Kind::clamp ? run_end : std::min(run_end, r + width - 1);
}

std::string When::updates(int run_end) const {
  const int end = last(run_end);
  return end == r ? std::to_string(r) : std::to_string(r) + ".." + std::to_string(end);
}

Tap patch_value(const Target& target, std::vector<double> value) {
  return replace_tap(target,
                     [value = std::move(value)](const EditRow& /*row*/, std::span<double> v) {
                       expect_width(value.size(), v.size());
                       std::copy(value.begin(), value.end(), v.begin());
                       return true;
                     });
}

Tap patch_from(const Target& target, const SiteValues& source, RowSource rows) {
  return replace_tap(target,
                     [&source, rows = std::move(rows)](const EditRow& row, std::span<double> v) {
                       return put_vector(source, row, source_row(rows, row.b, source), v);
                     });
}

Tap patch_rows(const Target& target,
               const SiteValues& source,
               RowSource rows,
               std::vector<std::vector<int>> positions) {
  SV_CHECK(rows.size() == positions.size(), rows.size(), " rows, ", positions.size(), " patches");
  return replace_tap(
      target,
      [&source, rows = std::move(rows), positions = std::move(positions)](const EditRow& row,
                                                                          std::span<double> v) {
        SV_CHECK(row.x.dim(1) == static_cast<int64_t>(rows.size()), "one patch per row");
        const auto& mine = positions[static_cast<size_t>(row.b)];
        return std::find(mine.begin(), mine.end(), static_cast<int>(row.t)) != mine.end() &&
               put_vector(source, row, source_row(rows, row.b, source), v);
      });
}

Tap ablate_zero(const Target& target) {
  return replace_tap(target, [](const EditRow& /*row*/, std::span<double> v) {
    std::fill(v.begin(), v.end(), 0.0);
    return true;
  });
}

Tap ablate_mean(const Target& target, const SiteValues& source) {
  return replace_tap(target, [&source](const EditRow& row, std::span<double> v) {
    check_source(source, row.x);
    mean_at(source, row.m, row.site.r, row.t, v);
    return true;
  });
}

Tap ablate_resample(const Target& target, const SiteValues& source, uint64_t key) {
  SV_CHECK(source.examples() > 1, "resampling needs more than one recorded example");
  return replace_tap(target, [&source, key](const EditRow& row, std::span<double> v) {
    const Rng rng(key, stream_of("ablate.resample"));
    const auto others = static_cast<uint32_t>(source.examples() - 1);
    const int64_t step = 1 + rng.below(static_cast<uint64_t>(row.b), others);
    return put_vector(source, row, (row.b + step) % source.examples(), v);
  });
}

Tap ablate_noise(const Target& target, const SiteValues& source, uint64_t key) {
  return action_tap(target, Tap::Kind::replace, [&source, key](const TapEvent& e) {
    check_source(source, e.x);
    edit(e, [&]<class T>(int64_t m, int64_t b, int64_t t, T* x, int64_t width) {
      std::vector<double> mean(static_cast<size_t>(width));
      mean_at(source, m, e.site.r, t, mean);
      const Rng rng(key, stream_of("ablate.noise"), static_cast<uint64_t>(e.site.r));
      std::vector<double> noise(mean.size());
      double have = 0;
      double want = 0;
      for (size_t d = 0; d < mean.size(); ++d) {
        noise[d] = rng.normal(static_cast<uint64_t>((b * e.x.dim(2) + t) * width) + d);
        have += noise[d] * noise[d];
        const double away = static_cast<double>(x[d]) - mean[d];
        want += away * away;
      }
      const double size = have > 0 ? std::sqrt(want / have) : 0;
      for (size_t d = 0; d < mean.size(); ++d) {
        x[d] = static_cast<T>(mean[d] + size * noise[d]);
      }
    });
  });
}

Tap steer(const Target& target, std::vector<double> direction, double strength) {
  return edit_tap(
      target,
      Tap::Kind::add,
      Edit::Kind::add,
      [direction = std::move(direction), strength](const EditRow& /*row*/, std::span<double> v) {
        expect_width(direction.size(), v.size());
        for (size_t d = 0; d < direction.size(); ++d) {
          v[d] = strength * direction[d];
        }
        return strength != 0;
      });
}

Subspace::Subspace(std::vector<double> directions, int64_t width)
    : basis_(std::move(directions)), width_(width) {
  SV_CHECK(width > 0 && !basis_.empty() && basis_.size() % static_cast<size_t>(width) == 0,
           basis_.size(),
           " numbers are not directions of width ",
           width);
  // Gram-Schmidt, twice for the digits that the first pass loses.
  for (int64_t k = 0; k < dims(); ++k) {
    double* x = basis_.data() + k * width_;
    double before = 0;
    for (int64_t d = 0; d < width_; ++d) {
      before += x[d] * x[d];
    }
    for (int pass = 0; pass < 2; ++pass) {
      for (int64_t j = 0; j < k; ++j) {
        double dot = 0;
        for (int64_t d = 0; d < width_; ++d) {
          dot += x[d] * axis(j)[d];
        }
        for (int64_t d = 0; d < width_; ++d) {
          x[d] -= dot * axis(j)[d];
        }
      }
    }
    double norm = 0;
    for (int64_t d = 0; d < width_; ++d) {
      norm += x[d] * x[d];
    }
    SV_CHECK(norm > 1e-20 * before && norm > 0, "direction ", k, " depends on those before it");
    for (int64_t d = 0; d < width_; ++d) {
      x[d] /= std::sqrt(norm);
    }
  }
}

Subspace Subspace::random(int64_t width, int64_t dims, uint64_t key) {
  const Rng rng(key, stream_of("subspace.random"));
  std::vector<double> directions(static_cast<size_t>(width * dims));
  for (size_t i = 0; i < directions.size(); ++i) {
    directions[i] = rng.normal(i);
  }
  return {std::move(directions), width};
}

Tap project_out(const Target& target, const Subspace& space) {
  return edit_tap(
      target,
      Tap::Kind::replace,
      Edit::Kind::within,
      [&space](const EditRow& /*row*/, std::span<double> v) {
        expect_width(static_cast<size_t>(space.width()), v.size());
        std::fill(v.begin(), v.end(), 0.0);
        return true;
      },
      space.axes());
}

Tap swap_subspace(const Target& target,
                  const Subspace& space,
                  const SiteValues& source,
                  RowSource rows) {
  return edit_tap(
      target,
      Tap::Kind::replace,
      Edit::Kind::within,
      [&space, &source, rows = std::move(rows)](const EditRow& row, std::span<double> v) {
        expect_width(static_cast<size_t>(space.width()), v.size());
        return put_vector(source, row, source_row(rows, row.b, source), v);
      },
      space.axes());
}

}  // namespace sv

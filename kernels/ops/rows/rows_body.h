// Kernels of gather_rows and scatter_rows: one check of the numbers, one copy. Elements of 4 and 8
// bytes travel as 32-bit words.
#pragma once
#include <climits>

#include "kernels/simt/live_models.h"
#include "kernels/simt/row_team.h"

namespace sv::ops {

/// Which rows are chosen: rows (1|M, small) of `large`.
struct ChosenRows {
  const int* rows;
  int64_t stride;  // between models; 0 when they share the list
  int64_t large, small;
};

/// Finds, in each listed model, the first number outside [-1, large) and, where `seen` is given,
/// the first that is named more than once. One block per model.
struct CheckRows {
  static constexpr const char* kName = "check_rows";
  static constexpr int kThreads = 256;
  struct Args {
    ChosenRows chosen;
    int* seen;     // (live, large) zeros, or null
    int* problem;  // (live, 2): places in the list, INT_MAX for none
    LiveModels models;
  };
  template <class C>
  SV_DEVICE static void body(C& ctx, const Args& a) {
    const int i = ctx.block_x();
    const int* rows = a.chosen.rows + a.models.model(i) * a.chosen.stride;
    int* seen = a.seen ? a.seen + i * a.chosen.large : nullptr;
    int outside = INT_MAX, twice = INT_MAX;
    for (int64_t j = ctx.thread(); j < a.chosen.small; j += ctx.threads()) {
      const int r = rows[j];
      const bool inside = r >= -1 && r < a.chosen.large;
      if (!inside && outside == INT_MAX) {
        outside = static_cast<int>(j);
      }
      if (seen && inside && r >= 0) {
        ctx.atomic_add(seen + r, 1);
      }
    }
    ctx.barrier();
    for (int64_t j = ctx.thread(); seen && j < a.chosen.small; j += ctx.threads()) {
      const int r = rows[j];
      if (r >= 0 && r < a.chosen.large && seen[r] > 1 && twice == INT_MAX) {
        twice = static_cast<int>(j);
      }
    }
    const auto smaller = [](int p, int q) { return p < q ? p : q; };
    outside = simt::block_reduce(ctx, outside, INT_MAX, 0, smaller);
    twice = simt::block_reduce(ctx, twice, INT_MAX, 0, smaller);
    if (ctx.thread() == 0) {
      a.problem[2 * i] = outside;
      a.problem[2 * i + 1] = twice;
    }
  }
};

struct CopyRows {
  static constexpr const char* kName = "copy_rows";
  struct Args {
    ChosenRows chosen;
    float* x;       // (M, large, words)
    float* y;       // (M, small, words)
    int64_t words;  // of one row
    bool scatter;   // y to x
    simt::RowTeamShape team;
    LiveModels models;
  };
  template <class C>
  SV_DEVICE static void body(C& ctx, const Args& a) {
    const simt::RowTeam<C> team(ctx, a.team);
    const int64_t m = a.models.model(ctx.block_y()), j = team.row();
    const int r = j < a.chosen.small ? a.chosen.rows[m * a.chosen.stride + j] : -1;
    float* x = a.x + (m * a.chosen.large + r) * a.words;
    float* y = a.y + (m * a.chosen.small + j) * a.words;
    team.each_group(r < 0 || r >= a.chosen.large ? 0 : a.words, [&](int64_t i, int count) {
      team.put(a.scatter ? x : y, i, count, team.load(a.scatter ? y : x, i, count), false);
    });
  }
};

template <class Table>
void rows_kernels(Table& t) {
  t.template add<CheckRows>();
  t.template add<CopyRows>();
}

}  // namespace sv::ops

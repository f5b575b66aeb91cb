// Kernel of concat and its VJP: copies a stretch of columns between rows of different widths.
#pragma once
#include "kernels/simt/live_models.h"
#include "kernels/simt/row_team.h"

namespace sv::ops {

struct CopyColumns {
  static constexpr const char* kName = "copy_columns";
  struct Args {
    const float* from;  // (M, N, from_width), from the first column on
    float* to;          // (M, N, to_width), likewise
    int64_t N, from_width, to_width, columns;
    bool adds;
    simt::RowTeamShape team;
    LiveModels models;
  };
  template <class C>
  SV_DEVICE static void body(C& ctx, const Args& a) {
    const simt::RowTeam<C> team(ctx, a.team);
    const int64_t row = a.models.model(ctx.block_y()) * a.N + team.row();
    const float* from = a.from + row * a.from_width;
    float* to = a.to + row * a.to_width;
    team.each_group(team.row() < a.N ? a.columns : 0, [&](int64_t i, int count) {
      team.put(to, i, count, team.load(from, i, count), a.adds);
    });
  }
};

template <class Table>
void concat_kernels(Table& t) {
  t.template add<CopyColumns>();
}

}  // namespace sv::ops

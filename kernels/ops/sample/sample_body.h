// Kernel of sample: a team of threads per row (class_rows_body.h); four neighbouring logits of a
// thread use one block of Philox. The floor is arithmetic: about 10 rounds of integer products and
// 8 logarithms per 16 bytes.
#pragma once
#include "kernels/ops/class_rows_body.h"
#include "kernels/ops/sample/sample_row.h"

namespace sv::ops {

struct Sample {
  static constexpr const char* kName = "sample";
  struct Args {
    const float* logits;  // (M, N, V)
    const int* keys;      // (M, 2)
    int* out;             // (M, N)
    int64_t N, V;
    float scale;  // 1 / temperature
    uint32_t stream;
    uint64_t step;
    simt::RowTeamShape team;
    LiveModels models;
  };
  template <class C>
  SV_DEVICE static void body(C& ctx, const Args& a) {
    const simt::RowTeam<C> team(ctx, a.team);
    const int64_t m = a.models.model(ctx.block_y()), n = team.row(), row = m * a.N + n;
    const bool live = n < a.N;
    const SampleKey key{static_cast<uint32_t>(a.keys[2 * m]),
                        static_cast<uint32_t>(a.keys[2 * m + 1]),
                        a.stream,
                        a.step};
    Drawn<float> best;
    team.each_group(live ? a.V : 0, [&](int64_t i, int count) {
      const simt::Float4 x = team.load(a.logits + row * a.V, i, count);
      const Philox::Counter bits = key.bits(static_cast<uint64_t>(n * sample_blocks(a.V) + i / 4));
      for (int k = 0; k < 4; ++k) {
        if (k < count) {
          best.see(x.at[k] * a.scale + gumbel<float>(bits[k]), static_cast<int>(i) + k);
        }
      }
    });
    best = team.reduce(best, Drawn<float>{}, [](Drawn<float> p, Drawn<float> q) {
      p.see(q.value, q.index);
      return p;
    });
    if (live && team.leads()) {
      a.out[row] = best.result();
    }
  }
};

template <class Table>
void sample_kernels(Table& t) {
  t.template add<Sample>();
}

}  // namespace sv::ops

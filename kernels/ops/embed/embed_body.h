// Kernels of embed. Forward: a copy, a team of threads per row. VJP: the tokens of a model are
// sorted by id (a stable counting sort: integers only, so the order is exact), then each row of the
// table sums its tokens in that order, without atomics.
//
//   count:  how often chunk c of the tokens has id v        totals, starts: where (v, c) begins
//   place:  token n goes behind the earlier ones of its id   sums: up to 256 tokens of an id a
//   block
//
// Tables that share their ids share the sort. The sums read dy once: that is the floor, N D 4 bytes
// a model. An id with more than 256 tokens is cut into slots of 256, so that a frequent one (a
// vocabulary of ten, a padding token) still spreads over the chip; slots are added in order.
#pragma once
#include <cstdint>

#include "kernels/ops/column_sums_body.h"
#include "kernels/simt/row_team.h"

namespace sv::ops {

/// ids (1|M, 1|B, T) as they are read by row n of model m.
struct EmbedIds {
  const int* data;
  int64_t model;  // elements between models, 0 = shared
  int64_t wrap;   // ids per model: T when shared over the batch, else B T
  int64_t V;      // rows of the table

  /// The id, or -1 where it is outside the table.
  SV_HD int at(int64_t m, int64_t n) const {
    const int id = data[m * model + n % wrap];
    return id >= 0 && id < V ? id : -1;
  }
};

/// y = the row of the table; NaN where the id is outside it.
struct EmbedForward {
  static constexpr const char* kName = "embed_forward";
  struct Args {
    EmbedIds ids;
    const float* table;  // (M, V, D)
    float* y;            // (M, N, D)
    int64_t N, D;
    simt::RowTeamShape team;
    LiveModels models;
  };
  template <class C>
  SV_DEVICE static void body(C& ctx, const Args& a) {
    const simt::RowTeam<C> team(ctx, a.team);
    const int64_t m = a.models.model(ctx.block_y()), n = team.row();
    if (n >= a.N) {
      return;
    }
    const int id = a.ids.at(m, n);
    float* to = a.y + (m * a.N + n) * a.D;
    if (id < 0) {
      team.each_group(a.D, [&](int64_t i, int count) {
        team.put(to, i, count, {NAN, NAN, NAN, NAN}, false);
      });
      return;
    }
    const float* from = a.table + (m * a.ids.V + id) * a.D;
    team.each_group(a.D, [&](int64_t i, int count) {
      team.put(to, i, count, team.load(from, i, count), false);
    });
  }
};

/// The sort of `lists` lists of N tokens: one list when the ids are shared, else one per live
/// model.
struct EmbedSort {
  int* counts;  // (lists, chunks, V): how often, then where the chunk's first one goes
  int* first;   // (lists, V + 1): where the tokens of id v begin
  int* slots;   // (lists, V + 1): slots of the ids before v
  int* order;   // (lists, N): tokens by id, then ascending
  int64_t N, chunk;
  int chunks;

  static constexpr int kPiece = 256;  // tokens of a slot
  /// Slots of an id with so many tokens: none if one block sums them.
  SV_HD static int slots_of(int tokens) {
    return tokens > kPiece ? (tokens + kPiece - 1) / kPiece : 0;
  }
  /// At least what all ids of a list need: an id with k > 1 slots has more than (k - 1) kPiece
  /// tokens.
  SV_HD int64_t most_slots() const { return 2 * N / kPiece; }
};

struct EmbedCount {
  static constexpr const char* kName = "embed_count";
  static constexpr int kThreads = 256;
  struct Args {
    EmbedIds ids;
    EmbedSort sort;
    LiveModels models;
  };
  template <class C>
  SV_DEVICE static void body(C& ctx, const Args& a) {
    const int64_t list = ctx.block_y(), m = a.ids.model == 0 ? 0 : a.models.model(ctx.block_y());
    int* counts = a.sort.counts + (list * a.sort.chunks + ctx.block_x()) * a.ids.V;
    for (int64_t v = ctx.thread(); v < a.ids.V; v += kThreads) {
      counts[v] = 0;
    }
    ctx.barrier();
    const int64_t begin = ctx.block_x() * a.sort.chunk;
    const int64_t end = begin + a.sort.chunk < a.sort.N ? begin + a.sort.chunk : a.sort.N;
    for (int64_t n = begin + ctx.thread(); n < end; n += kThreads) {
      const int id = a.ids.at(m, n);
      if (id >= 0) {
        ctx.atomic_add(counts + id, 1);
      }
    }
  }
};

/// counts become sums over the chunks before; first[v] becomes the tokens of id v.
struct EmbedTotals {
  static constexpr const char* kName = "embed_totals";
  static constexpr int kThreads = 128;
  struct Args {
    EmbedSort sort;
    int64_t V;
  };
  template <class C>
  SV_DEVICE static void body(C& ctx, const Args& a) {
    const int64_t list = ctx.block_y(), v = ctx.block_x() * int64_t{kThreads} + ctx.thread();
    if (v >= a.V) {
      return;
    }
    int total = 0;
    for (int c = 0; c < a.sort.chunks; ++c) {
      int& count = a.sort.counts[(list * a.sort.chunks + c) * a.V + v];
      const int here = count;
      count = total;
      total += here;
    }
    a.sort.first[list * (a.V + 1) + v] = total;
  }
};

/// first and slots become sums over the ids before. One block per list; each thread takes a run of
/// ids.
struct EmbedStarts {
  static constexpr const char* kName = "embed_starts";
  static constexpr int kThreads = 256;
  static constexpr int kSharedBytes = 2 * kThreads * 4;
  struct Args {
    EmbedSort sort;
    int64_t V;
  };
  template <class C>
  SV_DEVICE static void body(C& ctx, const Args& a) {
    int* first = a.sort.first + ctx.block_x() * (a.V + 1);
    int* slots = a.sort.slots + ctx.block_x() * (a.V + 1);
    const int64_t run = (a.V + kThreads - 1) / kThreads;
    const int64_t begin = ctx.thread() * run < a.V ? ctx.thread() * run : a.V;
    const int64_t end = begin + run < a.V ? begin + run : a.V;
    int tokens = 0, pieces = 0;
    for (int64_t v = begin; v < end; ++v) {
      tokens += first[v];
      pieces += EmbedSort::slots_of(first[v]);
    }
    auto sums = ctx.template shared<int>(0, 2 * kThreads);
    sums[ctx.thread()] = tokens;
    sums[kThreads + ctx.thread()] = pieces;
    ctx.barrier();
    tokens = pieces = 0;
    for (int i = 0; i < ctx.thread(); ++i) {
      const int t = sums[i], p = sums[kThreads + i];
      tokens += t;
      pieces += p;
    }
    for (int64_t v = begin; v < end; ++v) {
      const int here = first[v];
      first[v] = tokens;
      slots[v] = pieces;
      tokens += here;
      pieces += EmbedSort::slots_of(here);
    }
    if (ctx.thread() == kThreads - 1) {
      first[a.V] = tokens;
      slots[a.V] = pieces;
    }
  }
};

/// A warp per chunk walks over its tokens, 32 at a time.
struct EmbedPlace {
  static constexpr const char* kName = "embed_place";
  struct Args {
    EmbedIds ids;
    EmbedSort sort;
    LiveModels models;
  };
  template <class C>
  SV_DEVICE static void body(C& ctx, const Args& a) {
    const int64_t list = ctx.block_y(), m = a.ids.model == 0 ? 0 : a.models.model(ctx.block_y());
    int* next = a.sort.counts + (list * a.sort.chunks + ctx.block_x()) * a.ids.V;
    const int* first = a.sort.first + list * (a.ids.V + 1);
    const int64_t begin = ctx.block_x() * a.sort.chunk;
    const int64_t end = begin + a.sort.chunk < a.sort.N ? begin + a.sort.chunk : a.sort.N;
    for (int64_t base = begin; base < end; base += simt::kWarp) {
      const int64_t n = base + ctx.lane();
      const int id = n < end ? a.ids.at(m, n) : -1;
      int before = 0, all = 0;  // lanes with this id
      for (int other = 0; other < simt::kWarp; ++other) {
        const bool same = ctx.shfl(id, other) == id;
        before += same && other < ctx.lane() ? 1 : 0;
        all += same ? 1 : 0;
      }
      const int place = id < 0 ? 0 : next[id] + before;
      ctx.warp_barrier();
      if (id >= 0) {
        a.sort.order[list * a.sort.N + first[id] + place] = static_cast<int>(n);
        if (before + 1 == all) {
          next[id] = place + 1;
        }
      }
      ctx.warp_barrier();
    }
  }
};

/// Blocks 0 to V - 1 write the rows of ids with few tokens; the blocks behind them one slot each.
struct EmbedSums {
  static constexpr const char* kName = "embed_sums";
  struct Args {
    EmbedSort sort;
    const float* dy;  // (M, N, D)
    float* dtable;    // (M, V, D)
    float* partial;   // (live, most_slots, D)
    int64_t V, D;
    int tiles;  // of 32 columns
    bool shared_ids, adds;
    LiveModels models;
  };
  template <class C>
  SV_DEVICE static void body(C& ctx, const Args& a) {
    const int64_t list = a.shared_ids ? 0 : ctx.block_y();
    const int* first = a.sort.first + list * (a.V + 1);
    const int* slots = a.sort.slots + list * (a.V + 1);
    const int64_t item = ctx.block_x() / a.tiles, slot = item - a.V;
    if (slot >= slots[a.V]) {
      return;
    }
    const int64_t v = slot < 0 ? item : id_of(slots, a.V, slot);
    int64_t begin = first[v], end = first[v + 1];
    if (slot < 0 && EmbedSort::slots_of(static_cast<int>(end - begin)) > 0) {
      return;
    }
    if (slot >= 0) {
      begin += (slot - slots[v]) * EmbedSort::kPiece;
      end = begin + EmbedSort::kPiece < end ? begin + EmbedSort::kPiece : end;
    }
    const int* order = a.sort.order + list * a.sort.N;
    const int64_t m = a.models.model(ctx.block_y());
    const float* dy = a.dy + m * a.sort.N * a.D;
    int64_t column;
    float total[1];
    const bool writes =
        add_rows<1>(ctx,
                    begin,
                    end,
                    a.D,
                    ctx.block_x() % a.tiles,
                    column,
                    total,
                    [&](int64_t at, int64_t c, float* t) { t[0] = dy[order[at] * a.D + c]; });
    if (writes && slot >= 0) {
      a.partial[(ctx.block_y() * a.sort.most_slots() + slot) * a.D + column] = total[0];
    } else if (writes) {
      float* to = a.dtable + (m * a.V + v) * a.D + column;
      *to = a.adds ? *to + total[0] : total[0];
    }
  }
  /// The id v with slots[v] <= slot < slots[v + 1].
  SV_HD static int64_t id_of(const int* slots, int64_t V, int64_t slot) {
    int64_t low = 0, high = V;
    while (high - low > 1) {
      const int64_t middle = (low + high) / 2;
      if (slots[middle] <= slot) {
        low = middle;
      } else {
        high = middle;
      }
    }
    return low;
  }
};

/// The rows of ids with slots.
struct EmbedSlots {
  static constexpr const char* kName = "embed_slots";
  struct Args {
    EmbedSort sort;
    const float* partial;  // (live, most_slots, D)
    float* dtable;         // (M, V, D)
    int64_t V, D;
    int tiles;
    bool shared_ids, adds;
    LiveModels models;
  };
  template <class C>
  SV_DEVICE static void body(C& ctx, const Args& a) {
    const int64_t v = ctx.block_x() / a.tiles;
    const int* slots = a.sort.slots + (a.shared_ids ? 0 : ctx.block_y()) * (a.V + 1);
    if (slots[v] == slots[v + 1]) {
      return;
    }
    const float* partial = a.partial + ctx.block_y() * a.sort.most_slots() * a.D;
    int64_t column;
    float total[1];
    const bool writes =
        add_rows<1>(ctx,
                    slots[v],
                    slots[v + 1],
                    a.D,
                    ctx.block_x() % a.tiles,
                    column,
                    total,
                    [&](int64_t at, int64_t c, float* t) { t[0] = partial[at * a.D + c]; });
    if (writes) {
      float* to = a.dtable + (a.models.model(ctx.block_y()) * a.V + v) * a.D + column;
      *to = a.adds ? *to + total[0] : total[0];
    }
  }
};

template <class Table>
void embed_kernels(Table& t) {
  t.template add<EmbedForward>();
  t.template add<EmbedCount>();
  t.template add<EmbedTotals>();
  t.template add<EmbedStarts>();
  t.template add<EmbedPlace>();
  t.template add<EmbedSums>();
  t.template add<EmbedSlots>();
}

}  // namespace sv::ops

#include "kernels/ops/gather_positions/gather_positions.h"

#include "kernels/cpu/write.h"
#include "kernels/ops/arguments.h"

namespace sv::ops {

namespace {

struct Ids {
  const int32_t* data;
  int64_t model;       // elements between models, 0 = shared
  int64_t B, T, K, D;  // D elements of a position

  const int32_t* row(int64_t m, int64_t b) const { return data + m * model + b * K; }
};

/// Whole rows have T positions, lists K; both have the shape `rows` otherwise.
Ids check(const Context& ctx, const Shape& whole, const Shape& listed, const Tensor& ids) {
  const int64_t D = position_elements(whole, "gather_positions");
  const int64_t M = whole[0], B = whole[1], K = listed[2];
  expect_shape(listed, whole.with(2, K), "listed positions");
  SV_CHECK_EQ(ids.shape.rank(), 3, "ids must be (1|M, B, K), got ", ids.shape);
  const int64_t model = model_stride(ids, M, "ids");
  expect_shape(ids.shape, {ids.dim(0), B, K}, "ids");
  const Ids list{ids.as<int32_t>(), model, B, whole[2], K, D};
  const int live = model == 0           ? 1
                   : ctx.models.empty() ? static_cast<int>(M)
                                        : static_cast<int>(ctx.models.size());
  for (int i = 0; i < live; ++i) {
    const int m = model == 0 ? 0 : ctx.model(i);
    for (int64_t n = 0; n < B * K; ++n) {
      const int32_t id = list.row(m, 0)[n];
      SV_CHECK(id >= -1 && id < list.T,
               "ids[",
               m,
               ", ",
               n / K,
               ", ",
               n % K,
               "] = ",
               id,
               ", there are ",
               list.T,
               " positions");
    }
  }
  return list;
}

void expect_distinct(const Context& ctx, const Ids& ids, int live) {
  const ArenaScope scope(*ctx.arena);
  int64_t* seen = ctx.arena->alloc_n<int64_t>(static_cast<size_t>(ids.T));  // by which row
  std::fill(seen, seen + ids.T, int64_t{-1});
  for (int i = 0; i < live; ++i) {
    const int64_t m = ctx.model(i);
    for (int64_t n = 0; n < ids.B * ids.K; ++n) {
      const int64_t row = m * ids.B + n / ids.K;
      const int32_t id = ids.row(m, 0)[n];
      SV_CHECK(id < 0 || seen[id] != row,
               "ids[",
               m,
               ", ",
               n / ids.K,
               ", ",
               n % ids.K,
               "] = ",
               id,
               " was named before in its row");
      if (id >= 0) {
        seen[id] = row;
      }
    }
  }
}

/// Calls f(ids of the row, its number m B + b) for every row of the live models.
template <class F>
void each_row(const Context& ctx, int live, const Ids& ids, int64_t positions, F&& f) {
  cpu::for_each_row_block(
      ctx, live, ids.B, positions * ids.D, [&](int m, int64_t begin, int64_t end) {
        for (int64_t b = begin; b < end; ++b) {
          f(ids.row(m, b), m * ids.B + b);
        }
      });
}

/// listed = whole at ids, zeros at -1.
void take(const Context& ctx, const Tensor& whole, const Ids& ids, const Grad& listed) {
  const bool adds = listed.adds();
  with_float(whole.dtype, [&]<class T>() {
    const T* from = whole.as<T>();
    T* to = listed.t.as<T>();
    each_row(ctx, ctx.model_count(whole), ids, ids.K, [=](const int32_t* list, int64_t row) {
      for (int64_t k = 0; k < ids.K; ++k) {
        T* out = to + (row * ids.K + k) * ids.D;
        if (list[k] >= 0) {
          const T* x = from + (row * ids.T + list[k]) * ids.D;
          cpu::write_row(out, ids.D, adds, [=](int64_t i) { return x[i]; });
        } else if (!adds) {
          std::fill(out, out + ids.D, T{0});
        }
      }
    });
  });
}

/// kept = whole where no id points, zeros at ids.
void keep_others(const Context& ctx, const Tensor& whole, const Ids& ids, const Grad& kept) {
  const bool adds = kept.adds();
  const ArenaScope scope(*ctx.arena);
  const int64_t positions = whole.dim(0) * ids.B * ids.T;
  uint8_t* keeps = ctx.arena->alloc_n<uint8_t>(static_cast<size_t>(positions));
  with_float(whole.dtype, [&]<class T>() {
    const T* from = whole.as<T>();
    T* to = kept.t.as<T>();
    each_row(ctx, ctx.model_count(whole), ids, ids.T, [=](const int32_t* list, int64_t row) {
      uint8_t* keep = keeps + row * ids.T;
      std::fill(keep, keep + ids.T, uint8_t{1});
      for (int64_t k = 0; k < ids.K; ++k) {
        if (list[k] >= 0) {
          keep[list[k]] = 0;
        }
      }
      for (int64_t t = 0; t < ids.T; ++t) {
        const int64_t at = (row * ids.T + t) * ids.D;
        if (keep[t]) {
          cpu::write_row(to + at, ids.D, adds, [=](int64_t i) { return from[at + i]; });
        } else if (!adds) {
          std::fill(to + at, to + at + ids.D, T{0});
        }
      }
    });
  });
}

}  // namespace

void gather_positions(const Context& ctx, const Tensor& x, const Tensor& ids, const Tensor& y) {
  expect_no_device(ctx, "gather_positions");
  take(ctx, x, check(ctx, x.shape, y.shape, ids), {y, GradientMode::overwrite});
}

void gather_positions_vjp(const Context& ctx, const Tensor& dy, const Tensor& ids, const Grad& dx) {
  expect_no_device(ctx, "gather_positions");
  if (!dx.wanted()) {
    return;
  }
  const Ids list = check(ctx, dx.t.shape, dy.shape, ids);
  const bool adds = dx.adds();
  with_float(dy.dtype, [&]<class T>() {
    const T* from = dy.as<T>();
    T* to = dx.t.as<T>();
    each_row(ctx, ctx.model_count(dy), list, list.T, [=](const int32_t* ids_row, int64_t row) {
      T* out = to + row * list.T * list.D;
      if (!adds) {
        std::fill(out, out + list.T * list.D, T{0});
      }
      for (int64_t k = 0; k < list.K; ++k) {
        if (ids_row[k] >= 0) {
          const T* d = from + (row * list.K + k) * list.D;
          cpu::write_row(out + ids_row[k] * list.D, list.D, true, [=](int64_t i) { return d[i]; });
        }
      }
    });
  });
}

void scatter_positions(
    const Context& ctx, const Tensor& base, const Tensor& x, const Tensor& ids, const Tensor& y) {
  expect_no_device(ctx, "scatter_positions");
  expect_shape(y.shape, base.shape, "y");
  const Ids list = check(ctx, base.shape, x.shape, ids);
  const int live = ctx.model_count(base);
  expect_distinct(ctx, list, live);
  with_float(base.dtype, [&]<class T>() {
    const T *whole = base.as<T>(), *listed = x.as<T>();
    T* to = y.as<T>();
    each_row(ctx, live, list, list.T, [=](const int32_t* ids_row, int64_t row) {
      const int64_t size = list.T * list.D;
      T* out = to + row * size;
      std::copy(whole + row * size, whole + (row + 1) * size, out);
      for (int64_t k = 0; k < list.K; ++k) {
        if (ids_row[k] >= 0) {
          const T* put = listed + (row * list.K + k) * list.D;
          std::copy(put, put + list.D, out + ids_row[k] * list.D);
        }
      }
    });
  });
}

void scatter_positions_vjp(
    const Context& ctx, const Tensor& dy, const Tensor& ids, const Grad& dbase, const Grad& dx) {
  expect_no_device(ctx, "scatter_positions");
  expect_grad(dbase, dy.shape, "dbase");
  const Ids list = check(ctx, dy.shape, dy.shape.with(2, ids.dim(-1)), ids);
  expect_grad(dx, dy.shape.with(2, list.K), "dx");
  if (dbase.wanted()) {
    keep_others(ctx, dy, list, dbase);
  }
  if (dx.wanted()) {
    take(ctx, dy, list, dx);
  }
}

}  // namespace sv::ops

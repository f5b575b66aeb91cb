// Linear map of rows, one weight matrix per model.
//
//   y_no = sum_k x_nk w_ok + bias_o
//   dx_nk = sum_o dy_no w_ok          dw_ok = sum_n dy_no x_nk          dbias_o = sum_n dy_no
//
// w may be bf16 beside x in f32 (inference): its values are widened when panels are packed, the
// arithmetic is that of the same values in f32.
//
// Shapes: x, dx (M, ..., K); w, dw (M, O, K); bias, dbias (M, O) or empty; y, dy (M, ..., O). N =
// rows of one model. Accumulation: in the dtype of x. Each element of y, dx and dw is one chain of
// (fused, on AVX2 and above) multiply-adds over k, o or n ascending, from zero or, when a gradient
// is added to, from its old value. The bias is added after the chain. dbias: blocks of 64 rows,
// blocks in order. Determinism: a row of y and dx depends on that row of x or dy and on w alone;
// nothing depends on threads, tiles, row count or pack. AVX2 and AVX-512 give the same bits, the
// portable kernel others. Cost: 2 M N K O flops each for y, dx and dw; M (N K + N O + K O) elements
// moved. On a device in Precision::f32: the same chains, so the bits of AVX2, but for dw over more
// than 512 rows, which is partial sums of parts of the rows, added in order (device::rows_per_part:
// the parts depend on N alone), and dbias (column_sums_body.h). In tf32 and bf16: operands rounded
// to nearest (ties away, ties to even), sums in f32 on tensor cores, in steps of the same order for
// every tile and pack. dw then keeps those parts, dbias is not rounded. Large products in tf32 and
// bf16 may be those of a library instead (device::kLibraryExtent; Device::products() says which):
// its sums, the same for a model alone and in any pack, on one GPU and version. Panels are refused:
// a device reads w as it is. w is packed by every call that is not given its panels; training and
// inference pack it once for many calls. Reference: Goto and van de Geijn, "Anatomy of
// high-performance matrix multiplication", TOMS 34 (2008).
#pragma once
#include "kernels/memory/context.h"

namespace sv::ops {

/// Column panels of a w (M, O, K), or views of some of its models: `y` for x w^T, `dx` for dy w.
/// Empty: the op packs.
struct Panels {
  Tensor y;   // (M, elements)
  Tensor dx;  // (M, elements)
};

/// Elements of one model's panels, for w of per-model shape (O, K) in this dtype.
int64_t panel_elements_y(DType dtype, int64_t O, int64_t K);
int64_t panel_elements_dx(DType dtype, int64_t O, int64_t K);
/// Writes both panels of the live models. Give panels to the op only while w keeps its value.
void pack_panels(const Context& ctx, const Tensor& w, const Panels& out);

void matmul(const Context& ctx,
            const Tensor& x,
            const Tensor& w,
            const Tensor& bias,
            const Tensor& y,
            const Panels& panels = {});
void matmul_vjp(const Context& ctx,
                const Tensor& x,
                const Tensor& w,
                const Tensor& dy,
                const Grad& dx,
                const Grad& dw,
                const Grad& dbias,
                const Panels& panels = {});

}  // namespace sv::ops

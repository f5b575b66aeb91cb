// A linear map of its own for each group: a small model per neuron.
//
//   y_ngo = sum_i x_ngi w_goi + bias_go
//   dx_ngi = sum_o dy_ngo w_goi      dw_goi = sum_n dy_ngo x_ngi      dbias_go = sum_n dy_ngo
//
// Shapes: x, dx (M, ..., G, I); w, dw (M, G, O, I); bias, dbias (M, G, O) or empty; y, dy (M, ...,
// G, O). N = rows of one model, the axes between M and G. Accumulation and bits: those of
// ops/matmul, each element one chain over i, o or n ascending. Determinism: a row of y and dx
// depends on that row and on w alone; nothing depends on threads, row count or pack. Cost: 2 M N G
// I O flops each for y, dx and dw; a group's weight is packed by the call, so few rows or an O and
// I below a panel (16) waste lanes. Reference: Darlow et al., arXiv:2505.05522 (neuron-level
// models). CPU only.
#pragma once
#include "kernels/memory/context.h"

namespace sv::ops {

void grouped_matmul(
    const Context& ctx, const Tensor& x, const Tensor& w, const Tensor& bias, const Tensor& y);
void grouped_matmul_vjp(const Context& ctx,
                        const Tensor& x,
                        const Tensor& w,
                        const Tensor& dy,
                        const Grad& dx,
                        const Grad& dw,
                        const Grad& dbias);

}  // namespace sv::ops

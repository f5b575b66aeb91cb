// Rows of a batch copied out of it, into it and forward in it, by lists. Used by Halting alone.
#pragma once
#include <vector>

#include "kernels/memory/context.h"

namespace sv::moved {

/// For each model some rows of a batch, in order.
using Lists = std::vector<std::vector<int>>;

/// All models of the run: which rows an op looks at is said by its list of rows.
Context whole(const Context& ctx);
/// The same for what stays in host memory: the ids.
Context on_host(const Context& ctx);
size_t longest(const Lists& lists);
/// i32 (M, longest) in host memory; shorter lists end in `filler`.
Tensor tensor_of(const Context& ctx, const Lists& lists, int filler);
/// The listed rows (M, count) of x (1|M, B, ...); an empty tensor stays empty.
Tensor gathered(const Context& ctx, const Tensor& x, const Tensor& rows);
/// Copies rows y (M, count, ...) to the listed places (M, count) of x (M, B, ...); -1 goes nowhere.
/// Nothing is done with empty tensors.
void scatter(const Context& ctx, const Tensor& y, const Tensor& places, const Tensor& x);
/// Shortens the batch axis of x to the listed rows (M, count), in place. Rows are listed in
/// ascending order, and fill the end with the last one.
void compact(const Context& ctx, Tensor& x, const Tensor& rows);

}  // namespace sv::moved

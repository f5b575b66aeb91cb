// Tensors from one place to another. On the CPU host code and ops share memory: nothing is copied
// between them there. With these functions no other file needs to know where tensors are.
#pragma once
#include "kernels/memory/context.h"

namespace sv {

/// dst = src where the context computes; same bytes, shapes may differ.
void copy_tensor(const Context& ctx, const Tensor& dst, const Tensor& src);
void zero_tensor(const Context& ctx, const Tensor& x);
/// A copy in the context's arena.
Tensor copy_of(const Context& ctx, const Tensor& x);

/// Uninitialised memory for host code to fill, then handed to to_device.
Tensor host_tensor(const Context& ctx, const Shape& shape, DType dtype);
/// What host code has built, for ops: x itself on the CPU, a copy in the arena on a device.
Tensor to_device(const Context& ctx, const Tensor& host);
/// A result of ops, for host code to read: x itself on the CPU, a copy in the notes on a device,
/// which waits for all work before it.
Tensor to_host(const Context& ctx, const Tensor& x);
/// The same without waiting: the bytes of a device are there after finish_copies().
Tensor to_host_later(const Context& ctx, const Tensor& x);
/// Into host memory of the caller's; on the CPU at once.
void copy_to_host_later(const Context& ctx, const Tensor& host, const Tensor& x);
void finish_copies(const Context& ctx);
/// A copy for host code to change, also on the CPU.
Tensor host_copy(const Context& ctx, const Tensor& x);
/// Element i of a floating-point tensor of host memory.
double element(const Tensor& host, int64_t i);

/// The same tensor on a device; null leaves it on the heap.
Buffer placed(Buffer host, Device* device);
/// Into and out of tensors that no run is at work on (parameters, checkpoints); null is the CPU.
void write_tensor(Device* device, const Tensor& dst, const void* host);
void read_tensor(Device* device, void* host, const Tensor& src);

}  // namespace sv

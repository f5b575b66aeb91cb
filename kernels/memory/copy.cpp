#include "kernels/memory/copy.h"

#include "kernels/memory/device.h"

namespace sv {

void copy_tensor(const Context& ctx, const Tensor& dst, const Tensor& src) {
  SV_CHECK_EQ(dst.bytes(), src.bytes());
  if (ctx.device) {
    ctx.device->copy(dst.data, src.data, src.bytes());
  } else {
    std::memcpy(dst.data, src.data, src.bytes());
  }
}

void zero_tensor(const Context& ctx, const Tensor& x) {
  if (ctx.device) {
    ctx.device->zero(x.data, x.bytes());
  } else {
    x.zero();
  }
}

Tensor copy_of(const Context& ctx, const Tensor& x) {
  const Tensor y = make_tensor(*ctx.arena, x.shape, x.dtype);
  copy_tensor(ctx, y, x);
  return y;
}

Tensor host_tensor(const Context& ctx, const Shape& shape, DType dtype) {
  return make_tensor(ctx.host(), shape, dtype);
}

Tensor to_device(const Context& ctx, const Tensor& host) {
  if (!ctx.device || !host) {
    return host;
  }
  const Tensor y = make_tensor(*ctx.arena, host.shape, host.dtype);
  ctx.device->to_device(y.data, host.data, host.bytes());
  return y;
}

Tensor to_host(const Context& ctx, const Tensor& x) {
  return ctx.device && x ? host_copy(ctx, x) : x;
}

Tensor to_host_later(const Context& ctx, const Tensor& x) {
  if (!ctx.device || !x) {
    return x;
  }
  const Tensor y = host_tensor(ctx, x.shape, x.dtype);
  copy_to_host_later(ctx, y, x);
  return y;
}

void copy_to_host_later(const Context& ctx, const Tensor& host, const Tensor& x) {
  SV_CHECK_EQ(host.bytes(), x.bytes());
  if (ctx.device) {
    ctx.device->to_host_later(host.data, x.data, x.bytes());
  } else {
    std::memcpy(host.data, x.data, x.bytes());
  }
}

void finish_copies(const Context& ctx) {
  if (ctx.device) {
    ctx.device->finish_copies();
  }
}

Tensor host_copy(const Context& ctx, const Tensor& x) {
  const Tensor y = host_tensor(ctx, x.shape, x.dtype);
  read_tensor(ctx.device, y.data, x);
  return y;
}

double element(const Tensor& host, int64_t i) {
  return with_float(host.dtype, [&]<class T>() { return static_cast<double>(host.as<T>()[i]); });
}

Buffer placed(Buffer host, Device* device) {
  if (!device) {
    return host;
  }
  Buffer out(host.tensor().shape, host.tensor().dtype, device);
  write_tensor(device, out, host.tensor().data);
  return out;
}

void write_tensor(Device* device, const Tensor& dst, const void* host) {
  if (device) {
    device->to_device(dst.data, host, dst.bytes());
  } else {
    std::memcpy(dst.data, host, dst.bytes());
  }
}

void read_tensor(Device* device, void* host, const Tensor& src) {
  if (device) {
    device->to_host(host, src.data, src.bytes());
  } else {
    std::memcpy(host, src.data, src.bytes());
  }
}

}  // namespace sv

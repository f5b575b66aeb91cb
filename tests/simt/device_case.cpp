#include "simt/device_case.h"

namespace sv::cases {

namespace {

constexpr unsigned char kSentinel = 0xA5;

/// A tensor in an allocation of its own.
class DeviceTensor {
 public:
  DeviceTensor(Device& device, const Tensor& like) : device_(device), tensor_(like) {
    tensor_.data = like.bytes() ? device.alloc(like.bytes()) : nullptr;
  }
  ~DeviceTensor() { device_.free(tensor_.data); }
  DeviceTensor(const DeviceTensor&) = delete;
  DeviceTensor& operator=(const DeviceTensor&) = delete;
  const Tensor& tensor() const { return tensor_; }
  void put(const void* from) const {
    if (tensor_.data) {
      device_.to_device(tensor_.data, from, tensor_.bytes());
    }
  }
  void fill_sentinel() const {
    const std::vector<unsigned char> bytes(tensor_.bytes(), kSentinel);
    put(bytes.data());
  }
  std::vector<std::byte> get() const {
    std::vector<std::byte> bytes(tensor_.bytes());
    if (tensor_.data) {
      device_.to_host(bytes.data(), tensor_.data, bytes.size());
    }
    return bytes;
  }

 private:
  Device& device_;
  Tensor tensor_;
};

using List = std::vector<std::unique_ptr<DeviceTensor>>;

List list_of(Device& device, const std::vector<Guarded>& host, bool copy) {
  List list;
  for (const Guarded& g : host) {
    list.push_back(std::make_unique<DeviceTensor>(device, g.tensor()));
    copy ? list.back()->put(g.tensor().data) : list.back()->fill_sentinel();
  }
  return list;
}
Tensors tensors(const List& list) {
  Tensors out;
  for (const auto& t : list) {
    out.push_back(t->tensor());
  }
  return out;
}

}  // namespace

DeviceResult run_on_device(Device& device, CaseRun& host, const DeviceCall& call) {
  const Case& c = host.description();
  Arena arena(device, 1);  // one byte: each piece of scratch becomes an allocation with its guards
  const Context ctx{&arena, 1, call.models, &device};
  const List in = list_of(device, host.inputs(), true);
  const List out = list_of(device, host.outputs(), false);
  for (size_t i = 0; i < out.size(); ++i) {
    if (c.outputs[i].starts_as >= 0) {
      out[i]->put(host.inputs()[static_cast<size_t>(c.outputs[i].starts_as)].tensor().data);
    }
  }
  c.run(ctx, tensors(in), tensors(out));
  DeviceResult result;
  if (c.vjp && call.backward) {
    const List dout = list_of(device, host.cotangents(), true);
    const List din = list_of(device, host.gradients(), false);
    Grads grads;
    for (size_t i = 0; i < din.size(); ++i) {
      const bool wanted = c.inputs[i].differentiable;
      if (wanted && call.mode == GradientMode::accumulate) {
        const std::vector<float> start(static_cast<size_t>(din[i]->tensor().numel()), 0.5f);
        din[i]->put(start.data());
      }
      grads.push_back(wanted ? Grad{din[i]->tensor(), call.mode} : Grad{});
    }
    c.vjp(ctx, tensors(in), tensors(out), tensors(dout), grads);
    for (const auto& t : din) {
      result.gradients.push_back(t->get());
    }
  }
  device.synchronise();
  for (const auto& t : out) {
    result.outputs.push_back(t->get());
  }
  return result;
}

}  // namespace sv::cases

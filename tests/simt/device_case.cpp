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

List list_of(Device& device, const std::vector<Guarded>& host, bool copy = false) {
  List list;
  for (const Guarded& g : host) {
    list.push_back(std::make_unique<DeviceTensor>(device, g.tensor()));
    if (copy) {
      list.back()->put(g.tensor().data);
    }
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
std::vector<std::vector<std::byte>> bytes_of(const List& list) {
  std::vector<std::vector<std::byte>> out;
  for (const auto& t : list) {
    out.push_back(t->get());
  }
  return out;
}

}  // namespace

struct DeviceCase::Lists {
  List in, out, dout, din;
};

DeviceCase::DeviceCase(Device& device, const CaseRun& host)
    : host_(host),
      lists_(new Lists{list_of(device, host.inputs(), true),
                       list_of(device, host.outputs()),
                       list_of(device, host.cotangents(), true),
                       list_of(device, host.gradients())}) {
  poison();
}

DeviceCase::~DeviceCase() = default;

void DeviceCase::poison() const {
  const Case& c = host_.description();
  for (size_t i = 0; i < lists_->out.size(); ++i) {
    lists_->out[i]->fill_sentinel();
    if (c.outputs[i].starts_as >= 0) {
      const auto from = static_cast<size_t>(c.outputs[i].starts_as);
      lists_->out[i]->put(host_.inputs()[from].tensor().data);
    }
  }
  for (const auto& t : lists_->din) {
    t->fill_sentinel();
  }
}

void DeviceCase::forward(const Context& ctx) const {
  host_.description().run(ctx, tensors(lists_->in), tensors(lists_->out));
}

void DeviceCase::backward(const Context& ctx, GradientMode mode) const {
  const Case& c = host_.description();
  Grads grads;
  for (size_t i = 0; i < lists_->din.size(); ++i) {
    grads.push_back(c.inputs[i].differentiable ? Grad{lists_->din[i]->tensor(), mode} : Grad{});
  }
  c.vjp(ctx, tensors(lists_->in), tensors(lists_->out), tensors(lists_->dout), grads);
}

void DeviceCase::start_gradients() const {
  for (size_t i = 0; i < lists_->din.size(); ++i) {
    if (host_.description().inputs[i].differentiable) {
      const std::vector<float> start(static_cast<size_t>(lists_->din[i]->tensor().numel()), 0.5f);
      lists_->din[i]->put(start.data());
    }
  }
}

std::vector<std::vector<std::byte>> DeviceCase::outputs() const {
  return bytes_of(lists_->out);
}
std::vector<std::vector<std::byte>> DeviceCase::gradients() const {
  return bytes_of(lists_->din);
}

DeviceResult run_on_device(Device& device, CaseRun& host, const DeviceCall& call) {
  Arena arena(device, 1);  // one byte: each piece of scratch becomes an allocation with its guards
  const Context ctx{&arena, 1, call.models, &device};
  const DeviceCase on(device, host);
  on.forward(ctx);
  DeviceResult result;
  if (host.description().vjp && call.backward) {
    if (call.mode == GradientMode::accumulate) {
      on.start_gradients();
    }
    on.backward(ctx, call.mode);
    result.gradients = on.gradients();
  }
  device.synchronise();
  result.outputs = on.outputs();
  return result;
}

}  // namespace sv::cases

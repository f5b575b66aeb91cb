// Every op that has device kernels, on the executor: against its reference in double, its VJP
// against the CPU's, listed models alone, and the same bits under every schedule.
#include <algorithm>

#include "kernels/op_cases.h"
#include "kernels/simt/memory_faults.h"
#include "kernels/simt/simt_device.h"
#include "sanitizers.h"
#include "simt/device_case.h"
#include "simt/device_ops.h"
#include "simt/device_shapes.h"

namespace sv::cases {
namespace {

/// Which cases a law takes. Every case runs in MatchesTheReference; under sanitizers, where the
/// executor is ten times slower, the laws that compare a kernel with itself take the smaller half.
enum class Cases { all, smaller_if_slow };

class DeviceOpTest : public testing::TestWithParam<DeviceOp> {
 protected:
  template <class F>
  void each_case(Cases which, F&& law) {
    std::vector<Case> cases = device_cases(GetParam().op);
    if (which == Cases::smaller_if_slow && kSanitized) {
      std::ranges::stable_sort(cases, {}, &Case::bytes);
      cases.resize((cases.size() + 1) / 2);
    }
    for (const Case& c : cases) {
      SCOPED_TRACE(GetParam().op + ": " + c.name);
      law(c);
      if (HasFatalFailure()) {
        return;
      }
    }
    EXPECT_EQ(device_.memory().count(), 0u) << "device memory was not given back";
    EXPECT_GT(device_.launches(), 0) << "nothing ran on the device";
  }
  simt::SimtDevice device_;
  simt::MemoryFaults faults_{device_.memory()};
};

std::string name_of(const testing::TestParamInfo<DeviceOp>& info) {
  return info.param.op;
}

Array as_array(const std::vector<std::byte>& bytes, DType dtype) {
  Array values(bytes.size() / dtype_size(dtype));
  for (size_t i = 0; i < values.size(); ++i) {
    const std::byte* from = bytes.data() + i * dtype_size(dtype);
    if (dtype == DType::f32) {
      float x;
      std::memcpy(&x, from, sizeof x);
      values[i] = static_cast<double>(x);
    } else if (dtype == DType::f64) {
      std::memcpy(&values[i], from, sizeof values[i]);
    } else {
      int32_t x;
      std::memcpy(&x, from, sizeof x);
      values[i] = x;
    }
  }
  return values;
}

void compare_outputs(const Case& c, const CaseRun& run, const DeviceResult& got) {
  Arrays in, expected;
  for (const Input& input : c.inputs) {
    in.push_back(input.values);
  }
  for (const Output& output : c.outputs) {
    expected.push_back(output.starts_as < 0 ? Array(static_cast<size_t>(output.shape.numel()))
                                            : in[static_cast<size_t>(output.starts_as)]);
  }
  c.reference(in, expected);
  for (size_t i = 0; i < expected.size(); ++i) {
    expect_close(as_array(got.outputs[i], run.outputs()[i].tensor().dtype),
                 expected[i],
                 c.tolerance.f32,
                 c.outputs[i].name);
  }
}

void compare_gradients(CaseRun& host, const DeviceResult& got, double factor) {
  const Case& c = host.description();
  for (size_t i = 0; i < c.inputs.size(); ++i) {
    if (c.inputs[i].differentiable) {
      expect_close(as_array(got.gradients[i], DType::f32),
                   host.gradients()[i].read(),
                   factor * std::max(c.tolerance.f32, 1e-7),
                   "d" + c.inputs[i].name);
    }
  }
}

TEST_P(DeviceOpTest, MatchesTheReference) {
  each_case(Cases::all, [&](const Case& c) {
    CaseRun host(c, DType::f32);
    compare_outputs(c, host, run_on_device(device_, host, {.backward = false}));
  });
}

TEST_P(DeviceOpTest, GradientsMatchTheCpu) {
  each_case(Cases::all, [&](const Case& c) {
    for (const GradientMode mode : {GradientMode::overwrite, GradientMode::accumulate}) {
      if (kSanitized && mode == GradientMode::overwrite) {
        continue;  // adding also writes
      }
      CaseRun host(c, DType::f32);
      const DeviceResult got = run_on_device(device_, host, {.mode = mode});
      host.forward(1);
      if (c.vjp) {
        host.backward(1, mode);
        compare_gradients(host, got, GetParam().vjp_tolerance);
      }
    }
  });
}

/// Whether slot m of a result with M slots is untouched, or has the bits of the whole run.
void expect_slots(const std::vector<std::byte>& got,
                  const std::vector<std::byte>& whole,
                  const Shape& shape,
                  int models,
                  int listed) {
  if (shape.rank() == 0 || shape[0] != models) {
    return;
  }
  const size_t slot = got.size() / static_cast<size_t>(models);
  for (size_t i = 0; i < got.size(); ++i) {
    const bool live = static_cast<int>(i / slot) == listed;
    ASSERT_EQ(got[i], live ? whole[i] : std::byte{0xA5})
        << "byte " << i << " of model " << i / slot << ", listed is " << listed;
  }
}

TEST_P(DeviceOpTest, ComputesOnlyTheListedModelsWithTheSameBits) {
  each_case(Cases::smaller_if_slow, [&](const Case& c) {
    if (c.models < 2) {
      return;
    }
    CaseRun host(c, DType::f32);
    const DeviceResult whole = run_on_device(device_, host, {});
    const std::vector<int> list = {c.models - 1};
    const DeviceResult one = run_on_device(device_, host, {.models = list});
    for (size_t i = 0; i < one.outputs.size(); ++i) {
      if (c.outputs[i].starts_as < 0) {
        expect_slots(one.outputs[i], whole.outputs[i], c.outputs[i].shape, c.models, list[0]);
      }
    }
    for (size_t i = 0; i < one.gradients.size(); ++i) {
      if (c.inputs[i].differentiable) {
        expect_slots(one.gradients[i], whole.gradients[i], c.inputs[i].shape, c.models, list[0]);
      }
    }
  });
}

TEST_P(DeviceOpTest, AModelAloneHasTheBitsItHasInThePack) {
  each_case(Cases::smaller_if_slow, [&](const Case& c) {
    CaseRun host(c, DType::f32);
    const DeviceResult whole = run_on_device(device_, host, {});
    const int m = c.models - 1;
    CaseRun alone(only_model(c, m), DType::f32);
    const DeviceResult got = run_on_device(device_, alone, {});
    for (size_t i = 0; i < got.outputs.size(); ++i) {
      if (c.outputs[i].shape.rank() > 0 && c.outputs[i].shape[0] == c.models) {
        const size_t slot = got.outputs[i].size();
        ASSERT_TRUE(std::equal(got.outputs[i].begin(),
                               got.outputs[i].end(),
                               whole.outputs[i].begin() + static_cast<int64_t>(m * slot)))
            << c.outputs[i].name;
      }
    }
  });
}

// Ops that cut their work by the size of the device take their other kernels on a large one.
TEST_P(DeviceOpTest, HasTheSameBitsUnderEverySchedule) {
  each_case(Cases::smaller_if_slow, [&](const Case& c) {
    CaseRun host(c, DType::f32);
    std::vector<simt::Schedule> list = simt::schedules(kSanitized ? 1 : 3);
    if (kSanitized) {  // forward, reversed with late copies, random
      list = {list[0], list[3], list[4]};
    }
    for (const int processors : GetParam().cut ? std::vector{1, 1 << 20} : std::vector{1}) {
      device_.set_processors(processors);
      device_.set_schedule(list[0]);
      const DeviceResult first = run_on_device(device_, host, {});
      for (size_t i = 1; i < list.size(); ++i) {
        device_.set_schedule(list[i]);
        ASSERT_TRUE(run_on_device(device_, host, {}) == first)
            << "a race: other bits with schedule " << list[i].text();
      }
    }
  });
}

INSTANTIATE_TEST_SUITE_P(All, DeviceOpTest, testing::ValuesIn(device_ops()), name_of);

}  // namespace
}  // namespace sv::cases

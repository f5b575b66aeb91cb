#include "gpu/packing.h"

#include <cstdio>

#include "experiments/timing/model_timing.h"
#include "gpu/timing.h"

namespace sv::gpu {

void measure_packing(Device& device, const PackingOptions& o, Runs& runs) {
  const auto step = [&](int seeds, int batch) {
    bench::TrainTiming timing(o.shape, seeds, batch, o.loops, 1, kMaxLanes, &device);
    timing.step();
    return seconds_of(
        device, [&] { timing.step(); }, o.seconds);
  };
  const char* const names[] = {"pack.batch_16", "pack.batch_64"};
  for (int i = 0; i < 2; ++i) {
    const int batch = o.batches[i];
    const double one = step(1, batch), all = step(o.seeds, batch);
    std::printf("%s, batch %d, %d loops: %.3f ms for one seed, %.3f ms for %d\n",
                o.shape.name.c_str(),
                batch,
                o.loops,
                one * 1e3,
                all * 1e3,
                o.seeds);
    runs.add(names[i], o.seeds * one / all);
    if (i == 0) {
      runs.add("pack.step_1", one * 1e3);
      runs.add("pack.step_64", all * 1e3);
    }
  }
}

}  // namespace sv::gpu

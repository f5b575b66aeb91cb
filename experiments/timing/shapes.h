// The model shapes that are timed, by `subvocal bench`, by bench/ and by the peers (bench/peers):
// width d, layers L, tokens T.
#pragma once
#include <memory>
#include <string>
#include <vector>

#include "data/tasks.h"
#include "models/zoo.h"

namespace sv::bench {

struct Shape {
  std::string name;
  int width, layers, tokens, batch, hidden, heads;
};

inline constexpr int kLoops = 8;        // of the benches and the peers
inline constexpr int kIterations = 64;  // of a run through the loop: encoding is lost in it

/// R1 to R3 are the reference shapes of the design; P1 to P3 those at which PyTorch was measured
/// first.
inline const std::vector<Shape>& shapes() {
  static const std::vector<Shape> all = {{"R1", 64, 2, 16, 64, 168, 4},
                                         {"R2", 128, 2, 64, 32, 344, 4},
                                         {"R3", 256, 2, 128, 8, 680, 8},
                                         {"P1", 64, 1, 32, 64, 168, 4},
                                         {"P2", 128, 2, 64, 32, 344, 4},
                                         {"P3", 256, 2, 64, 32, 680, 8}};
  return all;
}

/// FLOP of one iteration of one token: attention 4 d^2, gated MLP 3 d F, scores and mixing 2 T d
/// multiply-adds a layer.
inline double flops(const Shape& s) {
  const double d = s.width;
  return 2.0 * s.layers * (4 * d * d + 3 * d * s.hidden + 2.0 * s.tokens * d);
}

/// Bytes of one iteration of a batch when weights, state and input are read once and the state is
/// written once: the least traffic, had the rest stayed in caches.
inline double iteration_bytes(const Shape& s, int batch) {
  const double d = s.width;
  return 4.0 * (s.layers * (4 * d * d + 3 * d * s.hidden) + 3.0 * batch * s.tokens * d);
}

inline std::shared_ptr<const Task> task_of(const Shape& s) {
  TaskOptions options;
  options.size = options.ood_size = s.tokens;
  return make_task("prefix_parity", options);
}

inline std::unique_ptr<Reasoner> model_of(const Shape& s, int seeds, Device* device = nullptr) {
  ModelSettings m;
  m.width = s.width;
  m.layers = s.layers;
  m.heads = s.heads;
  m.hidden = s.hidden;
  m.positions = "rope";
  m.mask = "bidirectional";
  std::vector<uint64_t> list;
  for (int i = 0; i < seeds; ++i) {
    list.push_back(static_cast<uint64_t>(i));
  }
  return make_reasoner({m, task_of(s)->spec(), list, DType::f32, device});
}

}  // namespace sv::bench

// Schedule: the orders in which a launch on the executor runs blocks, warps and lanes. A kernel
// without races has the same bits under every one.
#pragma once
#include <cstdint>
#include <string>
#include <vector>

namespace sv::simt {

struct Schedule {
  enum class Order { forward, reversed, random };
  Order order = Order::forward;
  uint64_t seed = 0;         // of a random order; the message of a failed comparison prints it
  bool late_copies = false;  // asynchronous copies land at the matching wait, not at once
  bool find_races = true;    // report accesses to shared memory without a barrier between

  std::string text() const {
    const char* copies = late_copies ? ", late copies" : ", copies at once";
    switch (order) {
      case Order::forward:
        return std::string("forward") + copies;
      case Order::reversed:
        return std::string("reversed") + copies;
      case Order::random:
        return "random, seed " + std::to_string(seed) + copies;
    }
    return "?";
  }
};

/// Forward first, then reversed and `random` random orders, with both models of asynchronous
/// copies.
inline std::vector<Schedule> schedules(int random, uint64_t first_seed = 1) {
  std::vector<Schedule> list = {{Schedule::Order::forward, 0, false},
                                {Schedule::Order::forward, 0, true},
                                {Schedule::Order::reversed, 0, false},
                                {Schedule::Order::reversed, 0, true}};
  for (int i = 0; i < random; ++i) {
    list.push_back({Schedule::Order::random, first_seed + static_cast<uint64_t>(i), i % 2 == 1});
  }
  return list;
}

/// The keyed choices of one block.
class Choices {
 public:
  Choices(const Schedule& s, uint64_t key) : order_(s.order), state_(mix(s.seed ^ mix(key))) {}
  /// One of the set bits of a non-empty mask.
  int pick(uint32_t mask) {
    switch (order_) {
      case Schedule::Order::forward:
        return __builtin_ctz(mask);
      case Schedule::Order::reversed:
        return 31 - __builtin_clz(mask);
      case Schedule::Order::random:
        break;
    }
    state_ += 0x9E3779B97F4A7C15ull;
    for (auto skip = mix(state_) % static_cast<uint64_t>(__builtin_popcount(mask)); skip > 0;
         --skip) {
      mask &= mask - 1;
    }
    return __builtin_ctz(mask);
  }

  /// The finaliser of SplitMix64 (Steele, Lea & Flood, 2014).
  static uint64_t mix(uint64_t x) {
    x = (x ^ (x >> 30)) * 0xBF58476D1CE4E5B9ull;
    x = (x ^ (x >> 27)) * 0x94D049BB133111EBull;
    return x ^ (x >> 31);
  }

 private:
  Schedule::Order order_;
  uint64_t state_;
};

}  // namespace sv::simt

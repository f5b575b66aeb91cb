// Operations in which a whole warp takes part: what each lane brings, and what it gets back.
#pragma once
#include <cstdint>
#include <cstring>
#include <string>

namespace sv::simt {

class SharedMemory;

enum class WarpOp : uint8_t {
  barrier,
  shfl_xor,
  shfl_down,
  shfl,
  ballot,
  any,
  all,
  mma_bf16_16816,
  mma_tf32_1688,
  ldmatrix_x2,
  ldmatrix_x2_trans,
  ldmatrix_x4,
  ldmatrix_x4_trans,
};
const char* warp_op_name(WarpOp op);

/// A lane's place in an op. Words are 32 bits, of whatever type.
struct WarpLane {
  WarpOp op = WarpOp::barrier;
  int parameter = 0;  // shuffles: mask, distance or source lane; ldmatrix: byte offset of the row
  int words = 0;      // shuffles: 1 or 2
  uint32_t in[10];    // mma: a, b, d
  uint32_t out[4];
};

/// Performs the op on 32 lanes, threads from `first` on, that all brought it. Returns an objection
/// ("lane 3 ..."), or nothing.
std::string perform(WarpLane* const (&lanes)[32], SharedMemory& shared, int first);

}  // namespace sv::simt

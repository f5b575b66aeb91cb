#include "kernels/simt/warp_op.h"

#include <bit>
#include <cmath>

#include "core/check.h"
#include "kernels/simt/shared_memory.h"

namespace sv::simt {

namespace {

using Lanes = WarpLane* const (&)[32];

std::string shuffle(Lanes lanes, WarpOp op) {
  for (int i = 0; i < 32; ++i) {
    const int p = lanes[i]->parameter;
    if (p < 0 || p > 31) {
      return detail::concat("lane ", i, " names ", op == WarpOp::shfl ? "lane " : "distance ", p);
    }
    if (lanes[i]->words != lanes[0]->words) {
      return detail::concat("lane ", i, " brings a value of another size than lane 0");
    }
    int from = op == WarpOp::shfl_xor ? i ^ p : op == WarpOp::shfl_down ? i + p : p;
    from = from > 31 ? i : from;  // past the end of the warp a lane keeps its own
    std::memcpy(lanes[i]->out, lanes[from]->in, static_cast<size_t>(lanes[i]->words) * 4);
  }
  return {};
}

void vote(Lanes lanes, WarpOp op) {
  uint32_t ballot = 0;
  for (int i = 0; i < 32; ++i) {
    ballot |= (lanes[i]->in[0] ? 1u : 0u) << i;
  }
  for (WarpLane* lane : lanes) {
    lane->out[0] = op == WarpOp::ballot ? ballot : op == WarpOp::any ? ballot != 0 : ~ballot == 0;
  }
}

float as_float(uint32_t bits) {
  return std::bit_cast<float>(bits);
}
float bf16_half(uint32_t word, int half) {
  return as_float(half ? word & 0xffff0000u : word << 16);
}

/// d (16x8) += a (16xK) b (Kx8): one rounding of a sum in double per element. Tensor cores round in
/// their own, unpublished way; a comparison with a GPU needs a tolerance.
template <int K>
void product(Lanes lanes, const float (&a)[16][K], const float (&b)[K][8]) {
  double sum[16][8];
  for (int i = 0; i < 32; ++i) {
    for (int k = 0; k < 4; ++k) {
      sum[i / 4 + k / 2 * 8][i % 4 * 2 + k % 2] =
          static_cast<double>(as_float(lanes[i]->in[6 + k]));
    }
  }
  for (int row = 0; row < 16; ++row) {
    for (int j = 0; j < K; ++j) {
      for (int column = 0; column < 8; ++column) {
        sum[row][column] += static_cast<double>(a[row][j]) * static_cast<double>(b[j][column]);
      }
    }
  }
  for (int i = 0; i < 32; ++i) {
    for (int k = 0; k < 4; ++k) {
      lanes[i]->out[k] =
          std::bit_cast<uint32_t>(static_cast<float>(sum[i / 4 + k / 2 * 8][i % 4 * 2 + k % 2]));
    }
  }
}

void mma_bf16(Lanes lanes) {
  float a[16][16], b[16][8];
  for (int i = 0; i < 32; ++i) {
    const int group = i / 4, pair = i % 4 * 2;
    for (int half = 0; half < 2; ++half) {
      for (int r = 0; r < 4; ++r) {
        a[group + r % 2 * 8][pair + half + r / 2 * 8] = bf16_half(lanes[i]->in[r], half);
      }
      for (int r = 0; r < 2; ++r) {
        b[pair + half + r * 8][group] = bf16_half(lanes[i]->in[4 + r], half);
      }
    }
  }
  product(lanes, a, b);
}

std::string mma_tf32(Lanes lanes) {
  float a[16][8], b[8][8];
  for (int i = 0; i < 32; ++i) {
    for (int r = 0; r < 6; ++r) {
      if ((lanes[i]->in[r] & 0x1fffu) != 0 && !std::isnan(as_float(lanes[i]->in[r]))) {
        return detail::concat("lane ",
                              i,
                              " brings ",
                              as_float(lanes[i]->in[r]),
                              ", which was not rounded by to_tf32");
      }
    }
    const int group = i / 4, in_group = i % 4;
    for (int r = 0; r < 4; ++r) {
      a[group + r % 2 * 8][in_group + r / 2 * 4] = as_float(lanes[i]->in[r]);
    }
    for (int r = 0; r < 2; ++r) {
      b[in_group + r * 4][group] = as_float(lanes[i]->in[4 + r]);
    }
  }
  product(lanes, a, b);
  return {};
}

std::string ldmatrix(
    Lanes lanes, int matrices, bool transposed, SharedMemory& shared, int first_thread) {
  for (int m = 0; m < matrices; ++m) {
    uint16_t matrix[8][8];
    for (int row = 0; row < 8; ++row) {
      const int offset = lanes[m * 8 + row]->parameter;
      const std::string why =
          offset % 16 != 0
              ? detail::concat("has its row at byte ", offset, ", not a multiple of 16")
              : shared.access_by(first_thread + m * 8 + row, offset, 16, Access::read);
      if (!why.empty()) {
        return detail::concat("lane ", m * 8 + row, " ", why);
      }
      std::memcpy(matrix[row], shared.at(offset), 16);
    }
    for (int i = 0; i < 32; ++i) {
      const int first = i % 4 * 2, other = i / 4;
      const uint16_t low = transposed ? matrix[first][other] : matrix[other][first];
      const uint16_t high = transposed ? matrix[first + 1][other] : matrix[other][first + 1];
      lanes[i]->out[m] = static_cast<uint32_t>(low) | static_cast<uint32_t>(high) << 16;
    }
  }
  return {};
}

}  // namespace

const char* warp_op_name(WarpOp op) {
  static constexpr const char* kNames[] = {"warp_barrier",
                                           "shfl_xor",
                                           "shfl_down",
                                           "shfl",
                                           "ballot",
                                           "any",
                                           "all",
                                           "mma_bf16_16816",
                                           "mma_tf32_1688",
                                           "ldmatrix_x2",
                                           "ldmatrix_x2_trans",
                                           "ldmatrix_x4",
                                           "ldmatrix_x4_trans"};
  return kNames[static_cast<int>(op)];
}

std::string perform(Lanes lanes, SharedMemory& shared, int first) {
  const WarpOp op = lanes[0]->op;
  switch (op) {
    case WarpOp::barrier:
      return {};
    case WarpOp::shfl_xor:
    case WarpOp::shfl_down:
    case WarpOp::shfl:
      return shuffle(lanes, op);
    case WarpOp::ballot:
    case WarpOp::any:
    case WarpOp::all:
      vote(lanes, op);
      return {};
    case WarpOp::mma_bf16_16816:
      mma_bf16(lanes);
      return {};
    case WarpOp::mma_tf32_1688:
      return mma_tf32(lanes);
    case WarpOp::ldmatrix_x2:
    case WarpOp::ldmatrix_x2_trans:
      return ldmatrix(lanes, 2, op == WarpOp::ldmatrix_x2_trans, shared, first);
    case WarpOp::ldmatrix_x4:
    case WarpOp::ldmatrix_x4_trans:
      return ldmatrix(lanes, 4, op == WarpOp::ldmatrix_x4_trans, shared, first);
  }
  return {};
}

}  // namespace sv::simt

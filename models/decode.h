// Decoding: a causal model writes on, position by position. Keys and values of earlier positions
// are kept (kv_cache.h), so a new position costs one position's work at every loop; the loop is
// unroll's.
#pragma once
#include <memory>
#include <vector>

#include "models/kv_cache.h"
#include "models/unroll.h"

namespace sv {

/// The logits of positions as they come. Every model of the pack makes the depth that its seed
/// draws for evaluation, the same for all positions.
class Decoder {
 public:
  /// At most `positions` positions, those of the task the model was made for. Throws if the model
  /// cannot be decoded: only causal ones without a prefix can (Reasoner::decodes).
  Decoder(Reasoner& model,
          int64_t positions,
          const Depth& depth,
          const CachePolicy& policy,
          int threads = 1);

  /// Computes the next `count` positions. tokens i32 (1|M,B,count), ids i32 (1|M,B), the same rows
  /// at every call. Returns the logits after each model's last loop, (M,B,count,V), which live
  /// until the next call.
  Tensor next(const Tensor& tokens, const Tensor& ids);

  Reasoner& model() const { return model_; }
  const KvCache& cache() const { return cache_; }

 private:
  Reasoner& model_;
  KvCache cache_;
  Workspace memory_;
  PackedWeights packed_;
  Plan plan_;
  int threads_;
};

/// Rows to go on from: prompt b is the first length[b] >= 1 of its `positions` tokens.
struct Prompts {
  int positions = 0;
  std::vector<int32_t> tokens;  // (B, positions); what stands behind a prompt is not read
  std::vector<int32_t> length;  // (B)
  std::vector<int32_t> ids;     // (B), see Inputs::ids
};

struct Sampling {
  double temperature = 0;  // 0: the likeliest symbol; else drawn from softmax(logits / temperature)
  int end = -1;            // a row that writes this symbol is done; -1: none
};

struct Continuation {
  std::vector<int32_t> tokens;  // (M, B, positions): prompt and what was written; 0 behind the end
  std::vector<int32_t> length;  // (M, B) with the end symbol
};

/// Writes every row on until its end symbol or the last position. Answer v is written as symbol v.
/// Draws are keyed by (model seed, row id, position). The prompt's first positions, as many as the
/// shortest prompt has, run together; further ones of longer prompts one by one with what others
/// write.
Continuation generate(Decoder& decoder, const Prompts& prompts, const Sampling& sampling);

}  // namespace sv

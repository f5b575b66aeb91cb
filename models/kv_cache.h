// KvCache: keys and values of positions that have been decoded, addressed by (loop, layer), so that
// a causal model computes every position once. What later loops do with the entries of earlier ones
// is the sharing policy.
#pragma once
#include <map>
#include <string>

#include "models/taps.h"

namespace sv {

/// Which loops share an entry. `per_loop` is exact: decoding gives the logits of the run over the
/// whole sequence. The others are the approximations of the literature, with flat memory in the
/// number of loops: a position sees keys and values that an earlier position made at another loop.
/// The positions of the prompt, which run together, see each other's own at every loop whatever the
/// policy ("prefill needs all", Ouro, arXiv 2510.25741); it says what they leave behind.
struct CachePolicy {
  enum class Kind : uint8_t {
    per_loop,  // an entry for every loop: memory grows with the depth
    last,      // one entry, that of the last loop (Ouro)
    first,     // one entry, that of the first loop; later loops read it and write nothing, also for
               // the position itself (MoR, arXiv 2507.10524; Ouro)
    modulo,    // loops r, r + n, r + 2n, ... share one (Huginn, arXiv 2502.05171)
    anchor,    // the first n loops have their own, later ones share one (Huginn: 8)
  };
  Kind kind = Kind::per_loop;
  int n = 0;  // of modulo and anchor

  /// "per_loop" · "last" · "first" · "modulo:4" · "anchor:8". Throws with the forms on anything
  /// else.
  static CachePolicy parse(const std::string& text);
  std::string text() const;
  /// Entry that loop r (from 1) reads.
  int slot(int r) const;
  /// Loop r writes its keys and values.
  bool writes(int r) const { return kind != Kind::first || r == 1; }
  /// Entries that `loops` loops need.
  int slots(int loops) const;
};

/// Of one pack that decodes B rows together; in host memory. Blocks of the encoder and of the
/// readout have one entry each, those of the loop one for each slot of the policy.
class KvCache {
 public:
  /// At most `positions` positions are decoded.
  KvCache(const CachePolicy& policy, int64_t positions) : policy_(policy), positions_(positions) {}

  /// The positions that a run computes: `count` of them from the first that has not been decoded.
  void open(int64_t count);
  /// They have been decoded.
  void close() { begin_ += count_; }
  int64_t begin() const { return begin_; }
  int64_t count() const { return count_; }
  /// The most that can be decoded.
  int64_t positions() const { return positions_; }

  /// Takes keys and values (M,B,count,G*K) of the open positions from a block and returns those
  /// that the positions see (M,B,begin+count,G*K), in the memory of the context.
  std::pair<Tensor, Tensor> exchange(
      const Context& ctx, Phase phase, int block, int r, const Tensor& k, const Tensor& v);

  /// Entries of one block of the loop so far.
  int slots() const;
  size_t bytes() const;

 private:
  struct Entry {
    Buffer k, v;  // (M, B, positions, G*K)
  };
  struct Key {
    Phase phase;
    int block;
    int slot;
    auto operator<=>(const Key&) const = default;
  };
  Tensor seen(const Context& ctx, const Buffer& from) const;

  CachePolicy policy_;
  int64_t positions_;
  int64_t begin_ = 0;
  int64_t count_ = 0;
  std::map<Key, Entry> entries_;
};

}  // namespace sv

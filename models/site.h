// Sites: the named places of a run, and which entries of a site's tensor are meant.
#pragma once
#include <algorithm>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "kernels/memory/tensor.h"
#include "models/schedule.h"

namespace sv {

enum class Point : uint8_t {
  encoded,
  state_in,
  injected,
  resid_in,
  q,
  k,
  v,
  attn_pattern,
  attn_out,
  mlp_hidden,
  mlp_out,
  resid_out,
  state_out,
  readout_norm,
  logits,
  halt,
};
std::string_view point_name(Point);

enum class Phase : uint8_t { encode, loop, readout };

/// One place of a run. `block` -1: outside the blocks. `r` 0 in the encoder. `part` -1 where no
/// part is named.
struct Site {
  Phase phase = Phase::loop;
  Point point = Point::state_out;
  int block = -1;
  int r = 0;
  int part = -1;
  bool operator==(const Site&) const = default;
};
/// Whether a run visits the site at update r: sites of a part where it is written, those of blocks
/// and injection where Schedule::block_part is.
bool visited(const Site&, const Schedule&, int r);
/// "loop.3.block.0.resid_out"
std::string site_name(const Site&, const Schedule&);

/// Which entries of the site's tensor: empty lists mean all. The tensor is (M, B, T, ...), for
/// attn_pattern (M, B, H, T, S), for halt (M, B) or (M, B, T).
struct Select {
  std::vector<int> models;     // m
  std::vector<int> items;      // b
  std::vector<int> positions;  // t (the query position of attn_pattern)
};

/// A site's tensor as (M, B, heads, positions, width): a row of `width` is the least that is
/// selected. Heads are those of attn_pattern, a site without positions has one.
struct SiteLayout {
  int64_t models, batch, heads, positions, width;
  bool has_positions;
  int64_t rows() const { return batch * heads * positions; }  // of one model
};
SiteLayout site_layout(const Shape& shape);

/// Calls f(offset, count) for every contiguous run of selected elements of a site tensor.
template <class F>
void for_each_selected(const Tensor& x, const Select& select, std::span<const int> models, F&& f) {
  const SiteLayout l = site_layout(x.shape);
  const auto wanted = [](const std::vector<int>& list, int64_t i) {
    return list.empty() || std::find(list.begin(), list.end(), static_cast<int>(i)) != list.end();
  };
  for (int64_t m = 0; m < l.models; ++m) {
    const bool live = models.empty() ||
                      std::find(models.begin(), models.end(), static_cast<int>(m)) != models.end();
    for (int64_t b = 0; live && wanted(select.models, m) && b < l.batch; ++b) {
      for (int64_t h = 0; wanted(select.items, b) && h < l.heads; ++h) {
        const int64_t start = ((m * l.batch + b) * l.heads + h) * l.positions;
        if (select.positions.empty() || !l.has_positions) {
          f(start * l.width, l.positions * l.width);
          continue;
        }
        for (const int t : select.positions) {
          f((start + t) * l.width, l.width);
        }
      }
    }
  }
}

}  // namespace sv

// The table of layouts.
#include <algorithm>
#include <array>

#include "core/nearest.h"
#include "models/layouts/layout.h"

namespace sv {

std::span<const Layout> layouts() {
  static const std::array kLayouts = {
      eqr_layout(),
      hrm_layout(),
      huginn_layout(),
      ouro_layout(),
      rsm_layout(),
      trm_layout(),
      urm_layout(),
  };
  return kLayouts;
}

const Layout& find_layout(std::string_view name) {
  std::vector<std::string> known;
  for (const Layout& layout : layouts()) {
    if (layout.name == name) {
      return layout;
    }
    known.emplace_back(layout.name);
  }
  fail("no layout '", name, "'", did_you_mean(name, known));
}

}  // namespace sv

// Addresses of taps: their text form (taps.h) cut into components, and which sites and updates they
// mean.
#pragma once
#include <string>

#include "models/site.h"

namespace sv {

/// A pattern cut into its components; "3..5" keeps its dots.
struct Address {
  std::string phase;
  std::string update;  // empty in the encoder
  std::string block;   // empty outside blocks
  std::string point;
  std::string part;  // empty: not asked for
};
/// A text that is no address throws, and says what one looks like.
Address parse_address(const std::string& pattern);

/// The r component ("3", "3..5", "1,4,9", "*", "round=1,inner=*") against update r; `pattern` is
/// for messages.
bool update_matches(const std::string& text,
                    int r,
                    const Schedule& schedule,
                    const std::string& pattern);
/// All other components against a site of the model.
bool site_matches(const Address& a,
                  const Site& site,
                  const Schedule& schedule,
                  const std::string& pattern);

}  // namespace sv

// The nearest valid name for a mistyped one, so that every "unknown name" error can suggest a
// repair.
#pragma once
#include <span>
#include <string>
#include <string_view>

namespace sv {

/// Number of single insertions, deletions, replacements and transpositions of neighbours that turn
/// a into b (Damerau-Levenshtein in its "optimal string alignment" form). Time |a| |b|.
int edit_distance(std::string_view a, std::string_view b);

/// The name in `known` nearest to `name`; empty if nothing is near (more than a third of the name
/// would change). A bare last component finds its dotted key: "lr" gives "train.lr". Ties go to the
/// earlier name in `known` that shares the first character, so the answer does not depend on
/// anything but the arguments.
std::string nearest_name(std::string_view name, std::span<const std::string> known);

/// ", did you mean 'x'?" or the empty string: the usual end of an "unknown name" message.
std::string did_you_mean(std::string_view name, std::span<const std::string> known);

}  // namespace sv

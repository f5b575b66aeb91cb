#include "models/tap_address.h"

#include <array>
#include <charconv>

#include "core/check.h"
#include "core/nearest.h"

namespace sv {

namespace {

constexpr std::array<std::string_view, 3> kPhaseNames = {"encode", "loop", "readout"};
constexpr std::array<std::string_view, 16> kPointNames = {"encoded",
                                                          "state_in",
                                                          "injected",
                                                          "resid_in",
                                                          "q",
                                                          "k",
                                                          "v",
                                                          "attn_pattern",
                                                          "attn_out",
                                                          "mlp_hidden",
                                                          "mlp_out",
                                                          "resid_out",
                                                          "state_out",
                                                          "readout_norm",
                                                          "logits",
                                                          "halt"};

std::vector<std::string> split(std::string_view text, char at) {
  std::vector<std::string> out;
  for (size_t begin = 0; begin <= text.size();) {
    const size_t end = std::min(text.find(at, begin), text.size());
    out.emplace_back(text.substr(begin, end - begin));
    begin = end + 1;
  }
  return out;
}

bool parse_int(std::string_view text, int& value) {
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), value);
  return error == std::errc() && end == text.data() + text.size();
}

/// "*", "4", "3..5" against one number; an unreadable piece throws.
bool number_matches(const std::string& piece, int value, const std::string& pattern) {
  if (piece == "*") {
    return true;
  }
  int low = 0;
  int high = 0;
  if (const size_t dots = piece.find(".."); dots != std::string::npos) {
    SV_CHECK(parse_int(piece.substr(0, dots), low) && parse_int(piece.substr(dots + 2), high),
             "range '",
             piece,
             "' in tap '",
             pattern,
             "'");
  } else {
    SV_CHECK(parse_int(piece, low),
             "'",
             piece,
             "' in tap '",
             pattern,
             "' is neither a number, a range 3..5 nor *");
    high = low;
  }
  return low <= value && value <= high;
}

}  // namespace

std::string_view point_name(Point p) {
  return kPointNames[static_cast<size_t>(p)];
}

bool visited(const Site& site, const Schedule& schedule, int r) {
  if (site.phase != Phase::loop || site.point == Point::halt) {
    return true;
  }
  const int part = site.part >= 0 ? site.part : schedule.block_part;
  return part < 0 || schedule.writes_part(r, part);
}

std::string site_name(const Site& site, const Schedule& schedule) {
  std::string out(kPhaseNames[static_cast<size_t>(site.phase)]);
  if (site.phase != Phase::encode) {
    out += "." + (site.r > 0 ? std::to_string(site.r) : std::string("*"));
  }
  if (site.block >= 0) {
    out += ".block." + std::to_string(site.block);
  }
  out += "." + std::string(point_name(site.point));
  if (site.part >= 0) {
    out += ":" + schedule.parts[static_cast<size_t>(site.part)];
  }
  return out;
}

Address parse_address(const std::string& pattern) {
  std::string text = pattern;
  for (size_t p = text.find(".."); p != std::string::npos; p = text.find("..")) {
    text.replace(p, 2, "\1\1");  // protect ranges from the split at '.'
  }
  std::vector<std::string> pieces = split(text, '.');
  for (std::string& piece : pieces) {
    std::replace(piece.begin(), piece.end(), '\1', '.');
  }
  Address a;
  size_t i = 0;
  const auto next = [&]() -> std::string {
    if (i == pieces.size()) {
      fail("tap '",
           pattern,
           "' is not an address; use encode.encoded, loop.3.block.0.resid_out, loop.*.state_out:h "
           "or readout.4.logits");
    }
    return pieces[i++];
  };
  a.phase = next();
  if (a.phase != "encode") {
    a.update = next();
  }
  a.point = next();
  if (a.point == "block") {
    a.block = next();
    a.point = next();
  }
  if (const size_t colon = a.point.find(':'); colon != std::string::npos) {
    a.part = a.point.substr(colon + 1);
    a.point.resize(colon);
  }
  if (i != pieces.size()) {
    fail("tap '",
         pattern,
         "': nothing may stand behind '",
         a.point,
         "' unless it is 'block'",
         did_you_mean(a.point, std::array<std::string, 1>{"block"}));
  }
  return a;
}

bool update_matches(const std::string& text,
                    int r,
                    const Schedule& schedule,
                    const std::string& pattern) {
  bool any = false;
  bool nested = false;
  for (const std::string& piece : split(text, ',')) {
    const size_t equals = piece.find('=');
    if (equals == std::string::npos) {
      any = any || number_matches(piece, r, pattern);
      continue;
    }
    nested = true;
    const std::string name = piece.substr(0, equals);
    const auto it = std::find(schedule.index.begin(), schedule.index.end(), name);
    if (it == schedule.index.end()) {
      fail("tap '",
           pattern,
           "': the schedule has no index '",
           name,
           "'; nearest is '",
           nearest_name(name, schedule.index),
           "'");
    }
    const auto i = static_cast<size_t>(it - schedule.index.begin());
    if (!number_matches(piece.substr(equals + 1), schedule.index_of(r, i), pattern)) {
      return false;
    }
  }
  return nested || any;
}

bool site_matches(const Address& a,
                  const Site& site,
                  const Schedule& schedule,
                  const std::string& pattern) {
  return a.phase == kPhaseNames[static_cast<size_t>(site.phase)] &&
         (a.point == "*" || a.point == point_name(site.point)) &&
         (a.block.empty() ? site.block < 0
                          : site.block >= 0 && number_matches(a.block, site.block, pattern)) &&
         (a.part.empty() || a.part == "*" ||
          (site.part >= 0 && a.part == schedule.parts[static_cast<size_t>(site.part)]));
}

}  // namespace sv

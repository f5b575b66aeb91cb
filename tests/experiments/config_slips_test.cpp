// Every known key with every single typing slip: the error names the place and nearly always the
// right key.
#include <gtest/gtest.h>

#include <set>

#include "core/check.h"
#include "core/nearest.h"
#include "experiments/config.h"
#include "experiments/demo_settings.h"

namespace sv {
namespace {

constexpr std::string_view kLetters = "abcdefghijklmnopqrstuvwxyz_.";

/// All texts one insertion, deletion, replacement or transposition away from `key`, keys themselves
/// left out.
std::set<std::string> slips_of(const std::string& key, const std::vector<std::string>& keys) {
  std::set<std::string> slips;
  for (size_t i = 0; i <= key.size(); ++i) {
    for (const char c : kLetters) {
      slips.insert(key.substr(0, i) + c + key.substr(i));
      if (i < key.size()) {
        slips.insert(key.substr(0, i) + c + key.substr(i + 1));
      }
    }
    if (i < key.size()) {
      slips.insert(key.substr(0, i) + key.substr(i + 1));
    }
    if (i + 1 < key.size()) {
      std::string swapped = key;
      std::swap(swapped[i], swapped[i + 1]);
      slips.insert(swapped);
    }
  }
  for (const std::string& known : keys) {
    slips.erase(known);
  }
  return slips;
}

TEST(ConfigSlips, NearestKeyIsRightForNinetyFivePercentOfAllSlips) {
  DemoSettings settings;
  const std::vector<std::string> keys = keys_of(fields_of(settings));
  int right = 0, all = 0;
  for (const std::string& key : keys) {
    for (const std::string& slip : slips_of(key, keys)) {
      ++all;
      right += nearest_name(slip, keys) == key ? 1 : 0;
    }
  }
  RecordProperty("slips", all);
  RecordProperty("right", right);
  EXPECT_GT(all, 10000);
  EXPECT_GE(right, 0.95 * all) << right << " of " << all;
}

TEST(ConfigSlips, EverySlipInAFileIsReportedWithItsPlaceAndKey) {
  DemoSettings settings;
  const std::vector<Field> fields = fields_of(settings);
  for (const Field& field : fields) {
    std::string slip = field.key;
    std::swap(slip[slip.size() - 1], slip[slip.size() - 2]);
    ConfigReader reader(fields_of(settings));
    reader.read_text("# a comment\n\n  " + slip + " = " + value_text(field) + "\n", "run.toml");
    try {
      reader.finish();
      ADD_FAILURE() << slip << " was taken";
    } catch (const Error& e) {
      // The column is that of the wrong part: in `model.widht` the one after the dot.
      const size_t column = 3 + slip.rfind('.') + 1;  // npos + 1 = 0
      EXPECT_EQ(std::string(e.what()),
                "1 problem in the settings:\n  run.toml:3:" + std::to_string(column) +
                    ": unknown key '" + slip + "', did you mean '" + field.key + "'?");
    }
  }
}

TEST(ConfigSlips, EverySlipInAnOverrideIsReportedWithItsKey) {
  DemoSettings settings;
  for (const Field& field : fields_of(settings)) {
    const std::string slip = field.key + "x";
    DemoSettings into;
    try {
      load_settings(into, {.overrides = {slip + "=1"}});
      ADD_FAILURE() << slip << " was taken";
    } catch (const Error& e) {
      EXPECT_EQ(e.exit, Exit::input);
      const std::string text = e.what();
      EXPECT_NE(text.find("override '" + slip + "=1'"), std::string::npos) << text;
      EXPECT_NE(text.find("did you mean '" + field.key + "'?"), std::string::npos) << text;
    }
  }
}

}  // namespace
}  // namespace sv

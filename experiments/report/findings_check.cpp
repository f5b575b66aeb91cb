// Checks a findings document against the contract of README.md before it reaches a figure.
#include "experiments/report/findings_check.h"

#include <nlohmann/json.hpp>

#include "experiments/report/json_place.h"

namespace sv::report {
namespace {

using nlohmann::json;

constexpr int kSchema = 1;

/// Length of an array of numbers that must be there and must not be empty.
Dim required_axis(const Place& parent, const std::string& name) {
  const Place at = required(parent, name);
  const size_t n = expect_array(at, kAnyLength, "");
  if (n == 0) {
    at.bad("is empty");
  }
  expect_grid(at, {{n, name}}, expect_number);
  return {n, at.path};
}

/// `seeds` of this part, or those of the document.
Dim seeds_of(const Place& part, const Dim& fallback) {
  return optional(part, "seeds") ? required_axis(part, "seeds") : fallback;
}

/// `positions`: a count, or one label per position.
Dim required_positions(const Place& parent) {
  const Place at = required(parent, "positions");
  if (at.value->is_number_integer() && *at.value > 0) {
    return {at.value->get<size_t>(), at.path};
  }
  if (!at.value->is_array() || at.value->empty()) {
    at.wrong_type("a positive whole number or an array of labels");
  }
  expect_grid(at, {{at.value->size(), ""}}, expect_label);
  return {at.value->size(), at.path};
}

void check_intervals(const Place& part, const std::string& name, const Dim& depths) {
  expect_numbers(part, name, {depths, {2, "an interval [low, high]"}});
}

void check_task(const Place& task) {
  expect_object(task);
  optional_text(task, "name");
  optional_number(task, "train_size");
  optional_number(task, "test_size");
  if (const auto notes = optional(task, "notes")) {
    expect_grid(*notes, {{kAnyLength, ""}}, expect_text);
  }
}

void check_depth(const Place& part, const Dim& all_seeds) {
  const Dim depths = required_axis(part, "depths");
  optional_text(part, "interval_method");
  for_each(part, "groups", [&](const Place& group) {
    expect_text(required(group, "name"));
    const Dim seeds = seeds_of(group, all_seeds);
    for (const std::string what : {"accuracy", "exact", "residual"}) {
      expect_numbers(group, what, {seeds, depths});
      check_intervals(group, what + "_interval", depths);
      expect_numbers(
          group, what + "_item_interval", {seeds, depths, {2, "an interval [low, high]"}});
    }
    optional_number(group, "items");
  });
  for_each(part, "by_difficulty", [&](const Place& level) {
    expect_label(required(level, "difficulty"));
    const Dim own = optional(level, "depths") ? required_axis(level, "depths") : depths;
    const Dim seeds = seeds_of(level, {kAnyLength, ""});
    required(level, "accuracy");
    expect_numbers(level, "accuracy", {seeds, own});
    check_intervals(level, "interval", own);
    optional_number(level, "items");
    optional_text(level, "group");
    optional_text(level, "unit");
  });
}

/// [rows, columns], both positive whole numbers.
size_t rows_times_columns(const Place& at) {
  expect_array(at, 2, "[rows, columns]");
  size_t product = 1;
  for (size_t i = 0; i < 2; ++i) {
    const json& count = *at.item(i).value;
    if (!count.is_number_integer() || count < 1 || count > 4096) {
      at.item(i).bad("must be a whole number from 1 to 4096, it is " + count.dump());
    }
    product *= count.get<size_t>();
  }
  return product;
}

void check_lens(const Place& part) {
  const Dim depths = required_axis(part, "depths");
  const Dim positions = required_positions(part);
  if (const auto grid = optional(part, "grid");
      grid && rows_times_columns(*grid) != positions.length) {
    grid->bad("does not cover the positions: rows times columns must be " +
              std::to_string(positions.length));
  }
  if (const auto box = optional(part, "box")) {
    rows_times_columns(*box);
  }
  for_each(part, "examples", [&](const Place& example) {
    expect_label(required(example, "id"));
    optional_number(example, "seed");
    optional_text(example, "note");
    expect_grid(required(example, "tokens"), {positions}, expect_label);
    if (const auto targets = optional(example, "targets")) {
      expect_grid(*targets, {positions}, expect_label);
    }
    expect_grid(required(example, "readout"), {depths, positions}, expect_label);
    expect_numbers(example, "prob", {depths, positions});
    expect_numbers(example, "correct", {depths, positions});
  });
}

void check_probe(const Place& entry, const Dim& all_seeds) {
  expect_text(required(entry, "truth"));
  optional_text(entry, "site");
  if (const auto step = optional(entry, "step")) {
    expect_label(*step);
  }
  const Dim depths = required_axis(entry, "depths");
  const Dim seeds = seeds_of(entry, all_seeds);
  required(entry, "accuracy");
  for (const char* name : {"accuracy", "control_shuffled", "selectivity"}) {
    expect_numbers(entry, name, {seeds, depths});
  }
  expect_numbers(
      entry, "control_untrained", {{kAnyLength, ""}, depths});  // may have seeds of its own
  check_intervals(entry, "interval", depths);
  for (const char* name : {"majority", "items", "train_items"}) {
    optional_number(entry, name);
  }
  if (const auto map = optional(entry, "by_position")) {
    const Dim positions = required_positions(*map);
    required(*map, "accuracy");
    expect_numbers(*map, "accuracy", {depths, positions});
    expect_numbers(*map, "selectivity", {depths, positions});
  }
}

void check_patch(const Place& entry, const Dim& all_seeds) {
  expect_text(required(entry, "mode"));
  optional_text(entry, "site");
  optional_text(entry, "metric");
  const Dim depths = required_axis(entry, "depths");
  const Dim positions = required_positions(entry);
  required(entry, "effect");
  expect_numbers(entry, "effect", {depths, positions});
  expect_numbers(entry, "by_seed", {seeds_of(entry, all_seeds), depths, positions});
  expect_numbers(entry, "interval", {depths, positions, {2, "an interval [low, high]"}});
  for_each(entry, "controls", [&](const Place& control) {
    expect_text(required(control, "name"));
    required(control, "effect");
    expect_numbers(control, "effect", {depths, positions});
  });
  optional_number(entry, "items");
}

void check_dynamics(const Place& part, const Dim& all_seeds) {
  expect_object(part);
  for_each(part, "trajectory", [&](const Place& path) {
    expect_label(required(path, "id"));
    optional_text(path, "label");
    optional_number(path, "seed");
    const Place points = required(path, "pc");
    expect_grid(points, {{kAnyLength, ""}, {2, "a point [x, y]"}}, expect_number);
    if (points.value->empty()) {
      points.bad("is empty");
    }
    expect_numbers(path, "depths", {{points.value->size(), points.path}});
    expect_numbers(path, "explained", {{kAnyLength, ""}});
  });
  if (const auto residual = optional(part, "residual")) {
    const Dim depths = required_axis(*residual, "depths");
    for_each(*residual, "groups", [&](const Place& group) {
      expect_text(required(group, "name"));
      required(group, "residual");
      expect_numbers(group, "residual", {seeds_of(group, all_seeds), depths});
      check_intervals(group, "residual_interval", depths);
      optional_number(group, "items");
    });
  }
  if (const auto halting = optional(part, "halting")) {
    const Dim depths = required_axis(*halting, "depths");
    required(*halting, "count");
    expect_numbers(*halting, "count", {seeds_of(*halting, all_seeds), depths});
    optional_text(*halting, "rule");
  }
}

void check_table(const Place& table) {
  expect_text(required(table, "title"));
  optional_text(table, "note");
  const Place columns = required(table, "columns");
  expect_grid(columns, {{kAnyLength, ""}}, expect_label);
  required(table, "rows");
  expect_grid(
      table.key("rows"), {{kAnyLength, ""}, {columns.value->size(), columns.path}}, expect_label);
}

void optional_flag(const Place& parent, const char* name) {
  if (const auto flag = optional(parent, name); flag && !flag->value->is_boolean()) {
    flag->wrong_type("true or false");
  }
}

void check_head(const Place& root) {
  for (const char* name : {"title", "spec_digest"}) {
    optional_text(root, name);
  }
  optional_flag(root, "exploratory");
  if (const auto task = optional(root, "task")) {
    check_task(*task);
  }
  if (const auto depth = optional(root, "train_depth")) {
    optional_text(*depth, "law");
    optional_number(*depth, "min");
    optional_number(*depth, "max");
  }
  for_each(root, "groups", [](const Place& group) {
    expect_text(required(group, "name"));
    expect_numbers(group, "seeds", {{kAnyLength, ""}});
    optional_flag(group, "control");
  });
  for_each(root, "summary", [](const Place& line) {
    expect_text(required(line, "text"));
    optional_text(line, "unit");
    expect_numbers(line, "interval", {{2, "an interval [low, high]"}});
  });
  for_each(root, "timing", [](const Place& phase) {
    expect_text(required(phase, "name"));
    expect_number(required(phase, "seconds"));
  });
}

}  // namespace

void check_findings(const json& findings, const std::string& file) {
  const Place root{&findings, &file, ""};
  const Place schema = required(root, "schema");
  if (!schema.value->is_number_integer() || *schema.value != kSchema) {
    schema.bad("is " + schema.value->dump() + "; this program reads schema " +
               std::to_string(kSchema));
  }
  check_head(root);
  const Dim seeds = seeds_of(root, {kAnyLength, ""});
  if (const auto depth = optional(root, "depth")) {
    check_depth(*depth, seeds);
  }
  if (const auto lens = optional(root, "lens")) {
    check_lens(*lens);
  }
  for_each(root, "probe", [&](const Place& entry) { check_probe(entry, seeds); });
  for_each(root, "patch", [&](const Place& entry) { check_patch(entry, seeds); });
  if (const auto dynamics = optional(root, "dynamics")) {
    check_dynamics(*dynamics, seeds);
  }
  for_each(root, "tables", check_table);
}

}  // namespace sv::report

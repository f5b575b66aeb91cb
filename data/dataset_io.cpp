// Data sets to HDF5 and back: one flat array per part, rows in the order of the examples.
#include "data/dataset_io.h"

#include <algorithm>

#include "core/check.h"
#include "core/digest.h"

namespace sv {
namespace {

constexpr const char* kSchema = "subvocal.dataset";
constexpr int64_t kSchemaVersion = 1;
constexpr std::string_view kTruthPrefix = "truth_";
constexpr std::string_view kSplits[] = {"train", "test", "ood"};

// The (per-example) parts of all examples, one after the other; `part` gives a vector of `width`.
template <class Part>
std::vector<int32_t> flatten(const Dataset& data,
                             int64_t width,
                             const std::string& what,
                             Part&& part) {
  std::vector<int32_t> flat;
  flat.reserve(static_cast<size_t>(data.size() * width));
  for (int64_t i = 0; i < data.size(); ++i) {
    const std::vector<int32_t>& values = part(data[i]);
    SV_CHECK_EQ(static_cast<int64_t>(values.size()), width, what, " of example ", i);
    flat.insert(flat.end(), values.begin(), values.end());
  }
  return flat;
}

void write_scalars(H5Writer& w, const Dataset& data) {
  std::vector<int32_t> lengths;
  std::vector<int32_t> difficulty;
  std::vector<std::string> canonical;
  for (int64_t i = 0; i < data.size(); ++i) {
    lengths.push_back(data[i].length);
    difficulty.push_back(data[i].difficulty);
    canonical.push_back(sha256_hex(data[i].canonical));
  }
  const std::vector<int64_t> rows = {data.size()};
  w.dataset<int32_t>("length", {"example"}, lengths, rows, {.long_name = "positions in use"});
  w.dataset<int32_t>("difficulty",
                     {"example"},
                     difficulty,
                     rows,
                     {.long_name = "difficulty: " + data.task().spec().difficulty});
  w.labels(
      "canonical", {"example"}, canonical, rows, {.long_name = "SHA-256 of the canonical form"});
}

// The optional (example, position) arrays.
void write_by_position(H5Writer& w, const Dataset& data) {
  const auto write = [&](const char* name, const char* meaning, auto Example::*part) {
    if ((data[0].*part).empty()) {
      return;
    }
    const int64_t positions = data.task().spec().positions;
    const auto values = flatten(
        data, positions, name, [&](const Example& e) -> const auto& { return e.*part; });
    w.dataset<int32_t>(
        name, {"example", "position"}, values, {data.size(), positions}, {.long_name = meaning});
  };
  write("position_difficulty",
        "difficulty of each position; -1 = none",
        &Example::position_difficulty);
  write("roles",
        "of a written solution: 0 question, k step k, the largest answer, -1 behind the length",
        &Example::roles);
}

void write_truths(H5Writer& w, const Dataset& data) {
  const TaskSpec& spec = data.task().spec();
  const bool kept = !data[0].truths.empty();  // a training set may have dropped them
  for (size_t k = 0; kept && k < spec.truths.size(); ++k) {
    const TruthSpec& truth = spec.truths[k];
    const std::string name = std::string(kTruthPrefix) + truth.name;
    const auto values = flatten(
        data, int64_t{truth.steps} * spec.positions, name, [&](const Example& e) -> const auto& {
          SV_CHECK_EQ(e.truths.size(), spec.truths.size(), "truths of an example of ", spec.name);
          return e.truths[k];
        });
    w.dataset<int32_t>(name,
                       {"example", "truth_step_" + std::to_string(truth.steps), "position"},
                       values,
                       {data.size(), truth.steps, spec.positions},
                       {.long_name = truth.help,
                        .more = {{"classes", int64_t{truth.classes}},
                                 {"group", truth.group},
                                 {"order", static_cast<int64_t>(k)}}});
  }
}

std::string text_attribute(const H5Attributes& attributes,
                           const std::string& key,
                           const std::string& what) {
  const auto at = attributes.find(key);
  if (at == attributes.end() || !std::holds_alternative<std::string>(at->second)) {
    fail(what, ": the attribute '", key, "' is missing or no string");
  }
  return std::get<std::string>(at->second);
}

int int_attribute(const H5Attributes& attributes, const std::string& key, const std::string& what) {
  const auto at = attributes.find(key);
  const auto* value = at == attributes.end() ? nullptr : std::get_if<int64_t>(&at->second);
  if (!value || *value < 0 || *value > INT32_MAX) {
    fail(what, ": the attribute '", key, "' is missing or no small integer");
  }
  return static_cast<int>(*value);
}

void expect_sizes(const H5Reader& r,
                  const std::string& name,
                  const std::vector<int64_t>& sizes,
                  const std::string& path) {
  if (r.sizes(name) != sizes) {
    fail(path, ": '", name, "' does not have the shape that 'tokens' and 'targets' ask for");
  }
}

// Row i of a flat (examples, width) array.
std::vector<int32_t> row(const std::vector<int32_t>& flat, size_t i, int64_t width) {
  const auto begin = flat.begin() + static_cast<std::ptrdiff_t>(i) * width;
  return {begin, begin + width};
}

void read_truths(const H5Reader& r, const std::string& path, StoredDataset& out) {
  const auto rows = static_cast<int64_t>(out.examples.size());
  std::vector<std::pair<int, std::string>> order;
  for (const std::string& name : r.list()) {
    if (name.starts_with(kTruthPrefix) && r.sizes(name).size() == 3) {
      order.emplace_back(int_attribute(r.attributes(name), "order", path + ": '" + name + "'"),
                         name);
    }
  }
  std::ranges::sort(order);
  for (const auto& [place, name] : order) {
    const std::string what = path + ": '" + name + "'";
    const H5Attributes attributes = r.attributes(name);
    const int64_t steps = r.sizes(name)[1];
    expect_sizes(r, name, {rows, steps, out.positions}, path);
    out.truths.push_back({name.substr(kTruthPrefix.size()),
                          text_attribute(attributes, "long_name", what),
                          int_attribute(attributes, "classes", what),
                          static_cast<int>(steps),
                          text_attribute(attributes, "group", what)});
    const auto values = r.read<int32_t>(name);
    for (size_t i = 0; i < out.examples.size(); ++i) {
      out.examples[i].truths.push_back(row(values, i, steps * out.positions));
    }
  }
}

void read_examples(const H5Reader& r, const std::string& path, StoredDataset& out) {
  const std::vector<int64_t> shape = r.sizes("targets");
  if (shape.size() != 3 || r.sizes("tokens") != std::vector{shape[0], shape[2]}) {
    fail(path, ": 'tokens' and 'targets' do not belong together");
  }
  out.positions = static_cast<int>(shape[2]);
  out.target_steps = static_cast<int>(shape[1]);
  for (const char* name : {"length", "difficulty", "canonical"}) {
    expect_sizes(r, name, {shape[0]}, path);
  }
  const auto tokens = r.read<int32_t>("tokens");
  const auto targets = r.read<int32_t>("targets");
  const auto lengths = r.read<int32_t>("length");
  const auto difficulty = r.read<int32_t>("difficulty");
  const auto by_position = [&](const char* name) {
    if (!r.has(name)) {
      return std::vector<int32_t>{};
    }
    expect_sizes(r, name, {shape[0], shape[2]}, path);
    return r.read<int32_t>(name);
  };
  const auto graded = by_position("position_difficulty"), roles = by_position("roles");
  out.canonical_digests = r.read_labels("canonical");
  out.examples.resize(static_cast<size_t>(shape[0]));
  for (size_t i = 0; i < out.examples.size(); ++i) {
    Example& e = out.examples[i];
    e.tokens = row(tokens, i, shape[2]);
    e.targets = row(targets, i, shape[1] * shape[2]);
    e.length = lengths[i];
    if (e.length < 0 || e.length > out.positions) {
      fail(path,
           ": the length of example ",
           i,
           " is ",
           e.length,
           " of ",
           out.positions,
           " positions");
    }
    e.difficulty = difficulty[i];
    if (!graded.empty()) {
      e.position_difficulty = row(graded, i, shape[2]);
    }
    if (!roles.empty()) {
      e.roles = row(roles, i, shape[2]);
    }
  }
}

}  // namespace

Published write_dataset(const std::string& path,
                        const Dataset& data,
                        const DatasetOrigin& origin,
                        Files& files) {
  SV_CHECK(data.size() > 0, "an empty data set cannot be written to '", path, "'");
  const TaskSpec& spec = data.task().spec();
  const std::string digest = data.digest();
  H5Writer w({kSchema,
              kSchemaVersion,
              sha256_hex(spec.name + '\n' + origin.options),
              {{"task", spec.name},
               {"options", origin.options},
               {"split", std::string(kSplits[static_cast<int>(origin.split)])},
               {"seed", std::to_string(origin.seed)},  // text: 64 unsigned bits
               {"count", data.size()},
               {"digest", digest},
               {"vocab", int64_t{spec.vocab}},
               {"answers", int64_t{spec.answers}}}});
  const auto tokens = flatten(
      data, spec.positions, "tokens", [](const Example& e) -> const auto& { return e.tokens; });
  w.dataset<int32_t>("tokens",
                     {"example", "position"},
                     tokens,
                     {data.size(), spec.positions},
                     {.long_name = "input symbols; 0 behind the length"});
  const auto targets = flatten(
      data, int64_t{spec.target_steps} * spec.positions, "targets", [
      ](const Example& e) -> const auto& { return e.targets; });
  w.dataset<int32_t>("targets",
                     {"example", "target_step", "position"},
                     targets,
                     {data.size(), spec.target_steps, spec.positions},
                     {.long_name = "right answers; -1 = not scored"});
  write_scalars(w, data);
  write_by_position(w, data);
  write_truths(w, data);
  return w.publish(path, files);
}

StoredDataset read_dataset(const std::string& path, const H5Trust& trust, Files& files) {
  const H5Reader r(path, trust, {}, files);
  if (r.root_string("schema") != kSchema || r.root_int("schema_version") != kSchemaVersion) {
    fail(path,
         ": the schema is ",
         r.root_string("schema"),
         " version ",
         r.root_int("schema_version"),
         ", expected ",
         kSchema,
         " version ",
         kSchemaVersion);
  }
  StoredDataset out;
  out.task = r.root_string("task");
  out.digest = r.root_string("digest");
  out.origin.options = r.root_string("options");
  const auto split = std::ranges::find(kSplits, r.root_string("split"));
  const std::string seed = r.root_string("seed");
  if (split == std::end(kSplits) || seed.empty() || seed.size() > 20 ||
      seed.find_first_not_of("0123456789") != std::string::npos) {
    fail(path, ": 'split' or 'seed' is not one that this program writes");
  }
  out.origin.split = static_cast<Split>(split - std::begin(kSplits));
  out.origin.seed = std::stoull(seed);
  read_examples(r, path, out);
  read_truths(r, path, out);
  return out;
}

}  // namespace sv

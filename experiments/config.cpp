#include "experiments/config.h"

#include <toml++/toml.h>

#include <algorithm>
#include <filesystem>
#include <sstream>

#include "core/check.h"
#include "core/nearest.h"
#include "data/io/files.h"
#include "experiments/toml_scan.h"

namespace sv {

namespace fs = std::filesystem;

namespace {
constexpr size_t kShown = 80;   // characters of a name in a message
constexpr size_t kListed = 50;  // a wrong file can have thousands of problems; nobody reads on
}  // namespace

/// One parsed document walked into the fields of a reader.
class TomlWalk {
 public:
  TomlWalk(ConfigReader& reader, std::string source)
      : reader_(reader), source_(std::move(source)) {}

  /// The whole document; its problems end up in the order of the text.
  void document(const toml::table& root) {
    const size_t first = reader_.problems_.size();
    if (count_keys(root) > kMaxConfigKeys) {
      add(root.source(), detail::concat("more than ", kMaxConfigKeys, " keys in one file"));
    } else {
      table(root, "", 1);
    }
    reader_.sort_by_place(first);
  }

  static std::string nesting_message() {
    return detail::concat("nested deeper than ", kMaxConfigNesting, " levels");
  }

 private:
  void table(const toml::table& table, const std::string& prefix, int depth) {
    if (depth > kMaxConfigNesting) {
      add(table.source(), nesting_message());
      return;
    }
    for (const auto& [key, node] : table) {
      entry(prefix + std::string(key.str()), key.source(), node, depth);
    }
  }

  void entry(const std::string& key,
             const toml::source_region& at,
             const toml::node& node,
             int depth) {
    if (const Field* field = find_field(reader_.fields_, key)) {
      reader_.set_at_[key] = place(node.source());
      if (const auto wrong = assign(*field, node)) {
        add(node.source(), key + " " + *wrong);
      }
      return;
    }
    const bool group = std::ranges::any_of(
        reader_.keys_, [&](const std::string& known) { return known.starts_with(key + "."); });
    if (const toml::table* inner = node.as_table(); inner && (group || !inner->empty())) {
      table(*inner, key + ".", depth + 1);
    } else if (group) {
      add(at, detail::concat("'", key, "' is a group of keys, not a value"));
    } else {
      add(at, detail::concat("unknown key '", key.substr(0, kShown), "'"));
      reader_.problems_.back().unknown_key = key;
    }
  }

  /// Keys of all tables that are reached by name; stops early above the limit.
  static int count_keys(const toml::table& table) {
    int count = 0;
    for (const auto& [key, node] : table) {
      count += 1 + (node.is_table() && count <= kMaxConfigKeys ? count_keys(*node.as_table()) : 0);
    }
    return count;
  }

  static std::optional<Scalar> scalar(const toml::node& node) {
    if (const auto* v = node.as_boolean()) {
      return v->get();
    }
    if (const auto* v = node.as_integer()) {
      return v->get();
    }
    if (const auto* v = node.as_floating_point()) {
      return v->get();
    }
    if (const auto* v = node.as_string()) {
      return v->get();
    }
    return std::nullopt;
  }

  static std::optional<std::string> assign(const Field& field, const toml::node& node) {
    if (const auto value = scalar(node)) {
      return assign_scalar(field, *value);
    }
    if (const toml::array* array = node.as_array()) {
      std::vector<Scalar> values;
      for (const toml::node& item : *array) {
        const auto value = scalar(item);
        if (!value) {
          return detail::concat(
              "expects ", type_text(field), ", got ", type_of(item), " in its list");
        }
        values.push_back(*value);
      }
      return assign_list(field, values);
    }
    return detail::concat("expects ", type_text(field), ", got ", type_of(node));
  }

  static std::string type_of(const toml::node& node) {
    return node.is_table() ? "a table" : node.is_array() ? "a list" : "a date or time";
  }

  std::string place(const toml::source_region& region) const {
    return detail::concat(source_, ":", region.begin.line, ":", region.begin.column);
  }

  void add(const toml::source_region& at, std::string message) {
    reader_.add(place(at), std::move(message));
    reader_.problems_.back().line = at.begin.line;
    reader_.problems_.back().column = at.begin.column;
  }

  ConfigReader& reader_;
  std::string source_;
};

namespace {

/// The document, or nothing if it does not parse; `problem` then says where and why.
struct Parsed {
  std::optional<toml::table> table;
  std::string place, message;
};

Parsed parse_toml(std::string_view text, const std::string& name) {
  if (text.size() > static_cast<size_t>(kMaxConfigBytes)) {
    return {
        {},
        name,
        detail::concat("has ", text.size(), " bytes, at most ", kMaxConfigBytes, " are allowed")};
  }
  if (toml_nesting(text) > kMaxConfigNesting) {
    return {{}, name, TomlWalk::nesting_message()};
  }
  try {
    return {toml::parse(text, name), {}, {}};
  } catch (const toml::parse_error& e) {
    return {{},
            detail::concat(name, ":", e.source().begin.line, ":", e.source().begin.column),
            std::string(e.description())};
  }
}

struct Document {
  std::string path;  // as the user would write it
  toml::table table;
};

/// The file and what it extends, the base first. Throws with place and reason.
class Chain {
 public:
  explicit Chain(const std::string& path)
      : root_(fs::weakly_canonical(fs::absolute(path)).parent_path()) {
    add(path);
    std::ranges::reverse(documents_);
  }
  std::vector<Document>& documents() { return documents_; }

 private:
  void add(const std::string& path) {
    const fs::path canonical = fs::weakly_canonical(fs::absolute(path));
    if (std::ranges::find(seen_, canonical) != seen_.end()) {
      fail(path, ": extends itself through ", documents_.back().path);
    }
    seen_.push_back(canonical);
    if (static_cast<int>(seen_.size()) > kMaxExtends + 1) {
      fail(path, ": more than ", kMaxExtends, " files extend each other");
    }
    const std::vector<std::byte> bytes = read_file(path, kMaxConfigBytes);
    Parsed parsed = parse_toml(as_text(bytes), path);
    if (!parsed.table) {
      fail(parsed.place, ": ", parsed.message);
    }
    documents_.push_back({path, std::move(*parsed.table)});
    follow(documents_.size() - 1);
  }

  void follow(size_t index) {
    toml::table& table = documents_[index].table;
    const toml::node* node = table.get("extends");
    if (!node) {
      return;
    }
    const std::string at = detail::concat(documents_[index].path,
                                          ":",
                                          node->source().begin.line,
                                          ":",
                                          node->source().begin.column,
                                          ": extends ");
    const auto* text = node->as_string();
    if (!text || text->get().empty()) {
      fail(at, "expects the name of a file");
    }
    const std::string name = text->get();
    const fs::path base = fs::path(documents_[index].path).parent_path() / name;
    const fs::path inside = fs::weakly_canonical(fs::absolute(base)).lexically_relative(root_);
    if (fs::path(name).is_absolute() || inside.empty() || *inside.begin() == "..") {
      fail(at, "'", name, "', which is outside the folder of the first file");
    }
    table.erase("extends");
    add(base.string());
  }

  fs::path root_;
  std::vector<fs::path> seen_;
  std::vector<Document> documents_;
};

}  // namespace

ConfigReader::ConfigReader(std::vector<Field> fields)
    : fields_(std::move(fields)), keys_(keys_of(fields_)) {}

void ConfigReader::add(std::string place, std::string message) {
  problems_.push_back({.place = std::move(place), .message = std::move(message)});
}

void ConfigReader::sort_by_place(size_t first) {
  std::ranges::stable_sort(problems_.begin() + static_cast<std::ptrdiff_t>(first),
                           problems_.end(),
                           [](const Entry& a, const Entry& b) {
                             return std::pair(a.line, a.column) < std::pair(b.line, b.column);
                           });
}

void ConfigReader::read_file(const std::string& path) {
  try {
    Chain chain(path);
    for (Document& document : chain.documents()) {
      TomlWalk(*this, document.path).document(document.table);
    }
  } catch (const Error& e) {
    // A file that cannot be read is one problem among others; a failing disk is not.
    if (e.exit != Exit::input) {
      throw;
    }
    add("", e.what());
  } catch (const fs::filesystem_error& e) {
    add(path, e.code().message());
  }
}

void ConfigReader::read_text(std::string_view toml, const std::string& name) {
  const Parsed parsed = parse_toml(toml, name);
  if (!parsed.table) {
    add(parsed.place, parsed.message);
    return;
  }
  TomlWalk(*this, name).document(*parsed.table);
}

void ConfigReader::read_override(std::string_view text) {
  const std::string place =
      detail::concat("override '", text.substr(0, kShown), text.size() > kShown ? "..." : "", "'");
  const size_t equals = text.find('=');
  if (equals == std::string_view::npos || equals == 0) {
    add(place, "an override has the form key=value");
    return;
  }
  const std::string key(text.substr(0, equals));
  const Field* field = find_field(fields_, key);
  if (!field) {
    add(place, detail::concat("unknown key '", key.substr(0, kShown), "'"));
    problems_.back().unknown_key = key;
    return;
  }
  if (!overridden_.emplace(key, true).second) {
    add(place, detail::concat("'", key, "' is given twice"));
    return;
  }
  set_at_[key] = place;
  if (const auto wrong = assign_text(*field, text.substr(equals + 1))) {
    add(place, key + " " + *wrong);
  }
}

void ConfigReader::add_problem(const Problem& problem) {
  const auto at = set_at_.find(problem.key);
  add(at == set_at_.end() ? "default" : at->second, problem.key + " " + problem.message);
}

void ConfigReader::finish() const {
  if (problems_.empty()) {
    return;
  }
  std::ostringstream out;
  out << problems_.size() << (problems_.size() == 1 ? " problem" : " problems")
      << " in the settings:";
  for (size_t i = 0; i < std::min(problems_.size(), kListed); ++i) {
    const Entry& e = problems_[i];
    out << "\n  " << e.place << (e.place.empty() ? "" : ": ") << e.message
        << did_you_mean(e.unknown_key, keys_);
  }
  if (problems_.size() > kListed) {
    out << "\n  and " << problems_.size() - kListed << " more";
  }
  throw Error(out.str(), Exit::input);
}

}  // namespace sv

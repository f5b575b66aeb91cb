// The order of system calls that makes a save atomic, and the manifest that makes damage visible.
#include "data/io/publish.h"

#include <algorithm>
#include <cerrno>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <optional>
#include <set>

#include "core/check.h"
#include "core/digest.h"
#include "data/io/json.h"

namespace sv {
namespace {

using nlohmann::json;

constexpr std::string_view kPartial = ".partial";
constexpr size_t kMaxManifestBytes = size_t{16} << 20;

std::string partial_name(const std::string& name) {
  return '.' + name + std::string(kPartial);
}

void check_plain_name(const std::string& name, const std::string& where) {
  const bool plain = !name.empty() && name.size() <= 200 && name[0] != '.' &&
                     std::all_of(name.begin(), name.end(), [](unsigned char c) {
                       return c > 0x20 && c != 0x7f && c != '/' && c != '\\';
                     });
  if (!plain) {
    fail(where, ": '", name.substr(0, 80), "' is not a plain file name");
  }
}

bool is_hex(std::string_view text, size_t size) {
  return text.size() == size &&
         text.find_first_not_of("0123456789abcdef") == std::string_view::npos;
}

// Writes to the temporary file while hashing the whole and the current section.
class PublishSink final : public ByteSink {
 public:
  PublishSink(Files& files, const std::string& path, Published& entry)
      : out_(files, path), entry_(entry) {}

  void write(std::span<const std::byte> bytes) override {
    out_.write(bytes);
    whole_.update(bytes);
    if (part_) {
      part_->update(bytes);
      entry_.sections.back().bytes += static_cast<int64_t>(bytes.size());
    }
  }
  void section(const std::string& name) override {
    SV_CHECK(part_ || out_.written() == 0, "the first section must start with the file");
    end_section();
    entry_.sections.push_back({name, 0, {}});
    part_.emplace();
  }
  void finish() {
    end_section();
    out_.sync_and_close();
    entry_.bytes = out_.written();
    entry_.sha256 = whole_.hex();
  }

 private:
  void end_section() {
    if (part_) {
      entry_.sections.back().digest = part_->hex().substr(0, 16);
    }
  }
  OutFile out_;
  Published& entry_;
  Sha256 whole_;
  std::optional<Sha256> part_;
};

// Removes temporary files unless they were renamed; what cannot be removed is left to
// remove_leftovers.
class Partials {
 public:
  Partials(Files& files, std::string folder) : files_(files), folder_(std::move(folder)) {}
  ~Partials() {
    for (const std::string& name : names_) {
      files_.remove(join_path(folder_, partial_name(name)));
    }
  }
  Partials(const Partials&) = delete;
  Partials& operator=(const Partials&) = delete;

  Published write(const NewFile& file) {
    names_.push_back(file.name);
    Published entry{file.name, 0, {}, {}, {}};
    PublishSink sink(files_, join_path(folder_, partial_name(file.name)), entry);
    file.write(sink);
    sink.finish();
    return entry;
  }
  void rename_all() {
    while (!names_.empty()) {
      rename_file(join_path(folder_, partial_name(names_.back())),
                  join_path(folder_, names_.back()),
                  files_);
      names_.pop_back();
    }
    sync_folder(folder_, files_);
  }

 private:
  Files& files_;
  std::string folder_;
  std::vector<std::string> names_;
};

void publish_manifest(const std::string& folder, const Manifest& manifest, Files& files) {
  Partials partials(files, folder);
  partials.write({kManifestName, [&](ByteSink& sink) { sink.write(as_bytes(manifest.text())); }});
  partials.rename_all();
}

std::string entry_line(const Published& entry) {
  json line = {{"bytes", entry.bytes}, {"file", entry.name}, {"sha256", entry.sha256}};
  for (const Section& s : entry.sections) {
    line["sections"].push_back(json::array({s.name, s.bytes, s.digest}));
  }
  if (!entry.also.empty()) {
    line["also"] = entry.also;
  }
  return dump_json(line, -1);
}

Published parse_entry(const json& line, const std::string& source) {
  Published entry{json_string(line, "file", source),
                  json_int(line, "bytes", source),
                  json_string(line, "sha256", source),
                  {},
                  {}};
  check_plain_name(entry.name, source);
  if (!is_hex(entry.sha256, 64) || entry.bytes < 0) {
    fail(source, ": the entry of '", entry.name, "' has no valid size and SHA-256");
  }
  for (const json& s : line.value("sections", json::array())) {
    if (!s.is_array() || s.size() != 3 || !s[0].is_string() || !s[1].is_number_unsigned() ||
        !s[2].is_string()) {
      fail(source, ": the entry of '", entry.name, "' has a malformed section");
    }
    entry.sections.push_back(
        {s[0].get<std::string>(), s[1].get<int64_t>(), s[2].get<std::string>()});
  }
  for (const json& digest : line.value("also", json::array())) {
    if (!digest.is_string() || !is_hex(digest.get<std::string>(), 64)) {
      fail(source, ": the entry of '", entry.name, "' has a malformed digest");
    }
    entry.also.push_back(digest.get<std::string>());
  }
  return entry;
}

}  // namespace

std::string Manifest::text() const {
  std::string text = dump_json({{"subvocal_manifest", 1}}, -1);
  for (const Published& entry : entries_) {
    text += entry_line(entry);
  }
  return text +
         dump_json({{"entries", entries_.size()}, {"sha256", sha256_hex(as_bytes(text))}}, -1);
}

Manifest Manifest::parse(std::string_view text, const std::string& source) {
  // The last line covers all before it; comparing with the canonical form covers the last line
  // itself.
  const size_t last = text.size() < 2 ? std::string_view::npos : text.rfind('\n', text.size() - 2);
  if (last == std::string_view::npos || text.back() != '\n') {
    fail(source, ": the manifest is cut short");
  }
  const JsonLimits limits{kMaxManifestBytes, 4, 200'000, 4096};
  const json seal = parse_json(text.substr(last + 1), source, limits);
  if (json_string(seal, "sha256", source) != sha256_hex(as_bytes(text.substr(0, last + 1)))) {
    fail(source, ": the manifest is damaged: its lines do not have the SHA-256 of its last line");
  }
  const json head = parse_json(text.substr(0, text.find('\n')), source, limits);
  if (json_int(head, "subvocal_manifest", source) != 1) {
    fail(source,
         ": manifest version ",
         json_int(head, "subvocal_manifest", source),
         "; this program knows version 1");
  }
  Manifest manifest;
  for (size_t begin = text.find('\n') + 1; begin <= last;) {
    const size_t end = text.find('\n', begin);
    manifest.put(parse_entry(parse_json(text.substr(begin, end - begin), source, limits), source));
    begin = end + 1;
  }
  if (manifest.text() != text) {
    fail(source, ": the manifest is damaged: it is not in the form it was written in");
  }
  return manifest;
}

Manifest Manifest::load(const std::string& folder, Files& files) {
  const std::string path = join_path(folder, kManifestName);
  if (!file_exists(path, files)) {
    return {};
  }
  return parse(as_text(read_file(path, kMaxManifestBytes, files)), path);
}

const Published* Manifest::find(const std::string& name) const {
  const auto at = std::ranges::find(entries_, name, &Published::name);
  return at == entries_.end() ? nullptr : &*at;
}

void Manifest::put(Published entry) {
  drop(entry.name);
  entries_.insert(std::ranges::upper_bound(entries_, entry.name, {}, &Published::name),
                  std::move(entry));
}

void Manifest::drop(const std::string& name) {
  std::erase_if(entries_, [&](const Published& e) { return e.name == name; });
}

std::vector<Published> publish(const std::string& folder,
                               const std::vector<NewFile>& new_files,
                               const std::vector<std::string>& retire,
                               Files& files) {
  Manifest manifest = Manifest::load(folder, files);
  std::set<std::string> names;
  for (const NewFile& file : new_files) {
    check_plain_name(file.name, folder);
    SV_CHECK(file.name != kManifestName && names.insert(file.name).second,
             "cannot publish '",
             file.name,
             "' here");
  }
  Partials partials(files, folder);
  std::vector<Published> done;
  for (const NewFile& file : new_files) {
    done.push_back(partials.write(file));
  }
  bool replaces = false;
  for (const Published& entry : done) {
    if (const Published* old = manifest.find(entry.name)) {
      Published both = *old;
      if (both.sha256 != entry.sha256 &&
          std::ranges::find(both.also, entry.sha256) == both.also.end()) {
        both.also.push_back(entry.sha256);
      }
      manifest.put(both);
      replaces = true;
    }
  }
  if (replaces) {  // so that a crash between the rename and the next manifest leaves a readable
                   // file
    publish_manifest(folder, manifest, files);
  }
  partials.rename_all();
  for (const Published& entry : done) {
    manifest.put(entry);
  }
  for (const std::string& name : retire) {
    check_plain_name(name, folder);
    SV_CHECK(!names.contains(name), "'", name, "' cannot be published and retired at once");
    manifest.drop(name);
  }
  publish_manifest(folder, manifest, files);
  for (const std::string& name : retire) {
    remove_file(join_path(folder, name), files);
  }
  if (!retire.empty()) {
    sync_folder(folder, files);
  }
  return done;
}

Published publish_bytes(const std::string& path, std::span<const std::byte> bytes, Files& files) {
  const NewFile file{name_of(path), [&](ByteSink& sink) { sink.write(bytes); }};
  return publish(folder_of(path), {file}, {}, files).front();
}

void verify_published(std::span<const std::byte> bytes,
                      const Published& entry,
                      const std::string& path) {
  const std::string digest = sha256_hex(bytes);
  if (digest == entry.sha256 || std::ranges::find(entry.also, digest) != entry.also.end()) {
    return;
  }
  size_t begin = 0;
  std::string where = entry.sections.empty() ? "" : " after its last section";
  for (const Section& s : entry.sections) {
    const size_t end = begin + static_cast<size_t>(s.bytes);
    if (end > bytes.size() ||
        sha256_hex(bytes.subspan(begin, end - begin)).substr(0, 16) != s.digest) {
      where = detail::concat(" in section '", s.name, "' (bytes ", begin, " to ", end, ")");
      break;
    }
    begin = end;
  }
  const std::string what =
      static_cast<int64_t>(bytes.size()) == entry.bytes
          ? std::string("is damaged")
          : detail::concat("has ", bytes.size(), " bytes instead of ", entry.bytes, " and differs");
  fail("'",
       path,
       "' ",
       what,
       where,
       ": its SHA-256 is ",
       digest,
       ", the manifest says ",
       entry.sha256);
}

std::vector<std::byte> read_published(const std::string& path, Files& files) {
  const Manifest manifest = Manifest::load(folder_of(path), files);
  const Published* entry = manifest.find(name_of(path));
  if (!entry) {
    fail("'",
         path,
         "' is not listed in '",
         join_path(folder_of(path), kManifestName),
         "', so its content cannot be checked");
  }
  auto bytes = read_file(path, kMaxPublishedBytes, files);
  verify_published(bytes, *entry, path);
  return bytes;
}

int remove_leftovers(const std::string& folder, Files& files) {
  std::vector<std::string> found;
  std::error_code error;
  for (const auto& item : std::filesystem::directory_iterator(folder, error)) {
    const std::string name = item.path().filename().string();
    if (name.starts_with('.') && name.ends_with(kPartial)) {
      found.push_back(name);
    }
  }
  if (error) {
    fail_io(files, "list", folder, error.value());
  }
  for (const std::string& name : found) {
    remove_file(join_path(folder, name), files);
  }
  return static_cast<int>(found.size());
}

}  // namespace sv

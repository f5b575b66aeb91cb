#include "models/train/checkpoint.h"

#include <algorithm>
#include <filesystem>

#include "data/io/safetensors.h"
#include "kernels/memory/copy.h"

namespace sv {

namespace {

constexpr const char* kFormat = "subvocal-checkpoint-1";
constexpr const char* kWeightsFormat = "subvocal-weights-1";

Element element_type(DType t) {
  switch (t) {
    case DType::f32:
      return Element::f32;
    case DType::f64:
      return Element::f64;
    case DType::bf16:
      return Element::bf16;
    case DType::i32:
      return Element::i32;
  }
  fail("no file type for ", dtype_name(t));
}

TensorView view_of(const std::string& name, const Tensor& x) {
  return {name,
          element_type(x.dtype),
          x.shape.to_vector(),
          {static_cast<const std::byte*>(x.data), x.bytes()}};
}

/// Tensors as a file takes them: in host memory, copied there from a device.
class FileViews {
 public:
  explicit FileViews(Device* device) : device_(device) {}
  void add(const std::string& name, Tensor x) {
    if (device_) {
      copies_.emplace_back(x.shape, x.dtype);
      read_tensor(device_, copies_.back().tensor().data, x);
      x = copies_.back();
    }
    views_.push_back(view_of(name, x));
  }
  const std::vector<TensorView>& views() const { return views_; }

 private:
  Device* device_;
  std::vector<Buffer> copies_;
  std::vector<TensorView> views_;
};

std::string seeds_text(const Params& params) {
  std::string out;
  for (const uint64_t s : params.seeds()) {
    out += (out.empty() ? "" : ",") + std::to_string(s);
  }
  return out;
}

/// Every tensor of a resumable run by its name in the file.
std::vector<std::pair<std::string, Tensor>> tensors_of(Trainer& trainer) {
  std::vector<std::pair<std::string, Tensor>> out;
  const Params& params = trainer.model().params();
  for (size_t i = 0; i < params.size(); ++i) {
    const Param& p = params[static_cast<ParamId>(i)];
    const Optimiser::Moments& m = trainer.optimiser().moments()[i];
    out.emplace_back("param." + p.name, p.value);
    out.emplace_back("first." + p.name, m.first);
    out.emplace_back("second." + p.name, m.second);
    if (m.average.tensor()) {
      out.emplace_back("average." + p.name, m.average);
    }
  }
  for (const auto& carried : trainer.carried()) {
    out.push_back(carried);
  }
  return out;
}

std::string checkpoint_name(int64_t step) {
  std::string digits = std::to_string(step);
  return "checkpoint-" + std::string(digits.size() < 8 ? 8 - digits.size() : 0, '0') + digits +
         ".safetensors";
}

const std::string& entry(const Metadata& metadata,
                         const std::string& key,
                         const std::string& path) {
  const auto it = metadata.find(key);
  SV_CHECK(it != metadata.end(), path, " has no entry '", key, "'");
  return it->second;
}

int64_t number(const std::string& text, const std::string& path) {
  try {
    size_t used = 0;
    const int64_t value = std::stoll(text, &used);
    if (used == text.size() && value >= 0) {
      return value;
    }
  } catch (const std::exception&) {
  }
  fail(path, " holds '", text, "' where a count must stand");
}

/// Copies the file's tensors into `into`; every name must be there and nothing else. Nothing is
/// copied from a file that does not fit.
void fill(const Safetensors& file,
          const std::vector<std::pair<std::string, Tensor>>& into,
          const std::string& path,
          Device* device) {
  std::vector<const TensorView*> from;
  for (const auto& [name, tensor] : into) {
    from.push_back(&file.at(name, element_type(tensor.dtype), tensor.shape.to_vector()));
  }
  if (file.tensors().size() != into.size()) {
    for (const TensorView& t : file.tensors()) {
      const bool known =
          std::any_of(into.begin(), into.end(), [&](const auto& x) { return x.first == t.name; });
      SV_CHECK(known, path, " holds the tensor '", t.name, "', which this model does not have");
    }
  }
  for (size_t i = 0; i < into.size(); ++i) {
    const Tensor& to = into[i].second;
    const auto read_into = [&](const Tensor& host) {
      from[i]->copy_bytes_to({static_cast<std::byte*>(host.data), host.bytes()});
    };
    if (device) {
      const Buffer copy(to.shape, to.dtype);
      read_into(copy);
      write_tensor(device, to, copy.tensor().data);
    } else {
      read_into(to);
    }
  }
}

void expect_format(const Metadata& metadata, const char* format, const std::string& path) {
  const std::string& found = entry(metadata, "format", path);
  SV_CHECK(found == format, path, " has format '", found, "', this program reads '", format, "'");
}

}  // namespace

void save_checkpoint(const std::string& folder,
                     Trainer& trainer,
                     const CheckpointInfo& info,
                     Files& files) {
  FileViews file(trainer.model().params().device());
  for (const auto& [name, tensor] : tensors_of(trainer)) {
    file.add(name, tensor);
  }
  Metadata metadata = {{"format", kFormat},
                       {"step", std::to_string(info.step)},
                       {"spec_digest", info.spec_digest},
                       {"seeds", seeds_text(trainer.model().params())},
                       {"frozen", std::to_string(info.frozen.size())}};
  for (size_t i = 0; i < info.frozen.size(); ++i) {
    const Frozen& f = info.frozen[i];
    const std::string prefix = "frozen." + std::to_string(i) + ".";
    metadata[prefix + "model"] = std::to_string(f.model);
    metadata[prefix + "step"] = std::to_string(f.step);
    metadata[prefix + "what"] = f.what;
  }
  const std::string name = checkpoint_name(info.step);
  std::vector<std::string> retire;
  const Manifest manifest = Manifest::load(folder, files);
  for (const Published& p : manifest.entries()) {
    if (p.name.starts_with("checkpoint-") && p.name != name) {
      retire.push_back(p.name);
    }
  }
  publish(folder, {safetensors_file(name, file.views(), metadata)}, retire, files);
}

void remove_stale_checkpoints(const std::string& folder, Files& files) {
  remove_leftovers(folder, files);
  const Manifest manifest = Manifest::load(folder, files);
  std::vector<std::string> stale;
  for (const auto& item : std::filesystem::directory_iterator(folder)) {
    const std::string name = item.path().filename().string();
    if (name.starts_with("checkpoint-") && manifest.find(name) == nullptr) {
      stale.push_back(name);
    }
  }
  for (const std::string& name : stale) {
    remove_file(join_path(folder, name), files);
  }
}

std::optional<std::string> newest_checkpoint(const std::string& folder, Files& files) {
  std::optional<std::string> newest;
  const Manifest manifest = Manifest::load(folder, files);
  for (const Published& p : manifest.entries()) {
    if (p.name.starts_with("checkpoint-") && (!newest || p.name > *newest)) {
      newest = p.name;
    }
  }
  return newest ? std::optional(folder + "/" + *newest) : std::nullopt;
}

CheckpointInfo load_checkpoint(const std::string& path,
                               Trainer& trainer,
                               const std::string& spec_digest,
                               Files& files) {
  const Safetensors file = Safetensors::read(path, {}, files);
  const Metadata& metadata = file.metadata();
  expect_format(metadata, kFormat, path);
  const Params& params = trainer.model().params();
  SV_CHECK(entry(metadata, "spec_digest", path) == spec_digest,
           path,
           " was made by settings with digest ",
           entry(metadata, "spec_digest", path),
           ", the present ones have ",
           spec_digest);
  SV_CHECK(entry(metadata, "seeds", path) == seeds_text(params),
           path,
           " holds seeds ",
           entry(metadata, "seeds", path),
           ", not ",
           seeds_text(params));
  CheckpointInfo info;
  info.step = number(entry(metadata, "step", path), path);
  info.spec_digest = spec_digest;
  const int64_t frozen = number(entry(metadata, "frozen", path), path);
  for (int64_t i = 0; i < frozen; ++i) {
    const std::string prefix = "frozen." + std::to_string(i) + ".";
    const int64_t m = number(entry(metadata, prefix + "model", path), path);
    SV_CHECK(m >= 0 && m < params.models(), path, " freezes model ", m, " of ", params.models());
    info.frozen.push_back({static_cast<int>(m),
                           params.seeds()[static_cast<size_t>(m)],
                           number(entry(metadata, prefix + "step", path), path),
                           entry(metadata, prefix + "what", path)});
  }
  fill(file, tensors_of(trainer), path, params.device());
  trainer.restore_frozen(info.frozen);
  return info;
}

void save_weights(const std::string& path,
                  const Params& params,
                  const std::string& spec_digest,
                  Files& files) {
  FileViews file(params.device());
  for (const Param& p : params) {
    file.add(p.name, p.value);
  }
  const std::filesystem::path full(path);
  const std::string folder = full.has_parent_path() ? full.parent_path().string() : ".";
  publish(folder,
          {safetensors_file(full.filename().string(),
                            file.views(),
                            {{"format", kWeightsFormat},
                             {"spec_digest", spec_digest},
                             {"seeds", seeds_text(params)}})},
          {},
          files);
}

void load_weights(const std::string& path, Params& params, Files& files) {
  const Safetensors file = Safetensors::read(path, {}, files);
  expect_format(file.metadata(), kWeightsFormat, path);
  SV_CHECK(entry(file.metadata(), "seeds", path) == seeds_text(params),
           path,
           " holds seeds ",
           entry(file.metadata(), "seeds", path),
           ", not ",
           seeds_text(params));
  std::vector<std::pair<std::string, Tensor>> into;
  for (const Param& p : params) {
    into.emplace_back(p.name, p.value);
  }
  fill(file, into, path, params.device());
}

}  // namespace sv

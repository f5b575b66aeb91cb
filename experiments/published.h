// Checkpoints in the layouts of other projects (models/layouts): from their files to a run folder,
// and from a run to a folder with config.json and model.safetensors.
#pragma once
#include <string>
#include <vector>

#include "experiments/run_folder.h"
#include "experiments/spec.h"
#include "models/layouts/layout.h"

namespace sv {

/// Checkpoints of one architecture, each to be a model of a pack.
struct ImportSource {
  std::string layout;
  std::vector<std::string> paths;      // safetensors files, or folders with model.safetensors
  std::vector<std::string> overrides;  // key=value over what layout, config.json and shapes tell
};

struct Imported {
  Spec spec;
  std::unique_ptr<Reasoner> model;
};

/// Settings are, each over the one before: the family's published form, the layout's, what the
/// shapes tell, config.json beside the file, the overrides. Throws naming the tensor that is
/// missing, too much, of another shape or not finite; files that differ in shape or config.json
/// cannot be a pack.
Imported import_checkpoints(const ImportSource& source);

/// The layout whose names a model can have; nothing fits: throws.
const Layout& layout_of(const ModelSettings& model);

/// Writes the model of this seed of a finished run into `folder`: model.safetensors in the layout's
/// names, config.json with the project's keys and, under "subvocal", the settings that an import
/// needs to make the same model.
void export_checkpoint(const std::string& run_folder,
                       const Layout& layout,
                       int seed,
                       const std::string& folder);

}  // namespace sv

// Checkpoints and weight files. A checkpoint holds all that a bit-identical resume needs:
// parameters, both AdamW moments, the weight average, carried states with their examples, the step,
// the seeds and the frozen models.
// Draws of data, depth and init are keyed by (seed, step), so there is no generator state. Names
// and shapes come from the model built from the spec: a file with one tensor too few, too many or
// of another shape is refused.
#pragma once
#include <optional>
#include <string>
#include <vector>

#include "data/io/files.h"
#include "models/train/trainer.h"

namespace sv {

struct CheckpointInfo {
  int64_t step = 0;         // steps made
  std::string spec_digest;  // of the settings that made it
  std::vector<Frozen> frozen;
};

/// Publishes `folder`/checkpoint-NNNNNNNN.safetensors and removes its predecessor once it is
/// durable.
void save_checkpoint(const std::string& folder,
                     Trainer& trainer,
                     const CheckpointInfo& info,
                     Files& files = real_files());

/// Removes checkpoints that a kill left behind after their successor was published, and temporary
/// files. For the owner of the folder only.
void remove_stale_checkpoints(const std::string& folder, Files& files = real_files());

/// Path of the newest published checkpoint of a folder; nothing if there is none yet.
std::optional<std::string> newest_checkpoint(const std::string& folder,
                                             Files& files = real_files());

/// Loads a checkpoint into the trainer. Throws when the file is damaged (digest), of another spec,
/// of other seeds, or does not hold exactly the tensors of this model.
CheckpointInfo load_checkpoint(const std::string& path,
                               Trainer& trainer,
                               const std::string& spec_digest,
                               Files& files = real_files());

/// Publishes the weights alone, (M, ...) under the parameters' names: what `eval` and other tools
/// read.
void save_weights(const std::string& path,
                  const Params& params,
                  const std::string& spec_digest,
                  Files& files = real_files());
/// Fills the parameters from a weights file with exactly these names, shapes and seeds.
void load_weights(const std::string& path, Params& params, Files& files = real_files());

}  // namespace sv

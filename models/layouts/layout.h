// Layout: the names and shapes under which a project publishes its checkpoints, as data: which
// elements of which of our parameters each of their tensors holds. One file of models/layouts for
// each project and one line in the table. Files and settings of runs are the business of who reads
// and writes them; here are tensors alone.
#pragma once
#include <functional>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "data/io/safetensors.h"
#include "data/task.h"
#include "models/params.h"
#include "models/settings.h"

namespace sv {

/// One of our parameters, or `count` of its elements from `begin` on, within a published tensor:
/// element begin + i stands at offset + i * stride.
struct Piece {
  std::string param;
  int64_t offset = 0;
  int64_t stride = 1;
  int64_t begin = 0;
  int64_t count = -1;  // -1: all
};

struct LayoutTensor {
  std::string name;  // without the prefixes of Layout::prefixes
  std::vector<int64_t> shape;
  std::vector<Piece> pieces;  // together every element once
  /// Another name of values that the model has already, such as those of a tied head: may be
  /// absent, and must be equal where it is there.
  bool repeated = false;
  /// Of a tensor that follows from the settings (a table of angles): its element i. It has no
  /// pieces, may be absent, and must agree within 1e-2 where it is there.
  std::function<double(int64_t)> value = {};
};

/// Names and shapes of a file's tensors, prefixes taken off.
using TensorShapes = std::map<std::string, std::vector<int64_t>>;

/// A key of the project's config.json and the one of ours that it sets.
struct ConfigKey {
  std::string_view theirs;
  std::string_view ours;  // of the whole spec: "model.heads", "depth.train"
};

struct Layout {
  std::string_view name;
  std::string_view summary;
  /// The family and what the project's models have beyond its published form: "model.name=trm
  /// model.states=1".
  std::string_view settings;
  /// What checkpoints prefix their names with; taken off in this order.
  std::span<const std::string_view> prefixes;
  std::span<const ConfigKey> config;
  /// The model has tensors of these names and no others.
  bool (*fits)(const ModelSettings&);
  /// Settings that the shapes tell, as "key=value".
  std::vector<std::string> (*told_by)(const TensorShapes&, const TaskSpec&);
  /// The tensors of a model; `params` has its names and shapes.
  std::vector<LayoutTensor> (*tensors)(const ModelSettings&, const Params& params);
};

Layout eqr_layout();
Layout hrm_layout();
Layout huginn_layout();
Layout ouro_layout();
Layout rsm_layout();
Layout trm_layout();
Layout urm_layout();

/// Sorted by name.
std::span<const Layout> layouts();
/// The layout of that name; an unknown one throws and names the nearest.
const Layout& find_layout(std::string_view name);

/// A checkpoint's tensors by their names without prefixes.
class LayoutFile {
 public:
  /// `file` must outlive this. Two tensors of one name throw.
  LayoutFile(const Safetensors& file, const Layout& layout, const std::string& source);
  const TensorShapes& shapes() const { return shapes_; }
  const std::string& source() const { return source_; }
  /// Throws unless these tensors, with these shapes and no others, are there.
  void expect(std::span<const LayoutTensor> tensors) const;
  /// Values in double, of f64, f32 and bf16 tensors.
  std::vector<double> values(const std::string& name) const;

 private:
  std::map<std::string, const TensorView*> tensors_;
  TensorShapes shapes_;
  std::string source_;
};

/// Fills model m of `params` with a checkpoint; missing, extra or wrongly shaped tensors throw and
/// name the first, and nothing is changed then.
void import_tensors(const LayoutFile& file,
                    std::span<const LayoutTensor> tensors,
                    int m,
                    Params& params);

/// Model m of `params` as a file of the layout, f32. A parameter that has no place in the layout
/// throws.
std::vector<HostTensor> export_tensors(std::span<const LayoutTensor> tensors,
                                       int m,
                                       const Params& params);

/// Helpers that make LayoutTensors from our names; sizes come from the parameters.
class TensorList {
 public:
  explicit TensorList(const Params& params) : params_(params) {}
  /// Parameters one behind the other along the first axis; their shape is that of one of ours if
  /// there is one and `shape` is empty.
  void add(const std::string& theirs,
           const std::vector<std::string>& ours,
           std::vector<int64_t> shape = {});
  /// Parameters as the columns of the last axis.
  void add_columns(const std::string& theirs,
                   const std::vector<std::string>& ours,
                   std::vector<int64_t> shape);
  /// Part `i` of `parts` equal ones of a parameter along its first axis.
  void add_part(const std::string& theirs, const std::string& ours, int i, int parts);
  /// A tensor that follows from the settings.
  void add_computed(const std::string& theirs,
                    std::vector<int64_t> shape,
                    std::function<double(int64_t)> value);
  /// A second name of what is already there.
  void add_repeated(const std::string& theirs, const std::string& ours);
  std::vector<LayoutTensor> take() { return std::move(tensors_); }

 private:
  std::vector<int64_t> shape_of(const std::string& ours) const;
  const Params& params_;
  std::vector<LayoutTensor> tensors_;
};

/// How many l there are such that a tensor begins with prefix + l + ".".
int count_layers(const TensorShapes&, const std::string& prefix);
/// Size of an axis of a tensor that told_by needs; throws where it is missing.
int64_t size_in(const TensorShapes&, const std::string& name, size_t axis);

}  // namespace sv

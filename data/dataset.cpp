// Dataset: examples are generated in parallel by index and kept in index order, so that neither
// threads nor the order of generation can show.
#include "data/dataset.h"

#include <algorithm>
#include <bit>
#include <exception>
#include <unordered_set>
#include <utility>

#include "core/check.h"
#include "core/digest.h"
#include "core/rng.h"

namespace sv {
namespace {

static_assert(std::endian::native == std::endian::little, "digests are of little-endian integers");

/// Examples [begin, end) of the split. The first error, by index, is thrown again.
std::vector<Example> generate(
    const Task& task, Split split, uint64_t seed, int64_t begin, int64_t end) {
  std::vector<Example> examples(static_cast<size_t>(end - begin));
  std::vector<std::exception_ptr> errors(examples.size());
#pragma omp parallel for schedule(dynamic, 16)
  for (int64_t i = begin; i < end; ++i) {
    try {
      examples[static_cast<size_t>(i - begin)] =
          task.example(split, seed, static_cast<uint64_t>(i));
    } catch (...) {
      errors[static_cast<size_t>(i - begin)] = std::current_exception();
    }
  }
  for (const std::exception_ptr& error : errors) {
    if (error) {
      std::rethrow_exception(error);
    }
  }
  return examples;
}

}  // namespace

Dataset::Dataset(
    std::shared_ptr<const Task> task, Split split, uint64_t seed, int64_t count, bool with_truths)
    : task_(std::move(task)) {
  const std::string& name = task_->spec().name;
  const int64_t available = task_->count(split);
  if (available == 0) {
    fail("task ",
         name,
         " has no ",
         split == Split::ood ? "ood" : "such",
         " split with these options");
  }
  if (count < 0 || (count == 0 && available < 0)) {
    fail("task ", name, ": a generated split needs a number of examples, got ", count);
  }
  if (available >= 0 && count > available) {
    fail("task ",
         name,
         ": ",
         count,
         " examples asked, the split has ",
         available,
         "; set data.train_size or data.test_size (0 takes all)");
  }
  const int64_t wanted = count == 0 ? available : count;
  // A generated family that keeps repeating itself is too small for the request.
  const int64_t last = available >= 0 ? available : 20 * wanted + 10000;
  std::unordered_set<std::string> seen;
  for (int64_t next = 0; size() < wanted && next < last;) {
    const int64_t chunk = std::clamp<int64_t>(wanted - size(), 256, 4096);
    const int64_t end = std::min(last, next + chunk);
    for (Example& e : generate(*task_, split, seed, next, end)) {
      if (size() < wanted && seen.insert(e.canonical).second) {
        if (!with_truths) {
          e.truths = {};
        }
        examples_.push_back(std::move(e));
      }
    }
    next = end;
  }
  if (size() < count) {
    fail("task ",
         name,
         ": only ",
         size(),
         " different examples among ",
         last,
         ", ",
         count,
         " were asked");
  }
}

std::string Dataset::digest() const {
  Sha256 sha;
  const auto add = [&](const std::vector<int32_t>& values) {
    const int64_t n = static_cast<int64_t>(values.size());
    sha.update(std::as_bytes(std::span(&n, 1)));
    sha.update(std::as_bytes(std::span(values)));
  };
  for (const Example& e : examples_) {
    add(e.tokens);
    add(e.targets);
  }
  return sha.hex();
}

namespace {

/// Empties the batch but keeps its memory.
void restart(const TaskSpec& spec, int models, int size, Batch* batch) {
  batch->models = models;
  batch->size = size;
  batch->positions = spec.positions;
  batch->target_steps = spec.target_steps;
  batch->tokens.clear();
  batch->targets.clear();
  batch->lengths.clear();
  batch->difficulty.clear();
  batch->roles.clear();
  batch->index.clear();
}

/// Appends an example; arrays lie in the order (models, B, ...).
void append(const Example& e, int64_t index, Batch* batch) {
  batch->tokens.insert(batch->tokens.end(), e.tokens.begin(), e.tokens.end());
  batch->targets.insert(batch->targets.end(), e.targets.begin(), e.targets.end());
  batch->lengths.push_back(e.length);
  batch->difficulty.push_back(e.difficulty);
  batch->roles.insert(batch->roles.end(), e.roles.begin(), e.roles.end());
  batch->index.push_back(index);
}

}  // namespace

void Dataset::draw(std::span<const uint64_t> seeds,
                   uint64_t step,
                   int batch_size,
                   Batch& out) const {
  SV_CHECK(batch_size > 0 && !seeds.empty(), batch_size, " examples for ", seeds.size(), " models");
  restart(task_->spec(), static_cast<int>(seeds.size()), batch_size, &out);
  for (const uint64_t seed : seeds) {
    const Rng rng(seed, stream_of("data"), step);
    for (int b = 0; b < batch_size; ++b) {
      const int64_t i = rng.below(static_cast<uint64_t>(b), static_cast<uint32_t>(size()));
      append((*this)[i], i, &out);
    }
  }
}

Batch Dataset::range(int64_t begin, int batch_size) const {
  SV_CHECK(begin >= 0 && begin < size() && batch_size > 0,
           "examples from ",
           begin,
           ", ",
           batch_size,
           " of ",
           size());
  const int64_t end = std::min(size(), begin + batch_size);
  Batch batch;
  restart(task_->spec(), 1, static_cast<int>(end - begin), &batch);
  for (int64_t i = begin; i < end; ++i) {
    append((*this)[i], i, &batch);
  }
  return batch;
}

void Dataset::resize(int models, int batch_size, Batch& out) const {
  const TaskSpec& spec = task_->spec();
  restart(spec, models, batch_size, &out);
  const auto rows = static_cast<size_t>(models) * static_cast<size_t>(batch_size);
  const auto positions = static_cast<size_t>(spec.positions);
  out.tokens.resize(rows * positions);
  out.targets.resize(rows * static_cast<size_t>(spec.target_steps) * positions);
  out.roles.resize(spec.written_steps < 0 ? 0 : rows * positions);
  out.lengths.resize(rows);
  out.difficulty.resize(rows);
  out.index.resize(rows);
}

void Dataset::put(int64_t index, int m, int b, Batch& out) const {
  const Example& e = (*this)[index];
  const auto row = static_cast<size_t>(m) * static_cast<size_t>(out.size) + static_cast<size_t>(b);
  const auto fill = [&](const std::vector<int32_t>& from, std::vector<int32_t>& to) {
    std::ranges::copy(from, to.begin() + static_cast<std::ptrdiff_t>(row * from.size()));
  };
  fill(e.tokens, out.tokens);
  fill(e.targets, out.targets);
  fill(e.roles, out.roles);
  out.lengths[row] = e.length;
  out.difficulty[row] = e.difficulty;
  out.index[row] = index;
}

double solution_overlap(const Dataset& train, const Dataset& test) {
  std::unordered_set<std::string> known;
  for (int64_t i = 0; i < train.size(); ++i) {
    known.insert(train.task().solution_key(train[i]));
  }
  int64_t shared = 0;
  for (int64_t i = 0; i < test.size(); ++i) {
    const std::string key = test.task().solution_key(test[i]);
    if (key.empty()) {
      return -1;
    }
    shared += known.contains(key) ? 1 : 0;
  }
  return test.size() == 0 ? -1 : static_cast<double>(shared) / static_cast<double>(test.size());
}

}  // namespace sv

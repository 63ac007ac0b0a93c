/// Indexable data: a Dataset has a size and gives item `index` as named tensors.
///
/// get() is called from several loader threads at once and must depend on its arguments alone. The samples it gives may share memory with
/// the data set (TensorDataset, a cache): a transform makes new tensors and does not write into those that it was given.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "tenon/export.hpp"
#include "tenon/random.hpp"
#include "tenon/tensor.hpp"

namespace tenon::data {

/// Named tensors, in an order that is kept. A cheap value: tensors share their buffers.
class TENON_API Sample {
 public:
  using Item = std::pair<std::string, Tensor>;
  Sample() = default;
  Sample(std::initializer_list<Item> items);
  explicit Sample(std::vector<Item> items);  ///< throws when a name stands twice

  /// The tensor of this name; throws a usage error that lists the names there are.
  const Tensor& operator[](std::string_view name) const;
  bool contains(std::string_view name) const noexcept;
  void set(std::string_view name, Tensor tensor);  ///< replaces, or adds at the end
  const std::vector<Item>& items() const noexcept { return items_; }
  std::size_t nbytes() const;  ///< of all tensors

 private:
  std::vector<Item> items_;
};

/// A transform that is the same for every visit of an item.
using Transform = std::function<Sample(const Sample&)>;
/// One that differs from visit to visit: `random` is keyed by the loader's seed and by the position in the run, not by thread or time.
using RandomTransform = std::function<Sample(const Sample&, const Random& random)>;

class TENON_API Dataset {
 public:
  virtual ~Dataset();
  virtual std::int64_t size() const = 0;
  /// Item `index` in [0, size()); throws a usage error outside.
  Sample get(std::int64_t index) const;

 protected:
  virtual Sample read(std::int64_t index) const = 0;  ///< `index` is within [0, size())
};
using DatasetPtr = std::shared_ptr<const Dataset>;

/// Rows of tensors whose first axes are equally long: item i is row i of each, a view.
class TENON_API TensorDataset : public Dataset {
 public:
  explicit TensorDataset(Sample tensors);
  std::int64_t size() const override { return size_; }

 protected:
  Sample read(std::int64_t index) const override;

 private:
  Sample tensors_;
  std::int64_t size_;
};

/// `base` with `transform` applied to each item as it is asked for.
class TENON_API MapDataset : public Dataset {
 public:
  MapDataset(DatasetPtr base, Transform transform);
  std::int64_t size() const override { return base_->size(); }

 protected:
  Sample read(std::int64_t index) const override;

 private:
  DatasetPtr base_;
  Transform transform_;
};

/// All items of the first, then all of the second, and so on.
class TENON_API ConcatDataset : public Dataset {
 public:
  explicit ConcatDataset(std::vector<DatasetPtr> parts);
  std::int64_t size() const override { return ends_.back(); }

 protected:
  Sample read(std::int64_t index) const override;

 private:
  std::vector<DatasetPtr> parts_;
  std::vector<std::int64_t> ends_;
};

/// The items of `base` at `indices`, in that order; one may stand there more than once.
class TENON_API Subset : public Dataset {
 public:
  Subset(DatasetPtr base, std::vector<std::int64_t> indices);
  std::int64_t size() const override { return std::int64_t(indices_.size()); }

 protected:
  Sample read(std::int64_t index) const override;

 private:
  DatasetPtr base_;
  std::vector<std::int64_t> indices_;
};

}  // namespace tenon::data

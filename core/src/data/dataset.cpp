#include "tenon/data/dataset.hpp"

#include <algorithm>

#include "tenon/error.hpp"

namespace tenon::data {
namespace {

template <class Items>
auto find(Items& items, std::string_view name) {
  return std::find_if(items.begin(), items.end(), [&](const auto& item) { return item.first == name; });
}

void require_data(const char* op, const DatasetPtr& data) {
  if (!data) throw_usage(op, "no data set given");
}

}  // namespace

Sample::Sample(std::initializer_list<Item> items) : Sample(std::vector<Item>(items)) {}

Sample::Sample(std::vector<Item> items) : items_(std::move(items)) {
  for (auto i = items_.begin(); i != items_.end(); ++i)
    if (std::any_of(items_.begin(), i, [&](const Item& other) { return other.first == i->first; }))
      throw_usage("Sample", "the name '" + i->first + "' stands twice");
}

const Tensor& Sample::operator[](std::string_view name) const {
  auto at = find(items_, name);
  if (at != items_.end()) return at->second;
  std::string known;
  for (const Item& item : items_) known += (known.empty() ? "" : ", ") + item.first;
  throw_usage("Sample", "there is no tensor '" + std::string(name) + "'", "there are: " + (known.empty() ? "none" : known));
}

bool Sample::contains(std::string_view name) const noexcept {
  return find(items_, name) != items_.end();
}

void Sample::set(std::string_view name, Tensor tensor) {
  auto at = find(items_, name);
  if (at != items_.end())
    at->second = std::move(tensor);
  else
    items_.emplace_back(name, std::move(tensor));
}

std::size_t Sample::nbytes() const {
  std::size_t bytes = 0;
  for (const Item& item : items_) bytes += item.second.nbytes();
  return bytes;
}

Dataset::~Dataset() = default;

Sample Dataset::get(std::int64_t index) const {
  if (index < 0 || index >= size())
    throw_usage("Dataset::get", "item " + std::to_string(index) + " of a data set of " + std::to_string(size()));
  return read(index);
}

TensorDataset::TensorDataset(Sample tensors) : tensors_(std::move(tensors)), size_(0) {
  if (tensors_.items().empty()) throw_usage("TensorDataset", "no tensors given");
  for (const auto& [name, tensor] : tensors_.items()) {
    if (!tensor.defined() || tensor.rank() == 0)
      throw_usage("TensorDataset", "'" + name + "' is " + tensor.str() + ": it has no first axis");
    if (tensor.size(0) != tensors_.items()[0].second.size(0))
      throw_usage("TensorDataset",
                  "'" + name + "' is " + tensor.str() + ", but '" + tensors_.items()[0].first + "' is " + tensors_.items()[0].second.str(),
                  "the first axes must be equally long");
  }
  size_ = tensors_.items()[0].second.size(0);
}

Sample TensorDataset::read(std::int64_t index) const {
  Sample row;
  for (const auto& [name, tensor] : tensors_.items()) row.set(name, tensor.select(0, index));
  return row;
}

MapDataset::MapDataset(DatasetPtr base, Transform transform) : base_(std::move(base)), transform_(std::move(transform)) {
  require_data("MapDataset", base_);
  if (!transform_) throw_usage("MapDataset", "no transform given");
}

Sample MapDataset::read(std::int64_t index) const {
  return transform_(base_->get(index));
}

ConcatDataset::ConcatDataset(std::vector<DatasetPtr> parts) : parts_(std::move(parts)) {
  if (parts_.empty()) throw_usage("ConcatDataset", "no data sets given");
  std::int64_t end = 0;
  for (const DatasetPtr& part : parts_) {
    require_data("ConcatDataset", part);
    ends_.push_back(end += part->size());
  }
}

Sample ConcatDataset::read(std::int64_t index) const {
  const auto part = std::size_t(std::upper_bound(ends_.begin(), ends_.end(), index) - ends_.begin());
  return parts_[part]->get(index - (part == 0 ? 0 : ends_[part - 1]));
}

Subset::Subset(DatasetPtr base, std::vector<std::int64_t> indices) : base_(std::move(base)), indices_(std::move(indices)) {
  require_data("Subset", base_);
  for (std::int64_t i : indices_)
    if (i < 0 || i >= base_->size())
      throw_usage("Subset", "item " + std::to_string(i) + " of a data set of " + std::to_string(base_->size()));
}

Sample Subset::read(std::int64_t index) const {
  return base_->get(indices_[std::size_t(index)]);
}

}  // namespace tenon::data

// SPDX-License-Identifier: Apache-2.0

#include "remotemedia/tensor/dims.h"

#include "remotemedia/base/error.h"

namespace remotemedia {

void Dims::share(std::span<const std::int64_t> values) {
  if (values.size() > kMaxRank) {
    throw Error(ErrorCode::invalid_tensor, "a tensor of " + std::to_string(values.size()) + " axes: at most " +
                                               std::to_string(kMaxRank) + " are possible");
  }
  const auto many = std::make_shared<std::int64_t[]>(values.size());
  std::ranges::copy(values, many.get());
  many_ = many;
  size_ = values.size();
}

Dims Dims::with(std::size_t axis, std::int64_t value) const {
  std::array<std::int64_t, kMaxRank> values{};
  std::ranges::copy(*this, values.begin());
  values[axis] = value;
  return Dims(std::span(values.data(), size_));
}

Dims Dims::without(std::size_t axis) const {
  std::array<std::int64_t, kMaxRank> values{};
  std::int64_t* const rest = std::copy_n(begin(), axis, values.data());
  std::copy(begin() + axis + 1, end(), rest);
  return Dims(std::span(values.data(), size_ - 1));
}

Dims Dims::with_inserted(std::size_t axis, std::int64_t value) const {
  std::array<std::int64_t, kMaxRank + 1> values{};
  std::int64_t* const place = std::copy_n(begin(), axis, values.data());
  *place = value;
  std::copy(begin() + axis, end(), place + 1);
  return Dims(std::span(values.data(), size_ + 1));
}

std::string to_string(const Dims& dims) {
  std::string text = "(";
  for (std::size_t axis = 0; axis < dims.size(); ++axis) {
    if (axis > 0) text += ", ";
    text += std::to_string(dims[axis]);
  }
  return text + (dims.size() == 1 ? ",)" : ")");
}

}  // namespace remotemedia

// SPDX-License-Identifier: Apache-2.0
//
// TensorMap: the named tensors that a model takes, or gives.

#pragma once

#include <iterator>
#include <string>

#include "remotemedia/base/recycled_memory.h"
#include "remotemedia/tensor/tensor_buffer.h"

namespace remotemedia {

/// One comes and goes with every call, both ways.
using TensorMap = RecyclingMap<std::string, TensorBuffer>;

namespace detail {

/// Finds tensors of a map that does not change meanwhile: by one comparison each, where they are asked for in the order
/// of their names.
class TensorFinder {
 public:
  explicit TensorFinder(const TensorMap& tensors) noexcept : tensors_(tensors), next_(tensors.begin()) {}

  /// Null where there is none of that name.
  const TensorBuffer* find(const std::string& name) {
    const auto found = next_ != tensors_.end() && next_->first == name ? next_ : tensors_.find(name);
    if (found == tensors_.end()) return nullptr;
    next_ = std::next(found);
    return &found->second;
  }

 private:
  const TensorMap& tensors_;
  TensorMap::const_iterator next_;
};

}  // namespace detail

}  // namespace remotemedia

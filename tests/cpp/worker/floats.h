// SPDX-License-Identifier: Apache-2.0
//
// Tensors of float32 that count up, and what is in one.

#pragma once

#include <cstring>
#include <numeric>
#include <span>
#include <vector>

#include "remotemedia/tensor/tensor_buffer.h"

namespace remotemedia::testing {

/// `first`, `first` + 1, ... in row-major order.
inline TensorBuffer floats(const Dims& shape, float first = 0) {
  TensorBuffer tensor = TensorBuffer::allocate(shape, DataType::float32);
  const std::span<float> elements = tensor.span<float>();
  std::iota(elements.begin(), elements.end(), first);
  return tensor;
}

/// In row-major order.
inline std::vector<float> values(const TensorBuffer& tensor) {
  const std::vector<std::byte> bytes = tensor.to_bytes();
  std::vector<float> numbers(tensor.element_count());
  if (!numbers.empty()) std::memcpy(numbers.data(), bytes.data(), bytes.size());
  return numbers;
}

}  // namespace remotemedia::testing

// SPDX-License-Identifier: Apache-2.0
//
// Tensors that processes show each other in tests: each side makes the same one by name, and compares.

#pragma once

#include <cstddef>
#include <cstdint>
#include <sstream>
#include <stdexcept>
#include <string>
#include <string_view>
#include <utility>

#include "remotemedia/memory/shared_memory_allocator.h"
#include "remotemedia/tensor/tensor_buffer.h"

namespace remotemedia::testing {

inline constexpr std::string_view kTensorNames[] = {
    "whole",     "column",   "reversed", "transposed", "repeated",      "scalar", "none",
    "many_axes", "bfloat16", "boolean",  "heap",       "heap_reversed", "odd",    "foreign",
};

inline TensorBuffer counted(TensorBuffer tensor) {
  std::byte* const bytes = tensor.mutable_data();
  for (std::size_t i = 0; i < tensor.nbytes(); ++i) bytes[i] = static_cast<std::byte>(i * 7 + 1);
  return tensor;
}

inline TensorBuffer named_tensor(std::string_view name, SharedMemoryAllocator& allocator) {
  const TensorBuffer whole = counted(TensorBuffer::allocate({6, 5, 4}, DataType::int32, allocator));
  if (name == "whole") return whole;
  if (name == "column") return whole.select(1, 3).slice(0, {.begin = 1, .step = 2});
  if (name == "reversed") return whole.slice(0, {.step = -1}).slice(2, {.step = -2});
  if (name == "transposed") return whole.transpose();
  if (name == "repeated") return whole.select(0, 2).broadcast_to({3, 5, 4});
  if (name == "scalar") return whole.select(0, 1).select(0, 2).select(0, 3);
  if (name == "none") return whole.slice(1, {.begin = 5});
  if (name == "many_axes") return whole.reshape({1, 2, 3, 1, 5, 1, 2, 2, 1, 1, 1, 1}).transpose();
  if (name == "bfloat16") return counted(TensorBuffer::allocate({3, 3}, DataType::bfloat16, allocator)).transpose();
  if (name == "boolean") return TensorBuffer::allocate({0}, DataType::boolean, allocator);
  if (name == "heap") return counted(TensorBuffer::allocate({7}, DataType::float64));
  if (name == "heap_reversed") return counted(TensorBuffer::allocate({4, 7}, DataType::int16)).slice(1, {.step = -3});
  if (name == "odd") {
    return counted(TensorBuffer::view_of(allocator.allocate(64), 3, row_major({4}, DataType::int32)));
  }
  if (name == "foreign") {
    const auto memory = std::make_shared<std::string>("some bytes of somebody else");
    return TensorBuffer::from_foreign(memory->data() + 5, {5}, DataType::uint8, memory, true);
  }
  throw std::invalid_argument("no tensor has this name");
}

/// Type, extents, and what the elements are.
inline std::string description_of(const TensorBuffer& tensor) {
  std::uint64_t hash = 14695981039346656037U;
  for (const std::byte byte : tensor.to_bytes()) hash = (hash ^ static_cast<std::uint64_t>(byte)) * 1099511628211U;
  std::ostringstream text;
  text << to_string(tensor.dtype()) << to_string(tensor.shape()) << " " << std::hex << hash;
  return text.str();
}

}  // namespace remotemedia::testing

// SPDX-License-Identifier: Apache-2.0
//
// The elements of tensors behind a message that protobuf wrote: a field of bytes for each, which are not copied.

#pragma once

#include <grpcpp/support/byte_buffer.h>

#include <cstddef>
#include <string>
#include <vector>

#include "remotemedia/tensor/tensor_buffer.h"

namespace remotemedia::detail {

/// A message in pieces.
class RawSlices {
 public:
  explicit RawSlices(const std::string& written);

  /// Keeps the elements of a contiguous tensor until they are sent; others are copied.
  void append(int field, TensorBuffer tensor);

  /// Makes it the value of a field of another message, which has no other.
  void wrap_in(int field);

  grpc::ByteBuffer bytes() const { return {slices_.data(), slices_.size()}; }

 private:
  std::vector<grpc::Slice> slices_;
  std::size_t size_ = 0;
};

}  // namespace remotemedia::detail

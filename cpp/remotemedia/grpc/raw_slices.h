// SPDX-License-Identifier: Apache-2.0
//
// The elements of tensors behind a message that protobuf wrote: a field of bytes for each. Of large tensors they are
// not copied.

#pragma once

#include <google/protobuf/message_lite.h>
#include <grpcpp/support/byte_buffer.h>

#include <cstddef>
#include <string>
#include <vector>

#include "remotemedia/tensor/tensor_buffer.h"

namespace remotemedia::detail {

/// A message in pieces.
class RawSlices {
 public:
  explicit RawSlices(const google::protobuf::MessageLite& message) { message.AppendToString(&written_); }

  /// Keeps the elements of a large contiguous tensor until they are sent.
  void append(int field, TensorBuffer tensor);

  /// The same with `bytes` of its bytes, from `begin` on. tensor: contiguous.
  void append(int field, TensorBuffer tensor, std::size_t begin, std::size_t bytes);

  /// Makes it the value of a field of another message, which has no other.
  void wrap_in(int field);

  /// Once.
  grpc::ByteBuffer bytes();

 private:
  void end_slice();

  std::vector<grpc::Slice> slices_;
  std::string written_;   ///< Behind them.
  std::size_t size_ = 0;  ///< Of both, but for what is written.
};

}  // namespace remotemedia::detail

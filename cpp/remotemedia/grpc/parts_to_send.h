// SPDX-License-Identifier: Apache-2.0
//
// PartsToSend: a message whose raw contents go out in parts, of which gRPC sends one while the next is made.

#pragma once

#include <google/protobuf/message_lite.h>
#include <grpcpp/support/byte_buffer.h>

#include <cstddef>
#include <vector>

#include "remotemedia/tensor/tensor_buffer.h"

namespace remotemedia::detail {

/// Tensors with so many bytes together are worth the messages that it takes.
inline constexpr std::size_t kWorthParts = std::size_t{2} << 20;

/// Keeps the tensors until they are sent.
class PartsToSend {
 public:
  /// contents: contiguous or not; those that are not are copied.
  PartsToSend(const google::protobuf::MessageLite& head, std::vector<TensorBuffer> contents);

  /// The first: the head.
  grpc::ByteBuffer next();
  bool is_at_end() const noexcept { return begun_ && content_ == contents_.size(); }

 private:
  void skip_finished() noexcept;

  grpc::ByteBuffer head_;
  std::vector<TensorBuffer> contents_;
  bool begun_ = false;
  std::size_t content_ = 0;  ///< That is being sent.
  std::size_t sent_ = 0;     ///< Of it.
};

}  // namespace remotemedia::detail

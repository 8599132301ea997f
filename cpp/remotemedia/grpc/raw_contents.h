// SPDX-License-Identifier: Apache-2.0
//
// Messages with tensors: their elements, apart from all that protobuf reads.

#pragma once

#include <grpcpp/support/byte_buffer.h>

#include <cstddef>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "remotemedia/grpc/protocol/open_inference.pb.h"

namespace remotemedia::detail {

/// Aligned for all element types, and kept by `owner`.
struct RawContent {
  std::span<const std::byte> bytes;
  std::shared_ptr<const void> owner;
};

struct SplitMessage {
  std::string others;  ///< Without them, the bytes as they came: for protobuf.
  std::vector<RawContent> raw;
};

/// Takes the values of a field of bytes out of `message`, each copied once. None where it has none, and where it is no
/// plain message: protobuf is to say what that is.
std::optional<SplitMessage> split_message(const grpc::ByteBuffer& message, int field);

/// A message, and what of it are elements; its own field of them is empty.
template <class Message>
struct WithRawContents {
  Message message;
  std::vector<RawContent> raw;
};

/// What is shorter protobuf reads as a whole, sooner.
inline constexpr std::size_t kWorthSplitting = std::size_t{64} << 10;

/// split_from: bytes of the shortest message whose elements are read apart.
///
/// Errors:  protocol_error where the bytes are no such message.
WithRawContents<inference::ModelInferRequest> received_request(const grpc::ByteBuffer& bytes,
                                                               std::size_t split_from = kWorthSplitting);
WithRawContents<inference::ModelInferResponse> received_response(const grpc::ByteBuffer& bytes,
                                                                 std::size_t split_from = kWorthSplitting);

/// The same of one that protobuf has read.
WithRawContents<inference::ModelInferResponse> with_raw_contents(inference::ModelInferResponse message);

}  // namespace remotemedia::detail

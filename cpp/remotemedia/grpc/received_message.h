// SPDX-License-Identifier: Apache-2.0
//
// A message out of the bytes that came, and the bytes of one.

#pragma once

#include <grpcpp/impl/codegen/proto_utils.h>
#include <grpcpp/support/byte_buffer.h>

#include "remotemedia/base/error.h"

namespace remotemedia::detail {

/// Errors:  protocol_error where the bytes are no such message.
template <class Message>
Message received_message(const grpc::ByteBuffer& bytes) {
  Message message;
  grpc::ByteBuffer copy(bytes);  // of references
  if (!grpc::SerializationTraits<Message>::Deserialize(&copy, &message).ok()) {
    throw Error(ErrorCode::protocol_error, "the bytes that came are no " + Message::descriptor()->full_name());
  }
  return message;
}

template <class Message>
grpc::ByteBuffer message_bytes(const Message& message) {
  grpc::ByteBuffer bytes;
  bool owned = false;
  grpc::SerializationTraits<Message>::Serialize(message, &bytes, &owned);
  return bytes;
}

}  // namespace remotemedia::detail

// SPDX-License-Identifier: Apache-2.0
//
// ReceivedParts: a message of which the raw contents come in parts, each copied to its place as it comes.

#pragma once

#include <grpcpp/support/byte_buffer.h>

#include <cstddef>
#include <memory>
#include <string>
#include <vector>

#include "remotemedia/base/error.h"
#include "remotemedia/grpc/raw_contents.h"
#include "remotemedia/grpc/received_message.h"

namespace remotemedia::detail {

/// Memory is had as parts come: announced are contents of any size.
class ReceivedParts {
 public:
  /// Takes the next part.
  ///
  /// Returns:  whether it was the last.
  /// Errors:   protocol_error for what is no part, or more than was announced; std::bad_alloc.
  bool take(const grpc::ByteBuffer& part);

  /// After the last part, once.
  ///
  /// Errors:  protocol_error where its head is no such message.
  template <class Message>
  WithRawContents<Message> message() {
    WithRawContents<Message> received;
    if (!received.message.ParseFromString(head_)) {
      throw Error(ErrorCode::protocol_error,
                  "the head of what came in parts is no " + Message::descriptor()->full_name());
    }
    received.raw = contents();
    return received;
  }

 private:
  struct Content {
    std::size_t size = 0;
    std::size_t filled = 0;
    std::size_t room = 0;
    std::shared_ptr<std::byte> memory = {};
  };

  void take_head(const grpc::ByteBuffer& part);
  void take_content(const grpc::ByteBuffer& part);
  void make_room(Content& content, std::size_t bytes);
  std::vector<RawContent> contents();

  bool begun_ = false;
  std::string head_;
  std::vector<Content> contents_;
  std::size_t next_ = 0;      ///< The first that is not whole.
  std::size_t received_ = 0;  ///< Bytes of contents.
  std::size_t room_ = 0;      ///< Of all contents.
};

}  // namespace remotemedia::detail

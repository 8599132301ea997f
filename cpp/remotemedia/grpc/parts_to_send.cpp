// SPDX-License-Identifier: Apache-2.0

#include "remotemedia/grpc/parts_to_send.h"

#include <algorithm>
#include <utility>

#include "remotemedia/grpc/protocol/worker.pb.h"
#include "remotemedia/grpc/raw_slices.h"
#include "remotemedia/grpc/received_message.h"

namespace remotemedia::detail {
namespace {

/// Read from the cache of the processor that received it.
constexpr std::size_t kPartBytes = std::size_t{1} << 20;

}  // namespace

PartsToSend::PartsToSend(const google::protobuf::MessageLite& head, std::vector<TensorBuffer> contents)
    : contents_(std::move(contents)) {
  v1::InferPart first;
  head.SerializeToString(first.mutable_head());
  for (TensorBuffer& content : contents_) {
    if (!content.is_contiguous()) content = content.copy();
    first.add_sizes(content.nbytes());
  }
  head_ = message_bytes(first);
}

grpc::ByteBuffer PartsToSend::next() {
  if (!std::exchange(begun_, true)) {
    skip_finished();
    return head_;
  }
  const TensorBuffer& content = contents_[content_];
  const std::size_t bytes = std::min(content.nbytes() - sent_, kPartBytes);
  RawSlices slices{v1::InferPart()};
  slices.append(v1::InferPart::kContentFieldNumber, content, sent_, bytes);
  sent_ += bytes;
  skip_finished();
  return slices.bytes();
}

void PartsToSend::skip_finished() noexcept {
  while (content_ < contents_.size() && sent_ == contents_[content_].nbytes()) {
    ++content_;
    sent_ = 0;
  }
}

}  // namespace remotemedia::detail

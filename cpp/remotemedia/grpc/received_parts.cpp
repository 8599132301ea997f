// SPDX-License-Identifier: Apache-2.0

#include "remotemedia/grpc/received_parts.h"

#include <google/protobuf/io/coded_stream.h>
#include <google/protobuf/wire_format_lite.h>
#include <grpcpp/support/proto_buffer_reader.h>

#include <algorithm>
#include <utility>

#include "remotemedia/base/error.h"
#include "remotemedia/grpc/content_copy.h"
#include "remotemedia/grpc/protocol/worker.pb.h"
#include "remotemedia/oip/received_memory.h"
#include "remotemedia/platform/machine.h"

namespace remotemedia::detail {
namespace {

using google::protobuf::internal::WireFormatLite;
using google::protobuf::io::CodedInputStream;

constexpr int kMostContents = 4096;

/// Contents get room for so many times what has come, and for so much more when it is clear that much will.
constexpr std::size_t kGrowth = 8;
constexpr std::size_t kEnoughToTrust = platform::kHugePageBytes / kGrowth;
constexpr std::size_t kRoomInTrust = std::size_t{64} << 20;

[[noreturn]] void refuse(const char* why) {
  throw Error(ErrorCode::protocol_error, std::string("what comes in parts is refused: ") + why);
}

}  // namespace

bool ReceivedParts::take(const grpc::ByteBuffer& part) {
  if (begun_) {
    take_content(part);
  } else {
    take_head(part);
  }
  while (next_ < contents_.size() && contents_[next_].filled == contents_[next_].size) ++next_;
  return next_ == contents_.size();
}

void ReceivedParts::take_head(const grpc::ByteBuffer& part) {
  auto first = received_message<v1::InferPart>(part);
  if (!first.content().empty()) refuse("its first part has contents");
  if (first.sizes_size() > kMostContents) refuse("it has more than 4096 contents");
  head_ = std::move(*first.mutable_head());
  contents_.resize(static_cast<std::size_t>(first.sizes_size()));
  for (std::size_t i = 0; i < contents_.size(); ++i) contents_[i].size = first.sizes(static_cast<int>(i));
  begun_ = true;
}

void ReceivedParts::take_content(const grpc::ByteBuffer& part) {
  grpc::ByteBuffer references(part);
  grpc::ProtoBufferReader reader(&references);
  CodedInputStream in(&reader);
  constexpr auto kContent =
      WireFormatLite::MakeTag(v1::InferPart::kContentFieldNumber, WireFormatLite::WIRETYPE_LENGTH_DELIMITED);
  if (part.Length() == 0) return;  // as protobuf writes an empty content
  int size = 0;
  if (in.ReadTag() != kContent || !in.ReadVarintSizeAsInt(&size)) refuse("a part of it has no content");
  const auto bytes = static_cast<std::size_t>(size);
  if (bytes != part.Length() - static_cast<std::size_t>(in.CurrentPosition())) {
    refuse("a part of it is cut off, or has more than a content");
  }
  Content& content = contents_[next_];
  if (bytes > content.size - content.filled) refuse("there is more of a content than its size");
  received_ += bytes;
  make_room(content, content.filled + bytes);
  if (!copy_content(in, {content.memory.get() + content.filled, bytes}, content.size))
    refuse("a part of it is cut off");
  content.filled += bytes;
}

void ReceivedParts::make_room(Content& content, std::size_t bytes) {
  if (bytes <= content.room) return;
  const std::size_t most = kGrowth * received_ + (received_ < kEnoughToTrust ? 0 : kRoomInTrust);
  const std::size_t others = room_ - content.room;
  const std::size_t room = std::min(content.size, std::max(bytes, most > others ? most - others : 0));
  const std::shared_ptr<std::byte> memory = received_memory(room);
  copy_bytes(memory.get(), content.memory.get(), content.filled);
  content.memory = memory;
  content.room = room;
  room_ = others + room;
}

std::vector<RawContent> ReceivedParts::contents() {
  std::vector<RawContent> raw;
  raw.reserve(contents_.size());
  for (Content& content : contents_) {
    if (content.memory == nullptr) content.memory = received_memory(0);
    raw.push_back({{content.memory.get(), content.size}, content.memory});
  }
  contents_.clear();
  return raw;
}

}  // namespace remotemedia::detail

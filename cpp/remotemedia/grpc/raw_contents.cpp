// SPDX-License-Identifier: Apache-2.0

#include "remotemedia/grpc/raw_contents.h"

#include <google/protobuf/io/coded_stream.h>
#include <google/protobuf/wire_format_lite.h>
#include <grpcpp/support/proto_buffer_reader.h>

#include <cstddef>
#include <cstdint>
#include <utility>

#include "remotemedia/base/error.h"
#include "remotemedia/grpc/content_copy.h"
#include "remotemedia/grpc/received_message.h"
#include "remotemedia/oip/received_memory.h"

namespace remotemedia::detail {
namespace {

using google::protobuf::internal::WireFormatLite;
using google::protobuf::io::CodedInputStream;
using inference::ModelInferRequest;
using inference::ModelInferResponse;

constexpr std::size_t kMostContents = 4096;
constexpr int kLongestTag = 2;     // bytes
constexpr int kLongestLength = 5;  // likewise

/// Where something lies in a message.
struct Part {
  int begin = 0;
  int size = 0;
};

/// Goes over one field; its value, where it is of bytes.
bool skip_field(CodedInputStream& in, std::uint32_t tag, Part& bytes) {
  const int begin = in.CurrentPosition();
  switch (WireFormatLite::GetTagWireType(tag)) {
    case WireFormatLite::WIRETYPE_VARINT: {
      std::uint64_t unused = 0;
      return in.ReadVarint64(&unused);
    }
    case WireFormatLite::WIRETYPE_FIXED64:
      return in.Skip(8);
    case WireFormatLite::WIRETYPE_FIXED32:
      return in.Skip(4);
    case WireFormatLite::WIRETYPE_LENGTH_DELIMITED:
      if (!in.ReadVarintSizeAsInt(&bytes.size) || in.CurrentPosition() - begin > kLongestLength) return false;
      bytes.begin = in.CurrentPosition();
      return in.Skip(bytes.size);
    default:
      return false;
  }
}

/// Where the tag of a content lies, and where its bytes.
using Contents = std::vector<std::pair<int, Part>>;

/// The values of `field`, if all that is there are fields of usual forms.
std::optional<Contents> find_contents(grpc::ByteBuffer message, int field) {
  grpc::ProtoBufferReader reader(&message);
  CodedInputStream in(&reader);
  Contents found;
  const auto wanted = WireFormatLite::MakeTag(field, WireFormatLite::WIRETYPE_LENGTH_DELIMITED);
  for (;;) {
    const int begin = in.CurrentPosition();
    const std::uint32_t tag = in.ReadTag();
    if (tag == 0) break;
    if (in.CurrentPosition() - begin > kLongestTag || WireFormatLite::GetTagFieldNumber(tag) == 0) return std::nullopt;
    Part value;
    if (!skip_field(in, tag, value)) return std::nullopt;
    if (tag != wanted) continue;
    if (found.size() == kMostContents) return std::nullopt;
    found.emplace_back(begin, value);
  }
  if (!in.ConsumedEntireMessage() || found.empty()) return std::nullopt;
  return found;
}

bool append(CodedInputStream& in, int size, std::string& to) {
  const std::size_t before = to.size();
  to.resize(before + static_cast<std::size_t>(size));
  return in.ReadRaw(to.data() + before, size);
}

std::vector<RawContent> taken(google::protobuf::RepeatedPtrField<std::string>& contents) {
  std::vector<RawContent> raw;
  raw.reserve(static_cast<std::size_t>(contents.size()));
  for (std::string& content : contents) {
    auto kept = std::make_shared<const std::string>(std::move(content));
    const std::span<const std::byte> bytes = std::as_bytes(std::span(*kept));
    raw.push_back({bytes, std::move(kept)});
  }
  contents.Clear();
  return raw;
}

template <class Message>
bool parsed_apart(const grpc::ByteBuffer& bytes, int field, WithRawContents<Message>& received) {
  std::optional<SplitMessage> split = split_message(bytes, field);
  if (!split || !received.message.ParseFromString(split->others)) return false;
  received.raw = std::move(split->raw);
  return true;
}

}  // namespace

std::optional<SplitMessage> split_message(const grpc::ByteBuffer& message, int field) {
  const auto found = find_contents(message, field);
  if (!found) return std::nullopt;
  grpc::ByteBuffer references(message);
  grpc::ProtoBufferReader reader(&references);
  CodedInputStream in(&reader);
  SplitMessage split;
  split.raw.reserve(found->size());
  for (const auto& [tag_at, value] : *found) {
    if (!append(in, tag_at - in.CurrentPosition(), split.others)) return std::nullopt;
    if (!in.Skip(value.begin - tag_at)) return std::nullopt;
    const auto bytes = static_cast<std::size_t>(value.size);
    const std::shared_ptr<std::byte> memory = received_memory(bytes);
    if (!copy_content(in, {memory.get(), bytes}, bytes)) return std::nullopt;
    split.raw.push_back({{memory.get(), bytes}, memory});
  }
  if (!append(in, static_cast<int>(message.Length()) - in.CurrentPosition(), split.others)) return std::nullopt;
  return split;
}

WithRawContents<ModelInferRequest> received_request(const grpc::ByteBuffer& bytes, std::size_t split_from) {
  WithRawContents<ModelInferRequest> received;
  if (bytes.Length() >= split_from && parsed_apart(bytes, ModelInferRequest::kRawInputContentsFieldNumber, received)) {
    return received;
  }
  received.message = received_message<ModelInferRequest>(bytes);
  received.raw = taken(*received.message.mutable_raw_input_contents());
  return received;
}

WithRawContents<ModelInferResponse> received_response(const grpc::ByteBuffer& bytes, std::size_t split_from) {
  WithRawContents<ModelInferResponse> received;
  if (bytes.Length() >= split_from &&
      parsed_apart(bytes, ModelInferResponse::kRawOutputContentsFieldNumber, received)) {
    return received;
  }
  return with_raw_contents(received_message<ModelInferResponse>(bytes));
}

WithRawContents<ModelInferResponse> with_raw_contents(ModelInferResponse message) {
  WithRawContents<ModelInferResponse> received{std::move(message), {}};
  received.raw = taken(*received.message.mutable_raw_output_contents());
  return received;
}

}  // namespace remotemedia::detail

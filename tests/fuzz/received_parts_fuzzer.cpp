// SPDX-License-Identifier: Apache-2.0
//
// Whatever parts of a message come, and in whatever pieces: what is taken is what protobuf reads of them, and no
// content gets more or less than its size.

#include <grpcpp/grpcpp.h>

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "fuzzed_bytes.h"
#include "remotemedia/base/error.h"
#include "remotemedia/grpc/protocol/worker.pb.h"
#include "remotemedia/grpc/received_parts.h"

using namespace remotemedia;

namespace {

/// As long as two bytes say, in pieces as long as one says.
std::string next_part(testing::FuzzedBytes& input, grpc::ByteBuffer& part) {
  const std::size_t length = input.take<std::uint16_t>() % 512;
  const std::size_t longest = 1 + input.take<std::uint8_t>();
  std::string bytes;
  for (std::size_t i = 0; i < length; ++i) bytes += static_cast<char>(input.take<std::uint8_t>());
  std::vector<grpc::Slice> pieces;
  for (std::size_t at = 0; at < length; at += longest) pieces.emplace_back(bytes.substr(at, longest));
  part = grpc::ByteBuffer(pieces.data(), pieces.size());
  return bytes;
}

void compare(const detail::WithRawContents<inference::ModelInferRequest>& received, const v1::InferPart& head,
             const std::string& contents) {
  testing::require(received.raw.size() == static_cast<std::size_t>(head.sizes_size()), "each size has a content");
  std::string taken;
  for (std::size_t i = 0; i < received.raw.size(); ++i) {
    const auto& content = received.raw[i].bytes;
    testing::require(content.size() == head.sizes(static_cast<int>(i)), "a content is as long as its size");
    taken.append(reinterpret_cast<const char*>(content.data()), content.size());
  }
  testing::require(taken == contents, "contents are what came, in their order");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  testing::FuzzedBytes input(data, size);
  detail::ReceivedParts received;
  v1::InferPart head;
  std::string contents;
  try {
    for (bool first = true; !input.rest().empty(); first = false) {
      grpc::ByteBuffer part;
      const std::string bytes = next_part(input, part);
      const bool whole = received.take(part);
      v1::InferPart read;
      testing::require(read.ParseFromString(bytes), "what is taken is a part");
      contents += read.content();
      if (first) head = read;
      if (!whole) continue;
      compare(received.message<inference::ModelInferRequest>(), head, contents);
      break;
    }
  } catch (const Error& error) {
    testing::require(error.code() == ErrorCode::protocol_error, "a part is refused with its code");
  }
  return 0;
}

// SPDX-License-Identifier: Apache-2.0
//
// Whatever bytes come as a message with tensors, and in whatever pieces: what is read of them, elements apart, is what
// protobuf reads of the whole, or protobuf refuses them too.

#include <google/protobuf/io/coded_stream.h>
#include <google/protobuf/io/zero_copy_stream_impl_lite.h>
#include <grpcpp/grpcpp.h>

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "fuzzed_bytes.h"
#include "remotemedia/base/error.h"
#include "remotemedia/grpc/raw_contents.h"
#include "remotemedia/grpc/received_message.h"

using namespace remotemedia;

namespace {

/// In pieces as long as the first byte says.
grpc::ByteBuffer pieces_of(testing::FuzzedBytes& input) {
  const std::size_t longest = 1 + input.take<std::uint8_t>();
  std::vector<grpc::Slice> pieces;
  for (std::span<const std::byte> rest = input.rest(); !rest.empty();) {
    const std::size_t bytes = std::min(rest.size(), longest);
    pieces.emplace_back(rest.data(), bytes);
    rest = rest.subspan(bytes);
  }
  return {pieces.data(), pieces.size()};
}

template <class Message>
std::string in_one_order(const Message& message) {
  std::string written;
  {
    google::protobuf::io::StringOutputStream to(&written);
    google::protobuf::io::CodedOutputStream out(&to);
    out.SetSerializationDeterministic(true);
    message.SerializeToCodedStream(&out);
  }
  return written;
}

template <class Read>
auto accepted(Read read) -> std::optional<decltype(read())> {
  try {
    return read();
  } catch (const Error& error) {
    testing::require(error.code() == ErrorCode::protocol_error, "a message is refused with its code");
    return std::nullopt;
  }
}

template <class Message, class Received, class Contents>
void compare(const grpc::ByteBuffer& bytes, Received received, Contents contents) {
  const std::optional<Message> whole = accepted([&] { return detail::received_message<Message>(bytes); });
  auto apart = accepted([&] { return received(bytes, 0); });
  testing::require(whole.has_value() == apart.has_value(), "both ways accept the same messages");
  if (!whole) return;
  testing::require(contents(apart->message).empty(), "no elements are left in the message");
  for (const detail::RawContent& content : apart->raw) {
    contents(apart->message).Add()->assign(reinterpret_cast<const char*>(content.bytes.data()), content.bytes.size());
  }
  testing::require(in_one_order(apart->message) == in_one_order(*whole), "both ways read the same");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  testing::FuzzedBytes input(data, size);
  const bool answer = input.take<std::uint8_t>() % 2 != 0;
  const grpc::ByteBuffer bytes = pieces_of(input);
  if (answer) {
    compare<inference::ModelInferResponse>(
        bytes, &detail::received_response,
        [](auto& message) -> auto& { return *message.mutable_raw_output_contents(); });
  } else {
    compare<inference::ModelInferRequest>(
        bytes, &detail::received_request, [](auto& message) -> auto& { return *message.mutable_raw_input_contents(); });
  }
  return 0;
}

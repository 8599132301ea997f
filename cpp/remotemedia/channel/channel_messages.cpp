// SPDX-License-Identifier: Apache-2.0

#include "remotemedia/channel/channel_messages.h"

#include <algorithm>
#include <cstring>
#include <optional>
#include <string>
#include <type_traits>
#include <utility>

#include "remotemedia/channel/byte_reader.h"
#include "remotemedia/channel/byte_writer.h"
#include "remotemedia/channel/call_fields.h"
#include "remotemedia/channel/session_fields.h"
#include "remotemedia/channel/status_fields.h"
#include "remotemedia/platform/descriptor_channel.h"

namespace remotemedia::detail {
namespace {

template <class M>
constexpr bool kOfAnyVersion = requires {
  M::kOfAnyVersion;
};

template <class M>
constexpr bool kMayBeUnasked = requires {
  M::kMayBeUnasked;
};

template <class M>
constexpr bool kHasRequest = requires(M message) {
  message.request;
};

template <class M>
constexpr bool is_kind(std::uint16_t kind) noexcept {
  return kind == static_cast<std::uint16_t>(M::kKind);
}

template <class Io, class Header>
void header_fields(Io& io, Header& header, std::uint32_t& size) {
  std::uint32_t magic = kChannelMagic;
  std::uint16_t reserved = 0;
  io.number("magic", magic, kChannelMagic, kChannelMagic);
  io.number("major version", header.version.major, std::uint16_t{1});
  io.number("minor version", header.version.minor);
  io.number("kind", header.kind);
  io.number("reserved", reserved, std::uint16_t{0}, std::uint16_t{0});
  io.number("size", size);
  io.number("request", header.request);
}

template <class Io, class M>
void check_request(const Io& io, std::uint64_t request) {
  if (kMayBeUnasked<M>) return;
  io.require((request != 0) == kHasRequest<M>, "request", kHasRequest<M> ? "above 0" : "0", std::to_string(request));
}

// A message that looks the same in every version says in its list which one it was written in.
template <class Io, class M>
void check_version_is_listed(const Io& io, const M& message, ProtocolVersion version) {
  if constexpr (kOfAnyVersion<M>) {
    const bool is_listed = std::ranges::find(message.versions, version) != message.versions.end();
    io.require(is_listed, "versions", "a list with the message's own", to_string(message.versions));
  }
}

template <class M>
M read_body(std::span<const std::byte> bytes, const MessageHeader& header) {
  ByteReader reader(bytes.subspan(kMessageHeaderBytes), to_string(M::kKind));
  check_request<ByteReader, M>(reader, header.request);
  M message;
  if constexpr (kHasRequest<M>) message.request = header.request;
  fields(reader, message);
  check_version_is_listed(reader, message, header.version);
  const bool ours = header.version <= kProtocolVersion;
  reader.require(!ours || reader.unread() == 0, "size", "that of its fields",
                 std::to_string(reader.unread()) + " bytes more");
  return message;
}

template <class... M>
std::variant<M...> read_one_of(std::type_identity<std::variant<M...>> /*of*/, std::span<const std::byte> bytes) {
  const MessageHeader header = read_message_header(bytes);
  const ByteReader whole(bytes, "header");
  const bool is_of_any_version = ((kOfAnyVersion<M> && is_kind<M>(header.kind)) || ...);
  whole.require(is_of_any_version || header.version.major == kProtocolVersion.major, "major version",
                std::to_string(kProtocolVersion.major), std::to_string(header.version.major));
  std::optional<std::variant<M...>> message;
  ((is_kind<M>(header.kind) ? static_cast<void>(message = read_body<M>(bytes, header)) : void()), ...);
  whole.require(message.has_value(), "kind", "one that this side sends", std::to_string(header.kind));
  return std::move(*message);
}

template <class M>
std::vector<std::byte> write(const M& message) {
  ByteWriter writer(to_string(M::kKind));
  MessageHeader header{.version = kProtocolVersion, .kind = static_cast<std::uint16_t>(M::kKind), .request = 0};
  if constexpr (kHasRequest<M>) header.request = message.request;
  std::uint32_t size = 0;
  header_fields(writer, header, size);
  check_request<ByteWriter, M>(writer, header.request);
  fields(writer, message);
  check_version_is_listed(writer, message, header.version);

  std::vector<std::byte> bytes = writer.take();
  writer.require(bytes.size() <= platform::kMaxMessageBytes, "size",
                 "at most " + std::to_string(platform::kMaxMessageBytes), std::to_string(bytes.size()));
  size = static_cast<std::uint32_t>(bytes.size());
  std::memcpy(bytes.data() + 12, &size, sizeof(size));
  return bytes;
}

}  // namespace

MessageHeader read_message_header(std::span<const std::byte> bytes) {
  ByteReader reader(bytes, "header");
  reader.require(bytes.size() <= platform::kMaxMessageBytes, "size",
                 "at most " + std::to_string(platform::kMaxMessageBytes), std::to_string(bytes.size()));
  MessageHeader header;
  std::uint32_t size = 0;
  header_fields(reader, header, size);
  reader.require(size == bytes.size(), "size", std::to_string(bytes.size()), std::to_string(size));
  return header;
}

ClientMessage read_client_message(std::span<const std::byte> bytes) {
  return read_one_of(std::type_identity<ClientMessage>(), bytes);
}

WorkerMessage read_worker_message(std::span<const std::byte> bytes) {
  return read_one_of(std::type_identity<WorkerMessage>(), bytes);
}

std::vector<std::byte> write_any_message(const AnyMessage& message) {
  return std::visit([](const auto* one) { return write(*one); }, message);
}

}  // namespace remotemedia::detail

// SPDX-License-Identifier: Apache-2.0
//
// Messages between clients and workers: any bytes are refused as protocol_error, or they are a message that is written
// as the same bytes, in each direction.

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <type_traits>
#include <variant>
#include <vector>

#include "fuzzed_bytes.h"
#include "remotemedia/base/error.h"
#include "remotemedia/channel/channel_messages.h"
#include "remotemedia/platform/descriptor_channel.h"

using namespace remotemedia;
using namespace remotemedia::detail;

namespace {

using Bytes = std::vector<std::byte>;

template <class M>
constexpr bool kListsVersions = requires(M message) {
  message.versions;
};

template <class M>
constexpr bool kHasTensors = requires(M message) {
  message.tensors;
};

template <class M>
void check(const M& message, const Bytes& bytes) {
  if constexpr (kHasTensors<M>) {
    for (const MessageTensor& tensor : message.tensors) {
      testing::require(dense_size(tensor).fault == LayoutFault::none, "a tensor has a size");
    }
  }
  if constexpr (kListsVersions<M>) {  // perhaps of a version that is not written here
    const auto& versions = message.versions;
    if (std::ranges::find(versions, kProtocolVersion) == versions.end()) return;
  }
  const Bytes written = write_message(message);
  const ProtocolVersion version = read_message_header(bytes).version;
  if (version == kProtocolVersion) testing::require(written == bytes, "it is written as the same bytes");
  const Bytes& older = version > kProtocolVersion ? written : bytes;
  const Bytes& newer = version > kProtocolVersion ? bytes : written;
  testing::require(older.size() <= newer.size() && std::equal(older.begin() + kMessageHeaderBytes, older.end(),
                                                              newer.begin() + kMessageHeaderBytes),
                   "a newer version only adds");
}

template <class Read>
void read_or_refuse(Read&& read, const Bytes& bytes) {
  try {
    std::visit([&bytes](const auto& message) { check(message, bytes); }, read(bytes));
  } catch (const Error& error) {
    testing::require(error.code() == ErrorCode::protocol_error, "it is refused with its code");
  }
}

void read_both_ways(const Bytes& bytes) {
  read_or_refuse(read_client_message, bytes);
  read_or_refuse(read_worker_message, bytes);
}

void put(Bytes& bytes, std::size_t at, std::uint64_t value, std::size_t size) {
  std::memcpy(bytes.data() + at, &value, size);
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  const auto input = std::as_bytes(std::span(data, size));
  read_both_ways({input.begin(), input.end()});

  // The same as the body of a message whose header is right but for what its first bytes choose.
  testing::FuzzedBytes choices(data, size);
  const auto kind = choices.take<std::uint8_t>();
  const std::uint64_t request = choices.take<std::uint8_t>() % 2;
  const std::uint64_t minor = kProtocolVersion.minor + choices.take<std::uint8_t>() % 3 - std::uint64_t{1};
  Bytes bytes(kMessageHeaderBytes);
  bytes.insert(bytes.end(), choices.rest().begin(), choices.rest().end());
  put(bytes, 0, kChannelMagic, 4);
  put(bytes, 4, kProtocolVersion.major, 2);
  put(bytes, 6, minor, 2);
  put(bytes, 8, kind, 2);
  put(bytes, 12, bytes.size(), 4);
  put(bytes, 16, request, 8);
  read_both_ways(bytes);
  return 0;
}

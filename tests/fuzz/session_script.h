// SPDX-License-Identifier: Apache-2.0
//
// What the scripts of both session fuzzers have in common: the far side of a session, which says, writes and claims
// what a script's bytes tell it to; and what this process holds of the system.
//
// Linux only.

#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <optional>
#include <span>
#include <string_view>
#include <utility>
#include <vector>

#include "fuzzed_bytes.h"
#include "remotemedia/channel/message_limits.h"
#include "remotemedia/channel/session_rings.h"
#include "remotemedia/memory/record_ring.h"
#include "remotemedia/memory/segment_header.h"
#include "remotemedia/platform/descriptor_channel.h"
#include "remotemedia/platform/doorbell.h"
#include "remotemedia/tensor/tensor_descriptor.h"

namespace remotemedia::testing {

/// One of `values`.
template <class T, std::size_t N>
T choose(FuzzedBytes& script, const T (&values)[N]) {
  return values[script.take<std::uint8_t>() % N];
}

inline std::uint64_t odd_number(FuzzedBytes& script) {
  constexpr std::uint64_t kOdd[]{0,    1,    2,      3,    7,       63,      64,       255,
                                 256,  257,  4095,   4096, 4104,    65'536,  1U << 31, ~std::uint64_t{0} >> 1,
                                 4352, 8192, 40'000, 400,  262'144, 500'000, 1U << 20, ~std::uint64_t{0}};
  return script.take<std::uint8_t>() % 4 == 0 ? script.take<std::uint64_t>() : choose(script, kOdd);
}

/// Changes some of `bytes`, mostly none.
inline void damage(FuzzedBytes& script, std::span<std::byte> bytes) {
  const auto changes = script.take<std::uint8_t>();
  for (int left = changes < 160 ? 0 : changes % 4; left > 0 && !bytes.empty(); --left) {
    const std::size_t at = script.take<std::uint16_t>() % bytes.size();
    const std::uint64_t value = odd_number(script);
    const std::size_t width =
        std::min<std::size_t>(std::size_t{1} << script.take<std::uint8_t>() % 4, bytes.size() - at);
    std::memcpy(bytes.data() + at, &value, width);
  }
}

/// Of a tensor that is sent in chunks: where the next one begins, and how many bytes are not sent.
struct ChunksLeft {
  std::uint64_t request = 0;
  std::uint32_t tensor = 0;
  std::uint64_t offset = 0;
  std::size_t left = 0;
};

/// A session's far side. Its rings are there once use() was called.
class FarSide {
 public:
  explicit FarSide(platform::DescriptorChannel channel) : channel_(std::move(channel)) {}

  /// Lifetime:  the memory outlives it, and is this side's own and the near side's, behind their headers.
  void use(std::span<std::byte> own, std::span<const std::byte> peers, std::size_t depth, platform::Doorbell bell,
           platform::Doorbell peers_bell) {
    own_ = own;
    rings_.emplace(own, peers, depth, std::move(bell), std::move(peers_bell));
  }

  platform::DescriptorChannel& channel() { return channel_; }
  bool has_rings() const { return rings_.has_value(); }

  void say(std::vector<std::byte> bytes, FuzzedBytes& script, std::span<const platform::NativeHandle> handles = {}) {
    damage(script, bytes);
    if (!bytes.empty()) channel_.send(bytes, handles, TimePoint{});
  }

  /// As many bytes as the script says, of its own.
  void babble(FuzzedBytes& script) {
    std::vector<std::byte> bytes(1 + script.take<std::uint8_t>());
    for (std::byte& byte : bytes) byte = script.take<std::byte>();
    channel_.send(bytes, {}, TimePoint{});
  }

  void push(const TensorDescriptor& descriptor, FuzzedBytes& script) {
    if (!rings_) return;
    Record record = encode(descriptor);
    damage(script, record.bytes);
    try {
      rings_->push(record);
      rings_->wake_peer();
    } catch (const Error&) {  // its own counts are wrong by now
    }
  }

  std::optional<TensorDescriptor> pop() {
    try {
      Record record;
      if (rings_ && rings_->pop(record)) return decode(record);
    } catch (const Error&) {  // likewise
    }
    return std::nullopt;
  }

  /// Claims to have read or written that much.
  void claim(FuzzedBytes& script) {
    if (!rings_) return;
    const auto slot = script.take<std::uint8_t>();
    const std::size_t at = slot == 0 ? 0 : 128 + (slot - 1) * kRecordSlotBytes;
    if (at + sizeof(std::uint64_t) > own_.size()) return;
    std::atomic_ref(*reinterpret_cast<std::uint64_t*>(own_.data() + at)).store(odd_number(script));
    rings_->wake_peer();
  }

  /// Writes where it may, whatever lies there.
  static void scribble(std::span<std::byte> memory, FuzzedBytes& script) {
    if (memory.empty()) return;
    const std::size_t at = script.take<std::uint32_t>() % memory.size();
    const std::uint64_t value = odd_number(script);
    std::memcpy(memory.data() + at, &value, std::min(sizeof value, memory.size() - at));
  }

  std::span<std::byte> control() { return own_; }
  void begin_sleep() {
    if (rings_) rings_->begin_sleep();
  }

 private:
  platform::DescriptorChannel channel_;
  std::span<std::byte> own_;
  std::optional<detail::SessionRings> rings_;
};

/// What this process holds: descriptors, and mappings of memory that is shared.
struct HeldBySessions {
  std::size_t descriptors = 0;
  std::size_t mappings = 0;

  static HeldBySessions now() {
    HeldBySessions held;
    for ([[maybe_unused]] const auto& one : std::filesystem::directory_iterator("/proc/self/fd")) ++held.descriptors;
    static std::vector<char> text(std::size_t{1} << 20);
    std::ifstream maps("/proc/self/maps");
    maps.read(text.data(), static_cast<std::streamsize>(text.size()));
    const std::string_view all(text.data(), static_cast<std::size_t>(maps.gcount()));
    for (std::size_t at = all.find("/memfd:"); at != std::string_view::npos; at = all.find("/memfd:", at + 1)) {
      ++held.mappings;
    }
    return held;
  }

  bool operator==(const HeldBySessions&) const = default;
};

}  // namespace remotemedia::testing

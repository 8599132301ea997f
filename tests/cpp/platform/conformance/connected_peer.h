// SPDX-License-Identifier: Apache-2.0
//
// A peer that has come and is connected, and what tests say to it.

#pragma once

#include <gtest/gtest.h>

#include <array>
#include <chrono>
#include <cstddef>
#include <filesystem>
#include <span>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

#include "platform/conformance/peer_process.h"
#include "remotemedia/platform/descriptor_channel.h"
#include "remotemedia/platform/machine.h"
#include "remotemedia/platform/monotonic_clock.h"

namespace remotemedia::testing {

/// Longer than anything takes that happens at all.
inline TimePoint soon() { return later(monotonic_clock().now(), std::chrono::seconds{30}); }

/// Has passed: those who get it only look.
inline TimePoint now() { return TimePoint::min(); }

inline std::span<const std::byte> bytes_of(std::string_view text) { return std::as_bytes(std::span(text)); }

inline std::string text_of(const platform::Message& message) {
  return {reinterpret_cast<const char*>(message.bytes.data()), message.bytes.size()};
}

/// A folder for addresses that no other test uses.
class AddressFolder {
 public:
  AddressFolder() : path_(platform::run_directory() / name()) { std::filesystem::create_directory(path_); }
  AddressFolder(const AddressFolder&) = delete;
  AddressFolder& operator=(const AddressFolder&) = delete;
  ~AddressFolder() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }

  const std::filesystem::path& path() const noexcept { return path_; }
  std::filesystem::path operator/(const std::string& one) const { return path_ / one; }

 private:
  static std::string name() {
    std::array<std::byte, 4> random{};
    platform::random_bytes(random);
    std::string name = "test-";
    for (const std::byte one : random) name += static_cast<char>('a' + std::to_integer<int>(one) % 26);
    return name + std::to_string(platform::process_id());
  }

  std::filesystem::path path_;
};

/// A peer in `role`, whose first argument is where it has connected to.
class ConnectedPeer {
 public:
  explicit ConnectedPeer(const std::string& role, const std::vector<std::string>& arguments = {})
      : ConnectedPeer(role, arguments, AddressFolder()) {}

  PeerProcess process;
  platform::DescriptorChannel channel;

 private:
  ConnectedPeer(const std::string& role, const std::vector<std::string>& arguments, const AddressFolder& folder)
      : ConnectedPeer(role, arguments, folder / "peer", platform::ChannelListener::listen(folder / "peer")) {}

  ConnectedPeer(const std::string& role, std::vector<std::string> arguments, const std::filesystem::path& address,
                platform::ChannelListener listener)
      : process(role, (arguments.insert(arguments.begin(), address.string()), arguments)),
        channel(listener.accept(soon()).value()) {}
};

/// The peer's side of it.
inline platform::DescriptorChannel connect_back(const std::vector<std::string>& arguments) {
  return platform::DescriptorChannel::connect(arguments.at(0), soon());
}

inline void say(platform::DescriptorChannel& channel, std::string_view text,
                std::span<const platform::NativeHandle> handles = {}) {
  EXPECT_TRUE(channel.send(bytes_of(text), handles, soon())) << "while saying " << text;
}

/// The next message, which must come and be `text`.
inline platform::Message expect_message(platform::DescriptorChannel& channel, std::string_view text) {
  platform::Message message;
  EXPECT_EQ(channel.receive(message, soon()), platform::DescriptorChannel::Received::message);
  EXPECT_EQ(text_of(message), text);
  return message;
}

}  // namespace remotemedia::testing

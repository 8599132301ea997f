// SPDX-License-Identifier: Apache-2.0

#include "remotemedia/platform/descriptor_channel_linux.h"

#include <sys/socket.h>
#include <sys/time.h>
#include <sys/un.h>

#include <algorithm>
#include <array>
#include <chrono>
#include <string>
#include <utility>

#include "remotemedia/platform/call_posix.h"
#include "remotemedia/platform/channel_listener_posix.h"
#include "remotemedia/platform/descriptor_channel.h"
#include "remotemedia/platform/monotonic_clock.h"
#include "remotemedia/platform/os_error.h"
#include "remotemedia/platform/unix_socket_posix.h"

namespace remotemedia::platform {
namespace {

/// connect() waits for room in the listener's queue; this is how long. No time at all would mean for ever.
void set_patience(int socket, TimePoint deadline) {
  using std::chrono::microseconds;
  constexpr std::int64_t kSecond = 1'000'000;
  timeval time{};
  if (deadline != TimePoint::max()) {
    const Duration left = deadline - std::min(deadline, monotonic_clock().now());
    const std::int64_t count = std::max<std::int64_t>(std::chrono::ceil<microseconds>(left).count(), 1);
    time = {.tv_sec = count / kSecond, .tv_usec = count % kSecond};
  }
  if (setsockopt(socket, SOL_SOCKET, SO_SNDTIMEO, &time, sizeof time) != 0) throw_os_error("setsockopt", "connect");
}

}  // namespace

DescriptorChannel::DescriptorChannel() noexcept = default;
DescriptorChannel::DescriptorChannel(DescriptorChannel&&) noexcept = default;
DescriptorChannel& DescriptorChannel::operator=(DescriptorChannel&&) noexcept = default;
DescriptorChannel::~DescriptorChannel() = default;
DescriptorChannel::DescriptorChannel(std::unique_ptr<Impl> impl) noexcept : impl_(std::move(impl)) {}
DescriptorChannel::operator bool() const noexcept { return impl_ != nullptr; }

DescriptorChannel DescriptorChannel::connect(const std::filesystem::path& address, TimePoint deadline) {
  const sockaddr_un name = unix_address(address);
  OwnedHandle socket = channel_socket();
  for (;;) {
    set_patience(descriptor(socket), deadline);
    if (::connect(descriptor(socket), reinterpret_cast<const sockaddr*>(&name), sizeof name) == 0) break;
    if (errno == EINTR) continue;
    throw OsError("connect", errno == EAGAIN ? ETIMEDOUT : errno, "connect to " + address.string());
  }
  return DescriptorChannel(std::make_unique<Impl>(std::move(socket)));
}

std::pair<DescriptorChannel, DescriptorChannel> DescriptorChannel::pair() {
  std::array<int, 2> ends{-1, -1};
  if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends.data()) != 0) {
    throw_os_error("socketpair", "make a pair of channels");
  }
  OwnedHandle one(ends[0]);
  OwnedHandle other(ends[1]);
  return {DescriptorChannel(std::make_unique<Impl>(std::move(one))),
          DescriptorChannel(std::make_unique<Impl>(std::move(other)))};
}

bool DescriptorChannel::send(std::span<const std::byte> bytes, std::span<const NativeHandle> handles,
                             TimePoint deadline) {
  return impl_->send(bytes, handles, deadline);
}

DescriptorChannel::Received DescriptorChannel::receive(Message& message, TimePoint deadline) {
  return impl_->receive(message, deadline);
}

PeerIdentity DescriptorChannel::peer() const { return peer_of(descriptor(impl_->socket)); }

bool DescriptorChannel::peer_has_left() const { return wait_for_event(descriptor(impl_->socket), 0, TimePoint::min()); }

void DescriptorChannel::shut_down() noexcept { shutdown(descriptor(impl_->socket), SHUT_RDWR); }

NativeHandle DescriptorChannel::wait_handle() const noexcept { return impl_ ? impl_->socket.get() : kNoHandle; }

std::optional<DescriptorChannel> ChannelListener::accept(TimePoint deadline) {
  OwnedHandle caller = impl_->accept(deadline);
  if (!caller) return std::nullopt;
  return DescriptorChannel(std::make_unique<DescriptorChannel::Impl>(std::move(caller)));
}

}  // namespace remotemedia::platform

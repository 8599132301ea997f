// SPDX-License-Identifier: Apache-2.0

#include "remotemedia/platform/descriptor_channel_macos.h"

#include <libproc.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/un.h>

#include <array>
#include <cerrno>
#include <string>
#include <utility>

#include "remotemedia/platform/call_posix.h"
#include "remotemedia/platform/channel_listener_posix.h"
#include "remotemedia/platform/monotonic_clock.h"
#include "remotemedia/platform/os_error.h"
#include "remotemedia/platform/unix_socket_macos.h"
#include "remotemedia/platform/unix_socket_posix.h"

namespace remotemedia::platform {

std::int64_t started_at(std::int64_t process) noexcept {
  proc_bsdinfo info{};
  const int size = proc_pidinfo(static_cast<int>(process), PROC_PIDTBSDINFO, 0, &info, sizeof info);
  if (size != static_cast<int>(sizeof info)) return 0;
  return static_cast<std::int64_t>(info.pbi_start_tvsec * 1'000'000 + info.pbi_start_tvusec);
}

DescriptorChannel::DescriptorChannel() noexcept = default;
DescriptorChannel::DescriptorChannel(DescriptorChannel&&) noexcept = default;
DescriptorChannel& DescriptorChannel::operator=(DescriptorChannel&&) noexcept = default;
DescriptorChannel::~DescriptorChannel() = default;
DescriptorChannel::DescriptorChannel(std::unique_ptr<Impl> impl) noexcept : impl_(std::move(impl)) {}
DescriptorChannel::operator bool() const noexcept { return impl_ != nullptr; }

DescriptorChannel DescriptorChannel::connect(const std::filesystem::path& address, TimePoint deadline) {
  const sockaddr_un name = unix_address(address);
  for (;;) {
    OwnedHandle socket = channel_socket();
    const auto* const target = reinterpret_cast<const sockaddr*>(&name);
    if (uninterrupted([&] { return ::connect(descriptor(socket), target, sizeof name); }) == 0) {
      return DescriptorChannel(std::make_unique<Impl>(std::move(socket)));
    }
    const int error = errno;
    // This system says the same where nobody listens and where the queue of those who wait is full.
    const bool full = error == ECONNREFUSED && occupant_of(address) == Occupant::live_socket;
    if (!full) throw OsError("connect", error, "connect to " + address.string());
    if (monotonic_clock().now() >= deadline) throw OsError("connect", ETIMEDOUT, "connect to " + address.string());
    poll(nullptr, 0, 1);  // nothing tells when there is room in the queue
  }
}

std::pair<DescriptorChannel, DescriptorChannel> DescriptorChannel::pair() {
  std::array<int, 2> ends{-1, -1};
  if (socketpair(AF_UNIX, SOCK_STREAM, 0, ends.data()) != 0) throw_os_error("socketpair", "make a pair of channels");
  OwnedHandle one(ends[0]);
  OwnedHandle other(ends[1]);
  if (!prepare_socket(ends[0]) || !prepare_socket(ends[1])) throw_os_error("fcntl", "make a pair of channels");
  auto first = std::make_unique<Impl>(std::move(one));
  auto second = std::make_unique<Impl>(std::move(other));
  return {DescriptorChannel(std::move(first)), DescriptorChannel(std::move(second))};
}

bool DescriptorChannel::send(std::span<const std::byte> bytes, std::span<const NativeHandle> handles,
                             TimePoint deadline) {
  return impl_->send(bytes, handles, deadline);
}

DescriptorChannel::Received DescriptorChannel::receive(Message& message, TimePoint deadline) {
  return impl_->receive(message, deadline);
}

PeerIdentity DescriptorChannel::peer() const { return impl_->peer; }

bool DescriptorChannel::peer_has_left() const { return wait_for_event(descriptor(impl_->socket), 0, TimePoint::min()); }

void DescriptorChannel::shut_down() noexcept { shutdown(descriptor(impl_->socket), SHUT_RDWR); }

NativeHandle DescriptorChannel::wait_handle() const noexcept { return impl_ ? impl_->socket.get() : kNoHandle; }

std::optional<DescriptorChannel> ChannelListener::accept(TimePoint deadline) {
  OwnedHandle caller = impl_->accept(deadline);
  if (!caller) return std::nullopt;
  return DescriptorChannel(std::make_unique<DescriptorChannel::Impl>(std::move(caller)));
}

}  // namespace remotemedia::platform

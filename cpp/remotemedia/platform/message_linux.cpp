// SPDX-License-Identifier: Apache-2.0
//
// One message each way.

#include <poll.h>
#include <sys/socket.h>

#include <array>
#include <cstring>
#include <string>
#include <utility>

#include "remotemedia/base/error.h"
#include "remotemedia/platform/call_posix.h"
#include "remotemedia/platform/descriptor_channel_linux.h"

namespace remotemedia::platform {
namespace {

constexpr std::size_t kHandleBytes = kMaxMessageHandles * sizeof(int);

/// Room for the handles of one message and for nothing else: the system closes what is beyond it, and says so.
struct alignas(cmsghdr) Control {
  std::array<char, CMSG_SPACE(kHandleBytes)> bytes{};
};

void check_sizes(std::size_t bytes, std::size_t handles) {
  if (bytes == 0 || bytes > kMaxMessageBytes || handles > kMaxMessageHandles) {
    throw Error(ErrorCode::invalid_argument, "a message has 1 to " + std::to_string(kMaxMessageBytes) +
                                                 " bytes and at most " + std::to_string(kMaxMessageHandles) +
                                                 " handles, not " + std::to_string(bytes) + " and " +
                                                 std::to_string(handles));
  }
}

void put_handles(msghdr& header, Control& control, std::span<const NativeHandle> handles) {
  if (handles.empty()) return;
  std::array<int, kMaxMessageHandles> descriptors{};
  for (std::size_t i = 0; i < handles.size(); ++i) descriptors.at(i) = descriptor(handles[i]);
  const std::size_t size = handles.size() * sizeof(int);
  header.msg_control = control.bytes.data();
  header.msg_controllen = CMSG_SPACE(size);
  cmsghdr* const part = CMSG_FIRSTHDR(&header);
  part->cmsg_level = SOL_SOCKET;
  part->cmsg_type = SCM_RIGHTS;
  part->cmsg_len = CMSG_LEN(size);
  std::memcpy(CMSG_DATA(part), descriptors.data(), size);
}

/// Owns what came before anything else can fail: `handles` has room for all of it.
void take_handles(msghdr& header, std::vector<OwnedHandle>& handles) noexcept {
  for (cmsghdr* part = CMSG_FIRSTHDR(&header); part != nullptr; part = CMSG_NXTHDR(&header, part)) {
    if (part->cmsg_level != SOL_SOCKET || part->cmsg_type != SCM_RIGHTS) continue;
    const std::size_t count = (part->cmsg_len - CMSG_LEN(0)) / sizeof(int);
    for (std::size_t i = 0; i < count; ++i) {
      int one = -1;
      std::memcpy(&one, CMSG_DATA(part) + i * sizeof(int), sizeof one);
      handles.emplace_back(one);
    }
  }
}

}  // namespace

DescriptorChannel::Impl::Impl(OwnedHandle connected)
    : socket(std::move(connected)), incoming_(new std::byte[kMaxMessageBytes]) {}

bool DescriptorChannel::Impl::send(std::span<const std::byte> bytes, std::span<const NativeHandle> handles,
                                   TimePoint deadline) {
  check_sizes(bytes.size(), handles.size());
  iovec part{.iov_base = const_cast<std::byte*>(bytes.data()), .iov_len = bytes.size()};
  Control control;
  msghdr header{};
  header.msg_iov = &part;
  header.msg_iovlen = 1;
  put_handles(header, control, handles);
  while (!given_up_) {
    if (uninterrupted([&] { return sendmsg(descriptor(socket), &header, MSG_NOSIGNAL | MSG_DONTWAIT); }) != -1) {
      return true;
    }
    if (errno == EPIPE || errno == ECONNRESET) return false;
    if (errno != EAGAIN) throw_os_error("sendmsg", "send a message of " + std::to_string(bytes.size()) + " bytes");
    if (!wait_for_event(descriptor(socket), POLLOUT, deadline)) return false;
  }
  return false;
}

DescriptorChannel::Received DescriptorChannel::Impl::receive(Message& message, TimePoint deadline) {
  message.bytes.clear();
  message.handles.clear();
  message.handles.reserve(kMaxMessageHandles);
  while (!given_up_) {
    iovec part{.iov_base = incoming_.get(), .iov_len = kMaxMessageBytes};
    Control control;
    msghdr header{};
    header.msg_iov = &part;
    header.msg_iovlen = 1;
    header.msg_control = control.bytes.data();
    header.msg_controllen = control.bytes.size();
    const ssize_t size =
        uninterrupted([&] { return recvmsg(descriptor(socket), &header, MSG_CMSG_CLOEXEC | MSG_DONTWAIT); });
    if (size >= 0) {
      take_handles(header, message.handles);
      if ((header.msg_flags & MSG_TRUNC) != 0) give_up(message, "it is larger than a message can be");
      if ((header.msg_flags & MSG_CTRUNC) != 0) give_up(message, "not all of its handles could be received");
      if (size == 0) return end_or_empty(message);
      message.bytes.assign(incoming_.get(), incoming_.get() + size);
      return Received::message;
    }
    if (errno == ECONNRESET) continue;  // said once by a peer that left without reading all; what it sent follows
    if (errno != EAGAIN) throw_os_error("recvmsg", "receive a message");
    if (!wait_for_event(descriptor(socket), POLLIN, deadline)) return Received::nothing;
  }
  return Received::closed;
}

DescriptorChannel::Received DescriptorChannel::Impl::end_or_empty(Message& message) {
  pollfd entry{.fd = descriptor(socket), .events = POLLRDHUP, .revents = 0};
  const bool ended = uninterrupted([&] { return poll(&entry, 1, 0); }) == 1;
  if (!ended || !message.handles.empty()) give_up(message, "it is empty");
  return Received::closed;
}

void DescriptorChannel::Impl::give_up(Message& message, const char* why) {
  given_up_ = true;
  message.handles.clear();
  shutdown(descriptor(socket), SHUT_RDWR);
  throw Error(ErrorCode::protocol_error, std::string("a message from the peer is refused: ") + why);
}

}  // namespace remotemedia::platform

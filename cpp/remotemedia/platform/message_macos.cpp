// SPDX-License-Identifier: Apache-2.0
//
// One message each way. A message goes out in one call, and SO_SNDLOWAT makes this system take all of it or nothing.
// Descriptors belong to the first byte.

#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <sys/uio.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <string>
#include <utility>

#include "remotemedia/base/error.h"
#include "remotemedia/platform/call_posix.h"
#include "remotemedia/platform/descriptor_channel_macos.h"
#include "remotemedia/platform/unix_socket_posix.h"

namespace remotemedia::platform {
namespace {

constexpr std::size_t kMostHandleBytes = kMaxMessageHandles * sizeof(int);
constexpr std::size_t kMostBytes = sizeof(MessageHeader) + kMaxMessageBytes;

/// More than this system passes in one message (MCLBYTES, 2048). What does not fit would stay open in this process, and
/// nobody would know its number.
constexpr std::size_t kControlBytes = 4096;

/// Room for some messages. A socket is ready to be written where the largest fits, and takes all of it or nothing.
void size_queue(int socket) {
  const int queue = 4 * kMostBytes;
  const int largest = kMostBytes + CMSG_SPACE(kMostHandleBytes);
  const bool sized = setsockopt(socket, SOL_SOCKET, SO_SNDBUF, &queue, sizeof queue) == 0 &&
                     setsockopt(socket, SOL_SOCKET, SO_RCVBUF, &queue, sizeof queue) == 0 &&
                     setsockopt(socket, SOL_SOCKET, SO_SNDLOWAT, &largest, sizeof largest) == 0;
  // EINVAL is what a socket says whose peer has gone already: there is nothing to send any more.
  if (!sized && errno != EINVAL) throw_os_error("setsockopt", "prepare a channel");
}

/// A socket whose peer has gone before it was prepared takes no options, and raises SIGPIPE if something is sent.
bool raises_no_signal(int socket) noexcept {
  int quiet = 0;
  socklen_t size = sizeof quiet;
  return getsockopt(socket, SOL_SOCKET, SO_NOSIGPIPE, &quiet, &size) == 0 && quiet != 0;
}

void check_sizes(std::size_t bytes, std::size_t handles) {
  if (bytes == 0 || bytes > kMaxMessageBytes || handles > kMaxMessageHandles) {
    throw Error(ErrorCode::invalid_argument, "a message has 1 to " + std::to_string(kMaxMessageBytes) +
                                                 " bytes and at most " + std::to_string(kMaxMessageHandles) +
                                                 " handles, not " + std::to_string(bytes) + " and " +
                                                 std::to_string(handles));
  }
}

/// A message on its way out.
class Outgoing {
 public:
  Outgoing(std::span<const std::byte> bytes, std::span<const NativeHandle> handles)
      : header_{.bytes = static_cast<std::uint32_t>(bytes.size()),
                .handles = static_cast<std::uint32_t>(handles.size())},
        bytes_(bytes) {
    if (handles.empty()) return;
    std::array<int, kMaxMessageHandles> descriptors{};
    for (std::size_t i = 0; i < handles.size(); ++i) descriptors.at(i) = descriptor(handles[i]);
    const std::size_t size = handles.size() * sizeof(int);
    auto* const part = reinterpret_cast<cmsghdr*>(control_.data());
    part->cmsg_level = SOL_SOCKET;
    part->cmsg_type = SCM_RIGHTS;
    part->cmsg_len = static_cast<socklen_t>(CMSG_LEN(size));
    std::memcpy(CMSG_DATA(part), descriptors.data(), size);
    control_bytes_ = CMSG_LEN(size);  // not CMSG_SPACE: this system wants no byte behind the last descriptor
  }

  /// As sendmsg() does it.
  ssize_t send_to(int socket) noexcept {
    const std::size_t of_header = std::min(sent_, sizeof header_);
    const std::size_t of_bytes = sent_ - of_header;
    std::array<iovec, 2> parts{
        iovec{.iov_base = reinterpret_cast<std::byte*>(&header_) + of_header, .iov_len = sizeof header_ - of_header},
        iovec{.iov_base = const_cast<std::byte*>(bytes_.data()) + of_bytes, .iov_len = bytes_.size() - of_bytes}};
    msghdr message{};
    message.msg_iov = parts.data();
    message.msg_iovlen = parts.size();
    if (sent_ == 0 && control_bytes_ > 0) {
      message.msg_control = control_.data();
      message.msg_controllen = static_cast<socklen_t>(control_bytes_);
    }
    const ssize_t size = uninterrupted([&] { return sendmsg(socket, &message, 0); });
    if (size > 0) sent_ += static_cast<std::size_t>(size);
    return size;
  }

  bool begun() const noexcept { return sent_ > 0; }
  bool done() const noexcept { return sent_ == sizeof header_ + bytes_.size(); }

 private:
  MessageHeader header_;
  std::span<const std::byte> bytes_;
  std::size_t sent_ = 0;
  std::size_t control_bytes_ = 0;
  alignas(cmsghdr) std::array<std::byte, CMSG_SPACE(kMostHandleBytes)> control_{};
};

bool peer_is_gone(int error) noexcept { return error == EPIPE || error == ECONNRESET || error == ENOTCONN; }

bool handles_did_not_fit(int error) noexcept {
  return error == EMSGSIZE || error == EMFILE || error == ENFILE || error == ENOBUFS || error == ENOMEM;
}

void take_handles(msghdr& header, std::vector<OwnedHandle>& handles) {
  for (cmsghdr* part = CMSG_FIRSTHDR(&header); part != nullptr; part = CMSG_NXTHDR(&header, part)) {
    if (part->cmsg_level != SOL_SOCKET || part->cmsg_type != SCM_RIGHTS) continue;
    const std::size_t count = (part->cmsg_len - CMSG_LEN(0)) / sizeof(int);
    for (std::size_t i = 0; i < count; ++i) {
      int one = -1;
      std::memcpy(&one, CMSG_DATA(part) + i * sizeof(int), sizeof one);
      OwnedHandle handle(one);
      fcntl(one, F_SETFD, FD_CLOEXEC);
      if (handles.size() <= kMaxMessageHandles) handles.push_back(std::move(handle));  // one too many is told as well
    }
  }
}

}  // namespace

DescriptorChannel::Impl::Impl(OwnedHandle connected)
    : socket(std::move(connected)), peer(peer_of(descriptor(socket))), can_send_(raises_no_signal(descriptor(socket))) {
  peer_started = started_at(peer.process);
  // A number to which the open end still answers belongs to the process that was asked for.
  if (peer_of(descriptor(socket)).process != peer.process) peer_started = 0;
  incoming_.handles.reserve(kMaxMessageHandles + 1);
  size_queue(descriptor(socket));
}

bool DescriptorChannel::Impl::send(std::span<const std::byte> bytes, std::span<const NativeHandle> handles,
                                   TimePoint deadline) {
  check_sizes(bytes.size(), handles.size());
  if (!can_send_) return false;
  Outgoing message(bytes, handles);
  while (!message.done()) {
    // Ready to be written means that there is room for the largest message: a queue is full for all or for none.
    if (!wait_for_event(descriptor(socket), POLLOUT, deadline)) {
      if (message.begun()) shutdown(descriptor(socket), SHUT_RDWR);  // what follows would be read as its rest
      return false;
    }
    if (message.send_to(descriptor(socket)) >= 0 || errno == EAGAIN) continue;
    if (peer_is_gone(errno)) return false;
    throw_os_error("sendmsg", "send a message of " + std::to_string(bytes.size()) + " bytes");
  }
  return true;
}

DescriptorChannel::Received DescriptorChannel::Impl::receive(Message& message, TimePoint deadline) {
  message.bytes.clear();
  message.handles.clear();
  while (!given_up_ && !is_complete()) {
    const Read read = read_some();
    if (read == Read::end) return Received::closed;
    if (read == Read::nothing && !wait_for_event(descriptor(socket), POLLIN, deadline)) return Received::nothing;
  }
  if (given_up_) return Received::closed;
  std::swap(message, incoming_);
  incoming_.handles.reserve(kMaxMessageHandles + 1);
  arrived_ = 0;
  return Received::message;
}

bool DescriptorChannel::Impl::is_complete() const noexcept {
  return arrived_ > sizeof header_ && arrived_ == sizeof header_ + header_.bytes;
}

/// Never reads beyond the message, so that descriptors come with the message that they belong to.
DescriptorChannel::Impl::Read DescriptorChannel::Impl::read_some() {
  const bool in_header = arrived_ < sizeof header_;
  iovec part{};
  if (in_header) {
    part = {.iov_base = reinterpret_cast<std::byte*>(&header_) + arrived_, .iov_len = sizeof header_ - arrived_};
  } else {
    const std::size_t done = arrived_ - sizeof header_;
    part = {.iov_base = incoming_.bytes.data() + done, .iov_len = incoming_.bytes.size() - done};
  }
  alignas(cmsghdr) std::array<std::byte, kControlBytes> control{};
  msghdr header{};
  header.msg_iov = &part;
  header.msg_iovlen = 1;
  header.msg_control = control.data();
  header.msg_controllen = static_cast<socklen_t>(control.size());
  const ssize_t size = uninterrupted([&] { return recvmsg(descriptor(socket), &header, 0); });
  if (size == -1 && errno == EAGAIN) return Read::nothing;
  if (size == -1 && handles_did_not_fit(errno)) give_up("not all of its handles could be received");
  if (size == -1 && !peer_is_gone(errno)) throw_os_error("recvmsg", "receive a message");
  if (size <= 0) {
    if (arrived_ > 0) give_up("its sender went in the middle of it");
    return Read::end;
  }
  take_handles(header, incoming_.handles);
  if ((header.msg_flags & MSG_CTRUNC) != 0) give_up("not all of its handles could be received");
  arrived_ += static_cast<std::size_t>(size);
  if (in_header && arrived_ == sizeof header_) begin_message();
  if (incoming_.handles.size() > kMaxMessageHandles || (is_complete() && incoming_.handles.size() != header_.handles)) {
    give_up("it came with " + std::to_string(incoming_.handles.size()) + " handles or more and says to have " +
            std::to_string(header_.handles));
  }
  return Read::some;
}

void DescriptorChannel::Impl::begin_message() {
  if (header_.bytes == 0) give_up("it is empty");
  if (header_.bytes > kMaxMessageBytes || header_.handles > kMaxMessageHandles) {
    give_up("it is larger than a message can be");
  }
  incoming_.bytes.resize(header_.bytes);
}

void DescriptorChannel::Impl::give_up(const std::string& why) {
  given_up_ = true;
  incoming_ = {};
  shutdown(descriptor(socket), SHUT_RDWR);
  throw Error(ErrorCode::protocol_error, "a message from the peer is refused: " + why);
}

}  // namespace remotemedia::platform

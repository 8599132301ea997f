// SPDX-License-Identifier: Apache-2.0

#include <algorithm>
#include <string>
#include <utility>

#include "remotemedia/platform/address_windows.h"
#include "remotemedia/platform/channel_windows.h"
#include "remotemedia/platform/descriptor_channel.h"
#include "remotemedia/platform/os_error.h"

namespace remotemedia::platform {
namespace {

[[noreturn]] void nobody_listens(const std::filesystem::path& address) {
  throw Error(ErrorCode::shared_memory_unavailable,
              "asked to connect to " + address.string() + ", found nobody of this user listening there");
}

/// The server learns who connects, and cannot act as he.
OwnedHandle try_to_open(const std::wstring& name) noexcept {
  return OwnedHandle(
      native(CreateFileW(name.c_str(), GENERIC_READ | GENERIC_WRITE, 0, nullptr, OPEN_EXISTING,
                         FILE_FLAG_OVERLAPPED | SECURITY_SQOS_PRESENT | SECURITY_IDENTIFICATION, nullptr)));
}

void read_whole_messages(const OwnedHandle& pipe) {
  DWORD mode = PIPE_READMODE_MESSAGE;
  if (SetNamedPipeHandleState(raw(pipe), &mode, nullptr, nullptr) == FALSE) {
    throw OsError("SetNamedPipeHandleState", last_error(), "connect");
  }
}

OwnedHandle open_pipe(const std::wstring& name, const std::filesystem::path& address, TimePoint deadline) {
  for (;;) {
    OwnedHandle pipe = try_to_open(name);
    if (pipe) return pipe;
    const int error = last_error();
    if (error == ERROR_FILE_NOT_FOUND) nobody_listens(address);
    if (error != ERROR_PIPE_BUSY) throw OsError("CreateFile", error, "connect to " + address.string());
    const DWORD patience = milliseconds_until(deadline);
    if (patience == 0) throw OsError("WaitNamedPipe", ERROR_SEM_TIMEOUT, "connect to " + address.string());
    WaitNamedPipeW(name.c_str(), patience);
  }
}

}  // namespace

DescriptorChannel DescriptorChannel::connect(const std::filesystem::path& address, TimePoint deadline) {
  check_address(address);
  const std::optional<std::wstring> name = read_address(address);
  if (!name) nobody_listens(address);
  OwnedHandle pipe = open_pipe(*name, address, deadline);
  PipePeer peer = peer_of(pipe, false);
  if (!peer.identity.same_user) nobody_listens(address);
  read_whole_messages(pipe);
  return DescriptorChannel(std::make_unique<Impl>(std::move(pipe), std::move(peer)));
}

std::pair<DescriptorChannel, DescriptorChannel> DescriptorChannel::pair() {
  const std::wstring name = random_pipe_name();
  OwnedHandle one = create_pipe(name, true);
  OwnedHandle other = try_to_open(name);
  if (!other) throw OsError("CreateFile", last_error(), "make a pair of channels");
  read_whole_messages(other);
  PipePeer peer_of_one = peer_of(one, true);
  PipePeer peer_of_other = peer_of(other, false);
  return {DescriptorChannel(std::make_unique<Impl>(std::move(one), std::move(peer_of_one))),
          DescriptorChannel(std::make_unique<Impl>(std::move(other), std::move(peer_of_other)))};
}

DescriptorChannel::DescriptorChannel() noexcept = default;
DescriptorChannel::DescriptorChannel(std::unique_ptr<Impl> impl) noexcept : impl_(std::move(impl)) {}
DescriptorChannel::DescriptorChannel(DescriptorChannel&&) noexcept = default;
DescriptorChannel& DescriptorChannel::operator=(DescriptorChannel&&) noexcept = default;
DescriptorChannel::~DescriptorChannel() = default;

bool DescriptorChannel::send(std::span<const std::byte> bytes, std::span<const NativeHandle> handles,
                             TimePoint deadline) {
  if (bytes.empty() || bytes.size() > kMaxMessageBytes || handles.size() > kMaxMessageHandles) {
    throw Error(ErrorCode::invalid_argument, "asked to send " + std::to_string(bytes.size()) + " bytes and " +
                                                 std::to_string(handles.size()) + " handles: 1 to " +
                                                 std::to_string(kMaxMessageBytes) + " and up to " +
                                                 std::to_string(kMaxMessageHandles) + " go");
  }
  return impl_->send(bytes, handles, deadline);
}

DescriptorChannel::Received DescriptorChannel::receive(Message& message, TimePoint deadline) {
  return impl_->receive(message, deadline);
}

PeerIdentity DescriptorChannel::peer() const { return impl_->peer().identity; }
bool DescriptorChannel::peer_has_left() const { return false; }
void DescriptorChannel::shut_down() noexcept { impl_->shut_down(); }
NativeHandle DescriptorChannel::wait_handle() const noexcept { return impl_->wait_handle(); }
DescriptorChannel::operator bool() const noexcept { return impl_ != nullptr; }

}  // namespace remotemedia::platform

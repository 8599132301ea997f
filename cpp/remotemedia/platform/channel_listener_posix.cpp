// SPDX-License-Identifier: Apache-2.0

#include "remotemedia/platform/channel_listener_posix.h"

#include <poll.h>
#include <unistd.h>

#include <memory>
#include <string>
#include <utility>

#include "remotemedia/base/error.h"
#include "remotemedia/platform/call_posix.h"
#include "remotemedia/platform/os_error.h"
#include "remotemedia/platform/unix_socket_posix.h"

namespace remotemedia::platform {
namespace {

constexpr int kQueue = 128;

}  // namespace

ChannelListener::Impl::Impl(std::filesystem::path path)
    : socket(channel_socket()), path_(std::move(path)), address_(path_), spare_(spare_descriptor()) {
  const std::string what = "listen at " + path_.string();
  if (!spare_) throw_os_error("open", what);
  const sockaddr_un address = unix_address(address_.unfinished());
  if (bind(descriptor(socket), reinterpret_cast<const sockaddr*>(&address), sizeof address) != 0) {
    throw_os_error("bind", what);
  }
  if (::listen(descriptor(socket), kQueue) != 0) throw_os_error("listen", what);
  address_.publish();
}

OwnedHandle ChannelListener::Impl::accept(TimePoint deadline) {
  if (!spare_) spare_ = spare_descriptor();
  while (wait_for_event(descriptor(socket), POLLIN, deadline)) {
    OwnedHandle caller = accept_socket(descriptor(socket));
    if (caller && peer_of(descriptor(caller)).same_user) return caller;
    if (caller || errno == ECONNABORTED || errno == EAGAIN) continue;
    if (const int refused = errno; refused == EMFILE || refused == ENFILE) {
      turn_away_caller(descriptor(socket), spare_);
      throw OsError("accept", refused, "accept a caller at " + path_.string() + ", who is turned away");
    }
    throw_os_error("accept", "accept a caller at " + path_.string());
  }
  return {};
}

ChannelListener::ChannelListener() noexcept = default;
ChannelListener::ChannelListener(ChannelListener&&) noexcept = default;
ChannelListener& ChannelListener::operator=(ChannelListener&&) noexcept = default;
ChannelListener::~ChannelListener() = default;
ChannelListener::ChannelListener(std::unique_ptr<Impl> impl) noexcept : impl_(std::move(impl)) {}
ChannelListener::operator bool() const noexcept { return impl_ != nullptr; }

ChannelListener ChannelListener::listen(const std::filesystem::path& address) {
  return ChannelListener(std::make_unique<Impl>(address));
}

NativeHandle ChannelListener::wait_handle() const noexcept { return impl_ ? impl_->socket.get() : kNoHandle; }

}  // namespace remotemedia::platform

// SPDX-License-Identifier: Apache-2.0

#include <poll.h>
#include <sys/eventfd.h>
#include <sys/uio.h>
#include <unistd.h>

#include <array>
#include <cstdint>
#include <string>
#include <string_view>
#include <utility>

#include "remotemedia/base/error.h"
#include "remotemedia/platform/call_posix.h"
#include "remotemedia/platform/doorbell.h"
#include "remotemedia/platform/eventfd_linux.h"

namespace remotemedia::platform {

Doorbell::Doorbell(OwnedHandle handle) noexcept : handle_(std::move(handle)) {}

Doorbell Doorbell::create() {
  OwnedHandle handle(eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC));
  if (!handle) throw_os_error("eventfd", "make a doorbell");
  return Doorbell(std::move(handle));
}

Doorbell Doorbell::adopt(OwnedHandle handle) {
  constexpr std::string_view kEventfd = "anon_inode:[eventfd]";
  std::array<char, kEventfd.size() + 1> target{};
  const std::string link = "/proc/self/fd/" + std::to_string(descriptor(handle));
  const ssize_t size = readlink(link.c_str(), target.data(), target.size());
  if (size < 0 || std::string_view(target.data(), static_cast<std::size_t>(size)) != kEventfd) {
    throw Error(ErrorCode::protocol_error, "the handle that came as a doorbell is no eventfd");
  }
  expect_other_holders();
  return Doorbell(std::move(handle));
}

void Doorbell::ring() noexcept { raise_eventfd(descriptor(handle_)); }

bool Doorbell::wait(TimePoint deadline) {
  for (;;) {
    std::uint64_t rings = 0;
    iovec part{.iov_base = &rings, .iov_len = sizeof rings};
    // Does not wait even if the other side has made the bell a blocking one for all who hold it.
    if (uninterrupted([&] { return preadv2(descriptor(handle_), &part, 1, -1, RWF_NOWAIT); }) != -1) return true;
    if (errno == EOPNOTSUPP || errno == ENOSYS) {
      if (uninterrupted([&] { return read(descriptor(handle_), &rings, sizeof rings); }) != -1) return true;
    }
    if (errno != EAGAIN) throw_os_error("read", "wait for a doorbell");
    if (!wait_for_event(descriptor(handle_), POLLIN, deadline)) return false;
  }
}

OwnedHandle Doorbell::duplicate() const {
  expect_other_holders();
  return duplicate_descriptor(handle_.get());
}

NativeHandle Doorbell::wait_handle() const noexcept { return handle_.get(); }

}  // namespace remotemedia::platform

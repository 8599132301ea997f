// SPDX-License-Identifier: Apache-2.0

#include "remotemedia/platform/eventfd_linux.h"

#include <linux/aio_abi.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cerrno>
#include <cstdint>
#include <ctime>

#include "remotemedia/platform/call_posix.h"
#include "remotemedia/platform/fork.h"

namespace remotemedia::platform {
namespace {

std::atomic<aio_context_t> requests{0};  // of this process; 0 while it has none

bool make_requests() noexcept {
  aio_context_t made = 0;
  if (syscall(SYS_io_setup, 1L, &made) != 0) return false;
  aio_context_t none = 0;
  if (!requests.compare_exchange_strong(none, made)) syscall(SYS_io_destroy, made);
  return true;
}

/// To read nothing, which fails at once, touches no count, and is done with that.
bool request(aio_context_t context, int eventfd) noexcept {
  iocb nothing{};
  nothing.aio_lio_opcode = IOCB_CMD_PREAD;
  nothing.aio_fildes = static_cast<std::uint32_t>(eventfd);
  nothing.aio_flags = IOCB_FLAG_RESFD;
  nothing.aio_resfd = static_cast<std::uint32_t>(eventfd);
  std::array<iocb*, 1> all{&nothing};
  return syscall(SYS_io_submit, context, 1L, all.data()) == 1;
}

void forget_what_is_done(aio_context_t context) noexcept {
  std::array<io_event, 64> done{};
  timespec no_time{};
  syscall(SYS_io_getevents, context, 0L, static_cast<long>(done.size()), done.data(), &no_time);
}

}  // namespace

void expect_other_holders() {
  static const bool forks_are_followed = [] {
    at_fork([] {}, [] {},
            [] {
              if (requests.exchange(0) != 0) make_requests();  // the child has its parent's number, and no requests
            });
    return true;
  }();
  static_cast<void>(forks_are_followed);
  if (requests != 0 || make_requests() || errno == ENOSYS || errno == EPERM) return;
  throw_os_error("io_setup", "share a doorbell");
}

void raise_eventfd(int eventfd) noexcept {
  const aio_context_t context = requests;
  while (context != 0) {
    if (request(context, eventfd)) return;
    if (errno != EAGAIN) break;
    forget_what_is_done(context);
  }
  const std::uint64_t one = 1;
  uninterrupted([&] { return write(eventfd, &one, sizeof one); });
}

}  // namespace remotemedia::platform

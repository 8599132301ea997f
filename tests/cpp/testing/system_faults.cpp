// SPDX-License-Identifier: Apache-2.0
//
// The linker sends each call of name() to __wrap_name() here; __real_name() is the system's.

#include "testing/system_faults.h"

#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/eventfd.h>
#include <sys/file.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/uio.h>
#include <sys/vfs.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstdarg>
#include <cstring>
#include <initializer_list>
#include <type_traits>

namespace remotemedia::testing {
namespace {

enum class Plan { none, fail, kill_before, kill_after };

std::atomic<Plan> plan{Plan::none};
std::atomic<int> calls_left{0};  // the one that makes it 0 is meant
std::atomic<int> chosen_way{0};
std::atomic<const char*> failed_call{nullptr};
std::atomic<int> failed_with{0};

void start(Plan what, int n, int way) {
  calls_left = n;
  chosen_way = way;
  failed_call = nullptr;
  failed_with = 0;
  plan = what;
}

/// The error that this call has to report, or 0. Does not return where the process is to end here.
int arrive(const char* name, std::initializer_list<int> ways) {
  const Plan now = plan;
  if (now == Plan::none || now == Plan::kill_after || calls_left.fetch_sub(1) != 1) return 0;
  if (now == Plan::kill_before) raise(SIGKILL);
  const auto way = static_cast<std::size_t>(chosen_way);
  if (way >= ways.size()) return 0;
  failed_with = ways.begin()[way];
  failed_call = name;
  return failed_with;
}

void leave() {
  if (plan == Plan::kill_after && calls_left.fetch_sub(1) == 1) raise(SIGKILL);
}

template <class Result>
Result refused(int error) {
  errno = error;
  if constexpr (std::is_pointer_v<Result>) {
    return reinterpret_cast<Result>(-1);  // as mmap() does
  } else {
    return -1;
  }
}

template <class Real>
auto around(const char* name, std::initializer_list<int> ways, Real real) -> decltype(real()) {
  const int error = arrive(name, ways);
  if (error != 0) return refused<decltype(real())>(error);
  const auto result = real();
  const int found = errno;
  leave();
  errno = found;
  return result;
}

}  // namespace

FailNth::FailNth(int n, int way) { start(Plan::fail, n, way); }
FailNth::~FailNth() { plan = Plan::none; }
bool FailNth::reached() const noexcept { return calls_left <= 0; }
bool FailNth::failed() const noexcept { return failed_call != nullptr; }

std::string FailNth::description() const {
  if (!failed()) return "no call fails";
  return std::string(failed_call) + "() fails with " + strerrorname_np(failed_with);
}

KillAt::KillAt(int n, Moment moment) { start(moment == Moment::before ? Plan::kill_before : Plan::kill_after, n, 0); }
KillAt::~KillAt() { plan = Plan::none; }

}  // namespace remotemedia::testing

using remotemedia::testing::around;

// The ways of a call are those in which it can fail though all its arguments are right.
#define WRAP(result, name, parameters, arguments, ...)                            \
  extern "C" result __real_##name parameters;                                     \
  extern "C" result __wrap_##name parameters;                                     \
  result __wrap_##name parameters {                                               \
    return around(#name, {__VA_ARGS__}, [&] { return __real_##name arguments; }); \
  }

WRAP(int, memfd_create, (const char* name, unsigned flags), (name, flags), EMFILE, ENFILE, ENOMEM, EINVAL, ENOSYS,
     EPERM)
WRAP(int, fchmod, (int file, mode_t mode), (file, mode), EPERM, EIO)
WRAP(int, ftruncate, (int file, off_t size), (file, size), EINTR, ENOMEM, EFBIG, ENOSPC)
WRAP(int, fstat, (int file, struct stat* found), (file, found), ENOMEM)
WRAP(int, stat, (const char* path, struct stat* found), (path, found), ENOMEM, EACCES)
WRAP(int, lstat, (const char* path, struct stat* found), (path, found), ENOMEM, EACCES)
WRAP(int, fstatfs, (int file, struct statfs* found), (file, found), ENOSYS, EINTR)
WRAP(int, chmod, (const char* path, mode_t mode), (path, mode), EPERM, EROFS)
WRAP(int, mkdir, (const char* path, mode_t mode), (path, mode), EACCES, ENOSPC, EROFS)
WRAP(ssize_t, readlink, (const char* path, char* target, size_t size), (path, target, size), EACCES, ENOENT)
WRAP(int, unlink, (const char* path), (path), EACCES, EROFS)
WRAP(int, rename, (const char* from, const char* to), (from, to), EACCES, ENOSPC, EROFS)
WRAP(int, flock, (int file, int operation), (file, operation), EINTR, EWOULDBLOCK, ENOLCK)
WRAP(int, getrlimit, (__rlimit_resource_t what, struct rlimit* limit), (what, limit), EINVAL)

WRAP(void*, mmap, (void* at, size_t size, int protection, int flags, int file, off_t offset),
     (at, size, protection, flags, file, offset), ENOMEM, EAGAIN, EPERM)
WRAP(int, munmap, (void* at, size_t size), (at, size))
WRAP(int, madvise, (void* at, size_t size, int advice), (at, size, advice), ENOMEM, EFAULT, EINVAL, EINTR)
WRAP(int, mincore, (void* at, size_t size, unsigned char* present), (at, size, present), ENOMEM, EAGAIN)
WRAP(ssize_t, process_vm_readv,
     (pid_t process, const iovec* into, unsigned long parts, const iovec* from, unsigned long ranges,
      unsigned long flags),
     (process, into, parts, from, ranges, flags), EPERM, ENOSYS, EFAULT, EINTR)

WRAP(int, socket, (int domain, int type, int protocol), (domain, type, protocol), EMFILE, ENFILE, ENOBUFS, EACCES)
WRAP(int, socketpair, (int domain, int type, int protocol, int* ends), (domain, type, protocol, ends), EMFILE, ENFILE,
     ENOMEM)
WRAP(int, bind, (int file, const sockaddr* address, socklen_t size), (file, address, size), EADDRINUSE, EACCES, ENOSPC)
WRAP(int, listen, (int file, int queue), (file, queue), EADDRINUSE, ENOBUFS)
WRAP(int, connect, (int file, const sockaddr* address, socklen_t size), (file, address, size), EINTR, ECONNREFUSED,
     EAGAIN, EACCES, ENOENT)
WRAP(int, accept4, (int file, sockaddr* address, socklen_t* size, int flags), (file, address, size, flags), EINTR,
     EMFILE, ENFILE, ENOBUFS, ENOMEM, ECONNABORTED)
WRAP(ssize_t, sendmsg, (int file, const msghdr* message, int flags), (file, message, flags), EINTR, EAGAIN, ENOBUFS,
     ENOMEM, EPIPE, ECONNRESET, ETOOMANYREFS)
WRAP(ssize_t, recvmsg, (int file, msghdr* message, int flags), (file, message, flags), EINTR, EAGAIN, ENOMEM,
     ECONNRESET)
WRAP(int, shutdown, (int file, int how), (file, how))
WRAP(int, getsockopt, (int file, int level, int name, void* value, socklen_t* size), (file, level, name, value, size),
     ENOPROTOOPT, ENOBUFS, EMFILE, ESRCH)
WRAP(int, setsockopt, (int file, int level, int name, const void* value, socklen_t size),
     (file, level, name, value, size), ENOBUFS)

WRAP(int, eventfd, (unsigned count, int flags), (count, flags), EMFILE, ENFILE, ENOMEM, ENODEV)
WRAP(int, poll, (pollfd * entries, nfds_t count, int timeout), (entries, count, timeout), EINTR, ENOMEM)
WRAP(ssize_t, preadv2, (int file, const iovec* parts, int count, off_t offset, int flags),
     (file, parts, count, offset, flags), EINTR, EAGAIN, EOPNOTSUPP, ENOSYS)
WRAP(ssize_t, read, (int file, void* bytes, size_t size), (file, bytes, size), EINTR, EIO)
WRAP(ssize_t, write, (int file, const void* bytes, size_t size), (file, bytes, size), EINTR)
WRAP(int, getentropy, (void* bytes, size_t size), (bytes, size), EIO, ENOSYS)

extern "C" {
int __real_close(int file);
int __wrap_close(int file);
int __real_open(const char* path, int flags, ...);
int __wrap_open(const char* path, int flags, ...);
int __real_fcntl(int file, int command, ...);
int __wrap_fcntl(int file, int command, ...);
long __real_syscall(long number, ...);
long __wrap_syscall(long number, ...);
}

/// Closes even where it reports an error, as Linux does.
int __wrap_close(int file) {
  const int error = remotemedia::testing::arrive("close", {EIO, EINTR});
  const int result = __real_close(file);
  remotemedia::testing::leave();
  return error == 0 ? result : remotemedia::testing::refused<int>(error);
}

int __wrap_open(const char* path, int flags, ...) {
  va_list more;
  va_start(more, flags);
  const auto mode = va_arg(more, unsigned);
  va_end(more);
  return around("open", {EINTR, EMFILE, ENFILE, EACCES, ENOENT}, [&] { return __real_open(path, flags, mode); });
}

int __wrap_fcntl(int file, int command, ...) {
  va_list more;
  va_start(more, command);
  const auto argument = va_arg(more, long);
  va_end(more);
  const auto call = [&] { return __real_fcntl(file, command, argument); };
  if (command == F_DUPFD_CLOEXEC) return around("fcntl", {EMFILE}, call);
  if (command == F_ADD_SEALS) return around("fcntl", {EPERM, EBUSY, EINVAL}, call);
  return around("fcntl", {}, call);
}

long __wrap_syscall(long number, ...) {
  va_list more;
  va_start(more, number);
  const auto one = va_arg(more, long);
  const auto two = va_arg(more, long);
  const auto three = va_arg(more, long);
  const auto four = va_arg(more, long);
  const auto five = va_arg(more, long);
  va_end(more);
  return around("syscall", {EMFILE, ENFILE, ENOMEM, ENOSYS, EPERM, ESRCH},
                [&] { return __real_syscall(number, one, two, three, four, five); });
}

// SPDX-License-Identifier: Apache-2.0
//
// What macOS has and Linux does not: kernel queues, facts about processes, facts about the machine.

#include <fcntl.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/syscall.h>
#include <unistd.h>

#include <atomic>
#include <cerrno>
#include <cstdint>
#include <cstring>
#include <fstream>
#include <sstream>
#include <string>

#include "platform/macos_fake/include/libproc.h"
#include "platform/macos_fake/include/mach/mach.h"
#include "platform/macos_fake/include/sys/event.h"
#include "platform/macos_fake/include/sys/sysctl.h"
#include "platform/macos_fake/macos_fake.h"

namespace {

constexpr mach_port_t kHost = 7;
constexpr mach_port_t kTask = 8;
std::atomic<int> host_ports{0};

int refuse(int error) {
  errno = error;
  return -1;
}

bool is_readable(int descriptor) {
  pollfd entry{.fd = descriptor, .events = POLLIN, .revents = 0};
  return poll(&entry, 1, 0) == 1;
}

}  // namespace

namespace remotemedia::macos_fake {

int host_ports_held() noexcept { return host_ports; }

}  // namespace remotemedia::macos_fake

extern "C" {

int kqueue() { return eventfd(0, EFD_CLOEXEC); }

/// Takes one event, the end of a process, and is ready from then on: nothing here reads it away.
int kevent(int queue, const struct kevent* changes, int change_count, struct kevent*, int event_count,
           const timespec*) {
  if (change_count != 1 || event_count != 0 || changes->filter != EVFILT_PROC || changes->flags != EV_ADD ||
      changes->fflags != NOTE_EXIT) {
    return refuse(ENOTSUP);
  }
  const int process = static_cast<int>(syscall(SYS_pidfd_open, static_cast<pid_t>(changes->ident), 0));
  if (process == -1) return refuse(ESRCH);
  const bool ended = is_readable(process);  // macOS has no events for those who have ended and are not yet waited for
  const int result = ended ? refuse(ESRCH) : dup3(process, queue, O_CLOEXEC);
  close(process);
  return ended ? refuse(ESRCH) : (result == queue ? 0 : -1);
}

/// Nothing about those who have ended, as long as they are not asked for in particular.
int proc_pidinfo(int process, int flavor, uint64_t, void* buffer, int size) {
  if (flavor != PROC_PIDTBSDINFO || size < static_cast<int>(sizeof(proc_bsdinfo))) return refuse(EINVAL) + 1;
  std::ifstream file("/proc/" + std::to_string(process) + "/stat");
  std::string text;
  std::getline(file, text);
  const std::size_t name_end = text.rfind(')');
  if (name_end == std::string::npos) return refuse(ESRCH) + 1;
  std::istringstream words(text.substr(name_end + 1));
  std::string word;
  words >> word;
  if (word == "Z" || word == "X") return refuse(ESRCH) + 1;
  for (int field = 4; field <= 22; ++field) words >> word;
  const auto ticks = std::stoull(word);
  const auto in_second = static_cast<std::uint64_t>(sysconf(_SC_CLK_TCK));
  const proc_bsdinfo info{.pbi_pid = static_cast<std::uint32_t>(process),
                          .pbi_start_tvsec = ticks / in_second,
                          .pbi_start_tvusec = ticks % in_second * (1'000'000 / in_second)};
  std::memcpy(buffer, &info, sizeof info);
  return sizeof info;
}

int sysctlbyname(const char* name, void* old_value, size_t* old_size, void*, size_t) {
  std::uint64_t bytes = 0;
  if (std::strcmp(name, "hw.memsize") != 0) return refuse(ENOENT);
  if (*old_size < sizeof bytes) return refuse(ENOMEM);
  bytes = static_cast<std::uint64_t>(sysconf(_SC_PHYS_PAGES)) * static_cast<std::uint64_t>(sysconf(_SC_PAGESIZE));
  std::memcpy(old_value, &bytes, sizeof bytes);
  *old_size = sizeof bytes;
  return 0;
}

mach_port_t mach_host_self() {
  ++host_ports;
  return kHost;
}

mach_port_t mach_task_self() { return kTask; }

kern_return_t mach_port_deallocate(mach_port_t task, mach_port_t name) {
  if (task != kTask || name != kHost || host_ports == 0) return 17;  // KERN_INVALID_RIGHT
  --host_ports;
  return KERN_SUCCESS;
}

kern_return_t host_statistics64(mach_port_t host, int flavor, host_info64_t info, mach_msg_type_number_t* count) {
  if (host != kHost || flavor != HOST_VM_INFO64 || *count < HOST_VM_INFO64_COUNT) return 4;  // KERN_INVALID_ARGUMENT
  std::ifstream file("/proc/meminfo");
  std::string name;
  std::uint64_t kibibytes = 0;
  std::string unit;
  while (file >> name >> kibibytes && name != "MemAvailable:") std::getline(file, unit);
  vm_statistics64_data_t pages{};
  pages.free_count = static_cast<natural_t>(kibibytes * 1024 / static_cast<std::uint64_t>(sysconf(_SC_PAGESIZE)));
  std::memcpy(info, &pages, sizeof pages);
  return KERN_SUCCESS;
}
}

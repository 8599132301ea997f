// SPDX-License-Identifier: Apache-2.0
//
// The stand-in for macOS refuses what macOS refuses. Without these tests it could let everything pass.

#include <fcntl.h>
#include <gtest/gtest.h>
#include <poll.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <span>
#include <string>
#include <vector>

#include "platform/conformance/peer_process.h"
#include "platform/macos_fake/include/libproc.h"
#include "platform/macos_fake/include/mach/mach.h"
#include "platform/macos_fake/include/sys/event.h"
#include "platform/macos_fake/include/sys/sysctl.h"
#include "platform/macos_fake/include/sys/ucred.h"
#include "platform/macos_fake/macos_fake.h"
#include "platform/macos_fake/socket_options.h"

namespace remotemedia::macos_fake {
namespace {

using testing::PeerProcess;
using testing::PeerRole;

const PeerRole kStay("stay", [](const std::vector<std::string>&) { return pause(); });
const PeerRole kSendUnprepared("send_unprepared", [](const std::vector<std::string>&) {
  std::array<int, 2> ends{};
  if (socketpair(AF_UNIX, SOCK_STREAM, 0, ends.data()) != 0) return 2;
  close(ends[1]);
  return send(ends[0], "x", 1, MSG_NOSIGNAL) == -1 ? 3 : 4;
});

/// What a call answers: 0, or why not.
template <class Result>
int error_of(Result result) {
  return result == static_cast<Result>(-1) ? errno : 0;
}

int error_of(void* mapped) { return mapped == MAP_FAILED ? errno : 0; }

std::size_t page() { return static_cast<std::size_t>(sysconf(_SC_PAGESIZE)); }

class SharedMemoryRules : public ::testing::Test {
 protected:
  SharedMemoryRules() {
    writable = shm_open(name.c_str(), O_RDWR | O_CREAT | O_EXCL, 0600);
    readable = shm_open(name.c_str(), O_RDONLY, 0);
    shm_unlink(name.c_str());
  }
  ~SharedMemoryRules() override {
    close(writable);
    close(readable);
  }

  std::string name = "/rm-test-" + std::to_string(getpid());
  int writable = -1;
  int readable = -1;
};

TEST_F(SharedMemoryRules, ANameHasThirtyCharactersAtMost) {
  const std::string longest = "/" + std::string(29, 'x');
  const std::string longer = longest + "x";
  const int handle = shm_open(longest.c_str(), O_RDWR | O_CREAT | O_EXCL, 0600);
  EXPECT_GE(handle, 0);
  close(handle);
  shm_unlink(longest.c_str());
  EXPECT_EQ(error_of(shm_open(longer.c_str(), O_RDWR | O_CREAT | O_EXCL, 0600)), ENAMETOOLONG);
}

TEST_F(SharedMemoryRules, TheSizeIsSetOnceWhoeverAsks) {
  ASSERT_EQ(ftruncate(writable, 5000), 0);
  EXPECT_EQ(error_of(ftruncate(writable, 5000)), EINVAL);
  EXPECT_EQ(error_of(ftruncate(writable, 0)), EINVAL);
  const int other = dup(writable);
  EXPECT_EQ(error_of(ftruncate(other, 100'000)), EINVAL);
  close(other);
}

TEST_F(SharedMemoryRules, TheSizeIsOfWholePages) {
  ASSERT_EQ(ftruncate(writable, 1), 0);
  struct stat found {};
  ASSERT_EQ(fstat(readable, &found), 0);
  EXPECT_EQ(found.st_size, static_cast<off_t>(page()));
}

TEST_F(SharedMemoryRules, ItIsAFileOfNoType) {
  struct stat found {};
  ASSERT_EQ(fstat(writable, &found), 0);
  EXPECT_EQ(found.st_mode, mode_t{0600});
  EXPECT_EQ(found.st_ino, ino_t{0});
  EXPECT_EQ(found.st_uid, geteuid());
}

TEST_F(SharedMemoryRules, OnlyASharedMappingIsMade) {
  ASSERT_EQ(ftruncate(writable, 1), 0);
  EXPECT_EQ(error_of(mmap(nullptr, page(), PROT_READ, MAP_PRIVATE, writable, 0)), EINVAL);
  void* const mapped = mmap(nullptr, page(), PROT_READ, MAP_SHARED, writable, 0);
  EXPECT_EQ(error_of(mapped), 0);
  munmap(mapped, page());
}

TEST_F(SharedMemoryRules, NothingIsMappedBeforeTheSizeIsSetNorBeyondIt) {
  EXPECT_EQ(error_of(mmap(nullptr, page(), PROT_READ, MAP_SHARED, writable, 0)), EINVAL);
  ASSERT_EQ(ftruncate(writable, 1), 0);
  EXPECT_EQ(error_of(mmap(nullptr, 2 * page(), PROT_READ, MAP_SHARED, writable, 0)), EINVAL);
  EXPECT_EQ(error_of(mmap(nullptr, page(), PROT_READ, MAP_SHARED, writable, static_cast<off_t>(page()))), EINVAL);
}

TEST_F(SharedMemoryRules, WhatWasOpenedToBeReadIsNeverMappedToBeWritten) {
  ASSERT_EQ(ftruncate(writable, 1), 0);
  EXPECT_EQ(error_of(mmap(nullptr, page(), PROT_READ | PROT_WRITE, MAP_SHARED, readable, 0)), EPERM);
}

TEST_F(SharedMemoryRules, AMappingOfWhatWasOpenedToBeReadIsNeverMadeWritable) {
  ASSERT_EQ(ftruncate(writable, 1), 0);
  void* const mapped = mmap(nullptr, page(), PROT_READ, MAP_SHARED, readable, 0);
  ASSERT_EQ(error_of(mapped), 0);
  EXPECT_EQ(error_of(mprotect(mapped, page(), PROT_READ | PROT_WRITE)), EACCES);
  munmap(mapped, page());
}

TEST_F(SharedMemoryRules, ItIsNotReadOrWrittenAsAFile) {
  ASSERT_EQ(ftruncate(writable, 1), 0);
  char byte = 0;
  EXPECT_EQ(error_of(read(writable, &byte, 1)), ENXIO);
  EXPECT_EQ(error_of(write(writable, &byte, 1)), ENXIO);
  EXPECT_EQ(error_of(pread(writable, &byte, 1, 0)), ESPIPE);
  EXPECT_EQ(error_of(pwrite(writable, &byte, 1, 0)), ESPIPE);
}

TEST_F(SharedMemoryRules, ItIsNotOpenedAgainByItsNumber) {
  const std::string link = "/proc/self/fd/" + std::to_string(readable);
  EXPECT_EQ(error_of(open(link.c_str(), O_RDWR)), ENOENT);
}

TEST_F(SharedMemoryRules, OtherFilesAreAsTheyWere) {
  std::string path = "/tmp/rm-test-XXXXXX";
  const int file = mkstemp(path.data());
  ASSERT_GE(file, 0);
  unlink(path.c_str());
  struct stat found {};
  EXPECT_EQ(ftruncate(file, 10), 0);
  EXPECT_EQ(ftruncate(file, 5), 0);
  EXPECT_EQ(fstat(file, &found), 0);
  EXPECT_TRUE(S_ISREG(found.st_mode));
  EXPECT_EQ(found.st_size, 5);
  EXPECT_EQ(write(file, "x", 1), 1);
  close(file);
}

class SocketRules : public ::testing::Test {
 protected:
  SocketRules() { EXPECT_EQ(socketpair(AF_UNIX, SOCK_STREAM, 0, ends.data()), 0); }
  ~SocketRules() override {
    for (const int end : ends) close(end);
  }

  void close_end(int which) {
    close(ends.at(static_cast<std::size_t>(which)));
    ends.at(static_cast<std::size_t>(which)) = -1;
  }

  int set(int which, int option, int value) {
    return setsockopt(ends.at(static_cast<std::size_t>(which)), SOL_SOCKET, option, &value, sizeof value);
  }

  std::array<int, 2> ends{-1, -1};
};

TEST_F(SocketRules, LocalSocketsAreStreamsOrDatagramsWithoutFlags) {
  std::array<int, 2> none{};
  EXPECT_EQ(error_of(socket(AF_UNIX, SOCK_SEQPACKET, 0)), EPROTONOSUPPORT);
  EXPECT_EQ(error_of(socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0)), EPROTONOSUPPORT);
  EXPECT_EQ(error_of(socketpair(AF_UNIX, SOCK_SEQPACKET, 0, none.data())), EPROTONOSUPPORT);
  EXPECT_EQ(error_of(socketpair(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0, none.data())), EPROTONOSUPPORT);
}

TEST_F(SocketRules, AWriterWithoutItsOptionIsKilledWhenThePeerIsGone) {
  EXPECT_EQ(PeerProcess("send_unprepared").wait(), -1);
}

TEST_F(SocketRules, AWriterWithItsOptionIsToldThatThePeerIsGone) {
  ASSERT_EQ(set(0, SO_NOSIGPIPE, 1), 0);
  close_end(1);
  EXPECT_EQ(error_of(send(ends[0], "x", 1, 0)), EPIPE);
}

TEST_F(SocketRules, ASocketWhosePeerIsGoneTakesNoOptions) {
  close_end(1);
  EXPECT_NE(set(0, SO_NOSIGPIPE, 1), 0);
  EXPECT_EQ(errno, EINVAL);
  int quiet = 1;
  socklen_t size = sizeof quiet;
  EXPECT_EQ(getsockopt(ends[0], SOL_SOCKET, SO_NOSIGPIPE, &quiet, &size), 0);
  EXPECT_EQ(quiet, 0);
}

TEST_F(SocketRules, WhoThePeerIsCanBeAskedAndItsProcessOnlyWhileItIsThere) {
  xucred credentials{};
  socklen_t size = sizeof credentials;
  ASSERT_EQ(getsockopt(ends[0], SOL_LOCAL, LOCAL_PEERCRED, &credentials, &size), 0);
  EXPECT_EQ(credentials.cr_uid, geteuid());
  pid_t process = 0;
  size = sizeof process;
  ASSERT_EQ(getsockopt(ends[0], SOL_LOCAL, LOCAL_PEERPID, &process, &size), 0);
  EXPECT_EQ(process, getpid());
  close_end(1);
  EXPECT_EQ(error_of(getsockopt(ends[0], SOL_LOCAL, LOCAL_PEERPID, &process, &size)), ENOTCONN);
  size = sizeof credentials;
  EXPECT_EQ(getsockopt(ends[0], SOL_LOCAL, LOCAL_PEERCRED, &credentials, &size), 0);
}

msghdr message_of(iovec& part, std::span<char> control) {
  msghdr message{};
  message.msg_iov = &part;
  message.msg_iovlen = 1;
  message.msg_control = control.data();
  message.msg_controllen = control.size();
  return message;
}

/// Sends `count` copies of a descriptor, with `behind` bytes behind the last.
ssize_t send_descriptors(int socket, int copied, std::size_t count, std::size_t behind = 0) {
  const std::size_t size = CMSG_LEN(count * sizeof(int));
  std::vector<char> control(CMSG_SPACE(count * sizeof(int)) + behind);
  auto* const part = reinterpret_cast<cmsghdr*>(control.data());
  part->cmsg_len = size;
  part->cmsg_level = SOL_SOCKET;
  part->cmsg_type = SCM_RIGHTS;
  for (std::size_t i = 0; i < count; ++i) std::memcpy(CMSG_DATA(part) + i * sizeof copied, &copied, sizeof copied);
  char byte = 'x';
  iovec bytes{.iov_base = &byte, .iov_len = 1};
  const msghdr message = message_of(bytes, std::span(control.data(), size + behind));
  return sendmsg(socket, &message, 0);
}

int open_descriptors() {
  const int lowest = dup(0);
  close(lowest);
  return lowest;
}

TEST_F(SocketRules, NothingStandsBehindTheDescriptors) {
  EXPECT_EQ(error_of(send_descriptors(ends[0], ends[0], 1, 4)), EINVAL);
  EXPECT_EQ(send_descriptors(ends[0], ends[0], 1), 1);
}

TEST_F(SocketRules, DescriptorsThatDoNotFitStayOpen) {
  ASSERT_EQ(send_descriptors(ends[0], ends[0], 3), 1);
  const int before = open_descriptors();
  char byte = 0;
  iovec bytes{.iov_base = &byte, .iov_len = 1};
  alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof(int))> control{};
  msghdr message = message_of(bytes, control);
  ASSERT_EQ(recvmsg(ends[1], &message, 0), 1);
  EXPECT_NE(message.msg_flags & MSG_CTRUNC, 0);
  for (int i = 0; i < 3; ++i) {
    EXPECT_NE(fcntl(before + i, F_GETFD), -1) << i;
    close(before + i);
  }
}

TEST_F(SocketRules, ReceivedDescriptorsAreInheritedUntilSomebodySaysOtherwise) {
  ASSERT_EQ(send_descriptors(ends[0], ends[0], 1), 1);
  char byte = 0;
  iovec bytes{.iov_base = &byte, .iov_len = 1};
  alignas(cmsghdr) std::array<char, CMSG_SPACE(sizeof(int))> control{};
  msghdr message = message_of(bytes, control);
  ASSERT_EQ(recvmsg(ends[1], &message, MSG_CMSG_CLOEXEC), 1);
  int received = -1;
  std::memcpy(&received, CMSG_DATA(CMSG_FIRSTHDR(&message)), sizeof received);
  EXPECT_EQ(fcntl(received, F_GETFD), 0);
  close(received);
}

TEST_F(SocketRules, ASendWithALowestRoomTakesAllOrNothing) {
  ASSERT_EQ(fcntl(ends[0], F_SETFL, O_NONBLOCK), 0);
  ASSERT_EQ(set(0, SO_SNDBUF, 200'000), 0);
  ASSERT_EQ(set(0, SO_SNDLOWAT, 60'000), 0);
  const std::vector<char> bytes(50'000);
  iovec part{.iov_base = const_cast<char*>(bytes.data()), .iov_len = bytes.size()};
  const msghdr message = message_of(part, {});
  int whole = 0;
  ssize_t sent = 0;
  while ((sent = sendmsg(ends[0], &message, 0)) == static_cast<ssize_t>(bytes.size())) ++whole;
  EXPECT_GE(whole, 1);
  EXPECT_EQ(error_of(sent), EAGAIN);
}

TEST_F(SocketRules, AFullQueueSaysThatDescriptorsAreTooLong) {
  ASSERT_EQ(fcntl(ends[0], F_SETFL, O_NONBLOCK), 0);
  ASSERT_EQ(set(0, SO_SNDLOWAT, 100'000), 0);
  const std::vector<char> bytes(60'000);
  iovec part{.iov_base = const_cast<char*>(bytes.data()), .iov_len = bytes.size()};
  const msghdr message = message_of(part, {});
  while (sendmsg(ends[0], &message, 0) > 0) {
  }
  part.iov_len = 1;
  while (sendmsg(ends[0], &message, 0) > 0) {
  }
  ASSERT_EQ(errno, EAGAIN);
  EXPECT_EQ(error_of(send_descriptors(ends[0], ends[0], 1)), EMSGSIZE);
}

TEST_F(SocketRules, ADatagramToAFullQueueIsRefusedAtOnce) {
  std::array<int, 2> datagrams{};
  ASSERT_EQ(socketpair(AF_UNIX, SOCK_DGRAM, 0, datagrams.data()), 0);  // and would wait on Linux
  while (send(datagrams[0], "x", 1, 0) == 1) {
  }
  EXPECT_EQ(errno, ENOBUFS);
  for (const int end : datagrams) close(end);
}

struct kevent end_of(pid_t process) {
  struct kevent event {};
  EV_SET(&event, static_cast<uintptr_t>(process), EVFILT_PROC, EV_ADD, NOTE_EXIT, 0, nullptr);
  return event;
}

TEST(KernelQueueRules, AQueueIsReadyWhenTheProcessEnds) {
  PeerProcess peer("stay");
  const int queue = kqueue();
  const struct kevent event = end_of(static_cast<pid_t>(peer.id()));
  ASSERT_EQ(kevent(queue, &event, 1, nullptr, 0, nullptr), 0);
  pollfd entry{.fd = queue, .events = POLLIN, .revents = 0};
  EXPECT_EQ(poll(&entry, 1, 0), 0);
  peer.kill();
  EXPECT_EQ(poll(&entry, 1, -1), 1);
  EXPECT_EQ(poll(&entry, 1, 0), 1);
  close(queue);
}

TEST(KernelQueueRules, AProcessThatHasEndedHasNoEvents) {
  PeerProcess peer("stay");
  const auto process = static_cast<pid_t>(peer.id());
  proc_bsdinfo info{};
  EXPECT_EQ(proc_pidinfo(process, PROC_PIDTBSDINFO, 0, &info, sizeof info), static_cast<int>(sizeof info));
  const int queue = kqueue();
  const struct kevent event = end_of(process);
  ASSERT_EQ(kevent(queue, &event, 1, nullptr, 0, nullptr), 0);
  peer.kill();
  pollfd entry{.fd = queue, .events = POLLIN, .revents = 0};
  ASSERT_EQ(poll(&entry, 1, -1), 1);  // it has ended, and nobody has waited for it
  const int other = kqueue();
  EXPECT_EQ(error_of(kevent(other, &event, 1, nullptr, 0, nullptr)), ESRCH);
  EXPECT_EQ(proc_pidinfo(process, PROC_PIDTBSDINFO, 0, &info, sizeof info), 0);
  EXPECT_EQ(errno, ESRCH);
  close(other);
  close(queue);
}

TEST(MachineRules, TheMachineHasMoreThanIsAvailableAndSomeIs) {
  std::uint64_t bytes = 0;
  std::size_t size = sizeof bytes;
  ASSERT_EQ(sysctlbyname("hw.memsize", &bytes, &size, nullptr, 0), 0);
  EXPECT_EQ(error_of(sysctlbyname("hw.no_such_thing", &bytes, &size, nullptr, 0)), ENOENT);
  vm_statistics64_data_t pages{};
  mach_msg_type_number_t count = HOST_VM_INFO64_COUNT;
  const mach_port_t host = mach_host_self();
  EXPECT_EQ(host_ports_held(), 1);
  EXPECT_EQ(host_statistics64(host, HOST_VM_INFO64, reinterpret_cast<host_info64_t>(&pages), &count), KERN_SUCCESS);
  EXPECT_EQ(mach_port_deallocate(mach_task_self(), host), KERN_SUCCESS);
  EXPECT_EQ(host_ports_held(), 0);
  EXPECT_GT(pages.free_count, 0U);
  EXPECT_LT(pages.free_count * page(), bytes);
}

}  // namespace
}  // namespace remotemedia::macos_fake

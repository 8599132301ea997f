// SPDX-License-Identifier: Apache-2.0
//
// What is so on macOS only, by the sources for macOS: names that last for a moment, streams that stand for messages,
// options that must be set in time.

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "platform/conformance/connected_peer.h"
#include "platform/conformance/peer_process.h"
#include "platform/macos_fake/macos_fake.h"
#include "remotemedia/platform/doorbell.h"
#include "remotemedia/platform/machine.h"
#include "remotemedia/platform/os_error.h"
#include "remotemedia/platform/peer_watch.h"
#include "remotemedia/platform/shared_memory.h"
#include "testing/thrown.h"

namespace remotemedia::platform {
namespace {

using macos_fake::host_ports_held;
using macos_fake::is_shared_memory;
using macos_fake::kKillBefore;
using testing::AddressFolder;
using testing::bytes_of;
using testing::code_thrown;
using testing::now;
using testing::PeerProcess;
using testing::PeerRole;
using testing::soon;
using testing::text_of;
using testing::thrown;

int fd(NativeHandle handle) { return static_cast<int>(handle); }

/// Names of shared memory that this code made, with their sizes.
std::vector<std::pair<std::filesystem::path, std::uintmax_t>> names_left() {
  std::vector<std::pair<std::filesystem::path, std::uintmax_t>> left;
  for (const auto& entry : std::filesystem::directory_iterator("/dev/shm")) {
    const std::string name = entry.path().filename();
    if (name.substr(0, 3) == "rm-" && name.size() == 29) left.emplace_back(entry.path(), entry.file_size());
  }
  return left;
}

const PeerRole kCreate("create_shared_memory", [](const std::vector<std::string>&) {
  SharedMemory memory = SharedMemory::create(1 << 20);
  memory.map(Access::read_write).populate();
  memory.forbid_new_writers();
  memory.map(Access::read_only).populate();
  return 0;
});

/// How a peer ends that is killed in front of its `call`-th call of that name.
int end_of_creator(const std::string& call) {
  setenv(kKillBefore, call.c_str(), 1);
  PeerProcess peer("create_shared_memory");
  unsetenv(kKillBefore);
  return peer.wait();
}

TEST(MacosSharedMemoryTest, HasNoNameOnceItIsMade) {
  const auto before = names_left();
  const SharedMemory memory = SharedMemory::create(1);
  EXPECT_EQ(names_left(), before);
}

TEST(MacosSharedMemoryTest, ACreatorThatIsKilledLeavesANameWithoutBytesAndOnlyBeforeItIsTakenAway) {
  const auto before = names_left();
  for (const std::string call : {"shm_open:1", "ftruncate:1", "mmap:1", "mmap:2", "fstat:1", "shm_unlink:2"}) {
    const int end = end_of_creator(call);
    EXPECT_TRUE(end == -1 || (end == 0 && (call == "fstat:1" || call == "shm_unlink:2"))) << call << " " << end;
    EXPECT_EQ(names_left(), before) << call;
  }
  for (const std::string call : {"shm_open:2", "shm_unlink:1"}) {
    EXPECT_EQ(end_of_creator(call), -1) << call;
    const auto after = names_left();
    ASSERT_EQ(after.size(), before.size() + 1) << call;
    for (const auto& [path, size] : after) {
      if (std::find(before.begin(), before.end(), std::pair{path, size}) != before.end()) continue;
      EXPECT_EQ(size, 0U) << call;
      // On macOS nothing lists such names, and the next start of the machine takes them away.
      std::filesystem::remove(path);
    }
  }
  EXPECT_EQ(names_left(), before);
}

TEST(MacosSharedMemoryTest, NamesAreNeverUsedAgain) {
  for (int i = 0; i < 100; ++i) EXPECT_NO_THROW(SharedMemory::create(1));
}

TEST(MacosSharedMemoryTest, AHandleToReadIsThereBeforeNewWritersAreForbidden) {
  const SharedMemory memory = SharedMemory::create(1);
  const OwnedHandle handle = memory.handle_for(Access::read_only);
  EXPECT_EQ(fcntl(fd(handle.get()), F_GETFL) & O_ACCMODE, O_RDONLY);
  EXPECT_EQ(fcntl(fd(handle.get()), F_GETFD), FD_CLOEXEC);
  EXPECT_EQ(mmap(nullptr, memory.size(), PROT_READ | PROT_WRITE, MAP_SHARED, fd(handle.get()), 0), MAP_FAILED);
}

TEST(MacosSharedMemoryTest, AMappingToReadComesFromTheHandleToRead) {
  const SharedMemory memory = SharedMemory::create(1);
  const Mapping mapping = memory.map(Access::read_only);
  EXPECT_NE(mprotect(mapping.data(), mapping.size(), PROT_READ | PROT_WRITE), 0);
}

TEST(MacosSharedMemoryTest, ForbiddingNewWritersLetsTheLastHandleToWriteGo) {
  SharedMemory memory = SharedMemory::create(1);
  const Mapping first = memory.map(Access::read_write);
  for (int twice = 0; twice < 2; ++twice) {
    memory.forbid_new_writers();
    for (int descriptor = 0; descriptor < 200; ++descriptor) {
      if (!is_shared_memory(descriptor)) continue;
      EXPECT_EQ(fcntl(descriptor, F_GETFL) & O_ACCMODE, O_RDONLY) << descriptor;
    }
    EXPECT_EQ(code_thrown([&] { memory.map(Access::read_write); }), ErrorCode::invalid_argument);
    EXPECT_EQ(code_thrown([&] { memory.handle_for(Access::read_write); }), ErrorCode::invalid_argument);
  }
  first.data()[0] = std::byte{7};
  EXPECT_EQ(memory.map(Access::read_only).data()[0], std::byte{7});
}

TEST(MacosSharedMemoryTest, WhoeverWasSentAHandleToWriteCannotMakeOneToRead) {
  const SharedMemory memory = SharedMemory::create(1);
  const SharedMemory adopted = SharedMemory::adopt(memory.handle_for(Access::read_write), 1, Access::read_write);
  EXPECT_EQ(code_thrown([&] { adopted.handle_for(Access::read_only); }), ErrorCode::invalid_argument);
}

TEST(MacosSharedMemoryTest, AFileIsNoSharedMemory) {
  for (int twice = 0; twice < 2; ++twice) {
    std::string path = "/tmp/rm-test-XXXXXX";
    OwnedHandle file(mkstemp(path.data()));
    unlink(path.c_str());
    ASSERT_EQ(ftruncate(fd(file.get()), static_cast<off_t>(page_bytes())), 0);
    EXPECT_EQ(code_thrown([&] { SharedMemory::adopt(std::move(file), 1, Access::read_only); }),
              ErrorCode::protocol_error);
  }
}

TEST(MacosSharedMemoryTest, MoreThanTheMachineHasIsRefusedBeforeItIsPromised) {
  const auto before = names_left();
  for (int twice = 0; twice < 2; ++twice) {
    EXPECT_EQ(code_thrown([] { SharedMemory::create(std::size_t{1} << 50); }), ErrorCode::out_of_memory);
  }
  EXPECT_EQ(names_left(), before);
}

TEST(MacosSharedMemoryTest, WhatIsThereStaysWhenItIsPopulated) {
  const SharedMemory memory = SharedMemory::create(3 * page_bytes());
  Mapping mapping = memory.map(Access::read_write);
  for (std::size_t at = 0; at < mapping.size(); at += page_bytes()) mapping.data()[at] = std::byte{42};
  mapping.populate();
  for (std::size_t at = 0; at < mapping.size(); at += page_bytes()) EXPECT_EQ(mapping.data()[at], std::byte{42});
}

/// The other end of a channel, to write to it what no DescriptorChannel would.
struct RawEnd {
  RawEnd() {
    auto [one, other] = DescriptorChannel::pair();
    channel = std::move(one);
    raw = OwnedHandle(dup(fd(other.wait_handle())));
  }

  void write(const void* bytes, std::size_t size) {
    ASSERT_EQ(::send(fd(raw.get()), bytes, size, 0), static_cast<ssize_t>(size));
  }

  void write_header(std::uint32_t bytes, std::uint32_t handles) {
    const std::array<std::uint32_t, 2> header{bytes, handles};
    write(header.data(), sizeof header);
  }

  void write_with_handles(const void* bytes, std::size_t size, std::size_t count) {
    std::vector<char> control(CMSG_SPACE(count * sizeof(int)));
    auto* const part = reinterpret_cast<cmsghdr*>(control.data());
    part->cmsg_level = SOL_SOCKET;
    part->cmsg_type = SCM_RIGHTS;
    part->cmsg_len = CMSG_LEN(count * sizeof(int));
    const int copied = fd(raw.get());
    for (std::size_t i = 0; i < count; ++i) std::memcpy(CMSG_DATA(part) + i * sizeof copied, &copied, sizeof copied);
    iovec whole{.iov_base = const_cast<void*>(bytes), .iov_len = size};
    msghdr message{};
    message.msg_iov = &whole;
    message.msg_iovlen = 1;
    message.msg_control = part;
    message.msg_controllen = part->cmsg_len;
    ASSERT_EQ(sendmsg(fd(raw.get()), &message, 0), static_cast<ssize_t>(size));
  }

  DescriptorChannel channel;
  OwnedHandle raw;
};

/// Descriptors that this process has open.
std::size_t open_descriptors() {
  std::size_t count = 0;
  for (int descriptor = 0; descriptor < 1000; ++descriptor) count += fcntl(descriptor, F_GETFD) != -1 ? 1U : 0U;
  return count;
}

using Received = DescriptorChannel::Received;

TEST(MacosChannelTest, AMessageThatComesByteByByteIsOneMessage) {
  RawEnd peer;
  Message message;
  std::string bytes(sizeof(std::uint32_t) * 2, '\0');
  const std::uint32_t size = 5;
  std::memcpy(bytes.data(), &size, sizeof size);
  bytes += "hello";
  for (const char byte : bytes) {
    EXPECT_EQ(peer.channel.receive(message, now()), Received::nothing);
    peer.write(&byte, 1);
  }
  EXPECT_EQ(peer.channel.receive(message, now()), Received::message);
  EXPECT_EQ(text_of(message), "hello");
  EXPECT_EQ(peer.channel.receive(message, now()), Received::nothing);
}

TEST(MacosChannelTest, TwoMessagesInOneWriteAreTwo) {
  RawEnd peer;
  std::string both;
  for (const std::string text : {"one", "three"}) {
    const std::array<std::uint32_t, 2> header{static_cast<std::uint32_t>(text.size()), 0};
    both.append(reinterpret_cast<const char*>(header.data()), sizeof header);
    both += text;
  }
  peer.write(both.data(), both.size());
  Message message;
  ASSERT_EQ(peer.channel.receive(message, now()), Received::message);
  EXPECT_EQ(text_of(message), "one");
  ASSERT_EQ(peer.channel.receive(message, now()), Received::message);
  EXPECT_EQ(text_of(message), "three");
}

void expect_refused(RawEnd& peer) {
  Message message;
  EXPECT_EQ(code_thrown([&] { peer.channel.receive(message, soon()); }), ErrorCode::protocol_error);
  EXPECT_EQ(peer.channel.receive(message, soon()), Received::closed);
  EXPECT_FALSE(peer.channel.send(bytes_of("x"), {}, soon()));
}

TEST(MacosChannelTest, LyingHeadersAreRefusedAndTheChannelIsOver) {
  const std::uint32_t most = kMaxMessageBytes;
  const std::uint32_t handles = kMaxMessageHandles;
  for (const auto& [bytes, count] : {std::pair<std::uint32_t, std::uint32_t>{0, 0},
                                     {most + 1, 0},
                                     {0xFFFF'FFFF, 0},
                                     {0xFFFF'FFF8, 0},
                                     {1, handles + 1},
                                     {1, 0xFFFF'FFFF}}) {
    SCOPED_TRACE(std::to_string(bytes) + " bytes, " + std::to_string(count) + " handles");
    RawEnd peer;
    peer.write_header(bytes, count);
    expect_refused(peer);
  }
}

TEST(MacosChannelTest, AMessageThatIsCutIsRefused) {
  RawEnd in_header;
  in_header.write("abc", 3);
  shutdown(fd(in_header.raw.get()), SHUT_RDWR);
  expect_refused(in_header);
  RawEnd in_bytes;
  in_bytes.write_header(10, 0);
  in_bytes.write("abc", 3);
  shutdown(fd(in_bytes.raw.get()), SHUT_RDWR);
  expect_refused(in_bytes);
}

TEST(MacosChannelTest, HandlesThatWereNotAnnouncedAreClosed) {
  const std::size_t before = open_descriptors();
  const std::array<std::uint32_t, 2> header{1, 1};
  for (const std::size_t count : {std::size_t{2}, std::size_t{9}, std::size_t{200}}) {
    RawEnd peer;
    peer.write_with_handles(header.data(), sizeof header, count);
    peer.write("x", 1);
    expect_refused(peer);
  }
  EXPECT_EQ(open_descriptors(), before);
}

TEST(MacosChannelTest, HandlesThatNeverComeAreRefused) {
  RawEnd peer;
  peer.write_header(1, 1);
  peer.write("x", 1);
  expect_refused(peer);
}

TEST(MacosChannelTest, HandlesThatComeLaterThanTheFirstByteCountAsWell) {
  RawEnd peer;
  peer.write_header(2, 1);
  peer.write("x", 1);
  peer.write_with_handles("y", 1, 1);
  Message message;
  ASSERT_EQ(peer.channel.receive(message, now()), Received::message);
  EXPECT_EQ(text_of(message), "xy");
  ASSERT_EQ(message.handles.size(), 1U);
  EXPECT_EQ(fcntl(fd(message.handles[0].get()), F_GETFD), FD_CLOEXEC);
}

TEST(MacosChannelTest, AFullQueueTakesNoPartOfAMessage) {
  auto [one, other] = DescriptorChannel::pair();
  const std::vector<std::byte> largest(kMaxMessageBytes, std::byte{1});
  int sent = 0;
  while (one.send(largest, {}, now())) ++sent;
  EXPECT_GE(sent, 1);
  const NativeHandle handle = one.wait_handle();
  EXPECT_FALSE(one.send(largest, std::span(&handle, 1), now()));
  Message message;
  for (int i = 0; i < sent; ++i) {
    ASSERT_EQ(other.receive(message, soon()), Received::message) << i;
    ASSERT_EQ(message.bytes, largest) << i;
  }
  EXPECT_EQ(other.receive(message, now()), Received::nothing);
  EXPECT_TRUE(one.send(largest, std::span(&handle, 1), soon()));
  ASSERT_EQ(other.receive(message, soon()), Received::message);
  EXPECT_EQ(message.handles.size(), 1U);
}

TEST(MacosChannelTest, SendingToACallerWhoLeftBeforeItWasAcceptedRaisesNoSignal) {
  const AddressFolder folder;
  ChannelListener listener = ChannelListener::listen(folder / "w");
  DescriptorChannel::connect(folder / "w", soon());
  std::optional<DescriptorChannel> caller = listener.accept(soon());
  ASSERT_TRUE(caller);
  for (int twice = 0; twice < 2; ++twice) EXPECT_FALSE(caller->send(bytes_of("x"), {}, soon()));
  EXPECT_EQ(code_thrown([&] { PeerWatch::of(*caller); }), ErrorCode::worker_unavailable);
  EXPECT_TRUE(caller->peer().same_user);
}

TEST(MacosChannelTest, WhatACallerSaidBeforeItLeftIsHeard) {
  const AddressFolder folder;
  ChannelListener listener = ChannelListener::listen(folder / "w");
  {
    DescriptorChannel leaving = DescriptorChannel::connect(folder / "w", soon());
    ASSERT_TRUE(leaving.send(bytes_of("bye"), {}, soon()));
  }
  std::optional<DescriptorChannel> caller = listener.accept(soon());
  ASSERT_TRUE(caller);
  Message message;
  ASSERT_EQ(caller->receive(message, soon()), Received::message);
  EXPECT_EQ(text_of(message), "bye");
  EXPECT_EQ(caller->receive(message, soon()), Received::closed);
}

TEST(MacosChannelTest, WhoThePeerIsIsKnownAfterItHasGone) {
  auto [one, other] = DescriptorChannel::pair();
  { const DescriptorChannel gone = std::move(other); }
  EXPECT_EQ(one.peer().process, process_id());
}

TEST(MacosDoorbellTest, LeavesNothingInTheRunDirectory) {
  const auto entries = [] {
    std::set<std::filesystem::path> found;
    for (const auto& entry : std::filesystem::directory_iterator(run_directory())) {
      if (entry.path().filename().native().rfind(".bell-", 0) == 0) found.insert(entry.path());
    }
    return found;
  };
  const auto before = entries();
  const Doorbell bell = Doorbell::create();
  EXPECT_EQ(entries(), before);
}

TEST(MacosDoorbellTest, NeitherRingNorWaitBlocksWhereAPeerMakesTheDescriptorBlock) {
  Doorbell bell = Doorbell::create();
  const OwnedHandle shared = bell.duplicate();
  ASSERT_EQ(fcntl(fd(shared.get()), F_SETFL, 0), 0);
  for (int i = 0; i < 5000; ++i) bell.ring();
  EXPECT_TRUE(bell.wait(soon()));
  while (bell.wait(now())) {
  }
  bell.ring();
  EXPECT_TRUE(bell.wait(now()));
}

TEST(MacosDoorbellTest, OtherSocketsAreNone) {
  std::array<int, 2> ends{};
  for (const int type : {SOCK_STREAM, SOCK_DGRAM}) {
    ASSERT_EQ(socketpair(AF_UNIX, type, 0, ends.data()), 0);
    for (const int end : ends) {
      EXPECT_EQ(code_thrown([&] { Doorbell::adopt(OwnedHandle(end)); }), ErrorCode::protocol_error);
    }
  }
}

TEST(MacosMachineTest, AskingForMemoryTakesNoPort) {
  for (int i = 0; i < 10; ++i) EXPECT_GT(available_memory().value_or(0), 0U);
  EXPECT_EQ(host_ports_held(), 0);
}

TEST(MacosMachineTest, SharedMemoryHasNeitherSealsNorHugePages) {
  const SharedMemorySupport support = probe_shared_memory();
  EXPECT_TRUE(support.available) << support.reason;
  EXPECT_FALSE(support.seals);
  EXPECT_FALSE(support.huge_pages);
}

}  // namespace
}  // namespace remotemedia::platform

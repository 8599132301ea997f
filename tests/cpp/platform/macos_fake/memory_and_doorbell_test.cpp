// SPDX-License-Identifier: Apache-2.0
//
// Memory whose name lasts for a moment, and bells that are sockets, by the sources for macOS.

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdlib>
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
#include "remotemedia/platform/shared_memory.h"
#include "testing/thrown.h"

namespace remotemedia::platform {
namespace {

using macos_fake::host_ports_held;
using macos_fake::is_shared_memory;
using macos_fake::kKillBefore;
using testing::code_thrown;
using testing::now;
using testing::PeerProcess;
using testing::PeerRole;
using testing::soon;

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

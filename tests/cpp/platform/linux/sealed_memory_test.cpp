// SPDX-License-Identifier: Apache-2.0
//
// Shared memory that was given to be read, against processes of this and of another user.

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cstdint>
#include <filesystem>
#include <string>
#include <utility>
#include <vector>

#include "platform/conformance/connected_peer.h"
#include "platform/linux/attack.h"
#include "remotemedia/platform/os_error.h"
#include "remotemedia/platform/shared_memory.h"
#include "testing/held_resources.h"
#include "testing/thrown.h"

namespace remotemedia::platform {
namespace {

using testing::code_thrown;
using testing::HeldResources;

constexpr std::size_t kBytes = std::size_t{4} << 20;
constexpr uid_t kNobody = 65534;

std::string text_of(const std::vector<std::string>& words) {
  std::string text;
  for (const std::string& word : words) text += word + "\n";
  return text;
}

bool is_all(std::span<const std::byte> bytes, int value) {
  return std::all_of(bytes.begin(), bytes.end(), [value](std::byte one) { return one == std::byte(value); });
}

/// 4 MiB of 7, of which nobody can become a writer.
class SealedMemoryTest : public ::testing::Test {
 protected:
  SealedMemoryTest() : writer(memory.map(Access::read_write)) {
    std::fill(writer.bytes().begin(), writer.bytes().end(), std::byte{7});
    memory.forbid_new_writers();
    handle = memory.handle_for(Access::read_only);
  }

  void expect_unharmed() {
    EXPECT_TRUE(is_all(writer.bytes(), 7));
    EXPECT_TRUE(is_all(memory.map(Access::read_only).bytes(), 7));
    *writer.data() = std::byte{8};  // its writer is still one
    EXPECT_EQ(*memory.map(Access::read_only).data(), std::byte{8});
    *writer.data() = std::byte{7};
  }

  SharedMemory memory = SharedMemory::create(kBytes);
  Mapping writer;
  OwnedHandle handle;
};

TEST_F(SealedMemoryTest, WithstandsEverythingInItsOwnProcess) {
  EXPECT_EQ(text_of(testing::attack(static_cast<int>(handle.get()), kBytes)), "");
  expect_unharmed();
}

const testing::PeerRole kAttack("attack", [](const std::vector<std::string>& arguments) {
  DescriptorChannel parent = testing::connect_back(arguments);
  if (arguments.at(1) == "as nobody" && setresuid(kNobody, kNobody, kNobody) != 0) return 4;
  Message message = testing::expect_message(parent, "read this");
  const std::string succeeded = text_of(testing::attack(static_cast<int>(message.handles.at(0).get()), kBytes));
  testing::say(parent, "succeeded:\n" + succeeded);
  return 0;
});

void expect_withstood(const OwnedHandle& handle, const std::string& who) {
  testing::ConnectedPeer peer("attack", {who});
  testing::say(peer.channel, "read this", std::array{handle.get()});
  testing::expect_message(peer.channel, "succeeded:\n");
  EXPECT_EQ(peer.process.wait(), 0);
}

TEST_F(SealedMemoryTest, WithstandsAnotherProcess) {
  expect_withstood(handle, "as the same user");
  expect_unharmed();
}

TEST_F(SealedMemoryTest, WithstandsAnotherUser) {
  if (geteuid() != 0) GTEST_SKIP() << "only root can become another user";
  expect_withstood(handle, "as nobody");
  expect_unharmed();
}

/// Arguments: a process, one of its descriptors, an address in it.
const testing::PeerRole kSpy("spy as nobody", [](const std::vector<std::string>& arguments) {
  if (setresuid(kNobody, kNobody, kNobody) != 0) return 4;
  const auto process = static_cast<pid_t>(std::stol(arguments.at(0)));
  EXPECT_EQ(open(("/proc/" + arguments.at(0) + "/fd/" + arguments.at(1)).c_str(), O_RDONLY | O_CLOEXEC), -1);
  const OwnedHandle pidfd(syscall(SYS_pidfd_open, process, 0));
  EXPECT_EQ(syscall(SYS_pidfd_getfd, pidfd.get(), std::stol(arguments.at(1)), 0), -1);
  std::array<char, 8> bytes{};
  const iovec into{.iov_base = bytes.data(), .iov_len = bytes.size()};
  const iovec from{.iov_base = reinterpret_cast<void*>(std::stoull(arguments.at(2))), .iov_len = bytes.size()};
  EXPECT_EQ(process_vm_readv(process, &into, 1, &from, 1, 0), -1);
  return 0;
});

TEST_F(SealedMemoryTest, AnotherUserWhoWasNotGivenItCannotReadIt) {
  if (geteuid() != 0) GTEST_SKIP() << "only root can become another user";
  const auto address = reinterpret_cast<std::uintptr_t>(writer.data());
  testing::PeerProcess spy("spy as nobody",
                           {std::to_string(process_id()), std::to_string(handle.get()), std::to_string(address)});
  EXPECT_EQ(spy.wait(), 0);
}

TEST_F(SealedMemoryTest, HasNoNameThatCouldBeOpened) {
  for (const auto& entry : std::filesystem::directory_iterator("/dev/shm")) {
    struct stat named {};
    struct stat ours {};
    ASSERT_EQ(fstat(static_cast<int>(handle.get()), &ours), 0);
    if (stat(entry.path().c_str(), &named) != 0) continue;
    EXPECT_FALSE(named.st_dev == ours.st_dev && named.st_ino == ours.st_ino) << entry.path();
  }
}

TEST_F(SealedMemoryTest, EvenItsWriterCannotDiscardPages) {
  EXPECT_NE(madvise(writer.data(), writer.size(), MADV_REMOVE), 0);
  expect_unharmed();
}

TEST_F(SealedMemoryTest, CannotBeOpenedByItsNameInProc) {
  struct stat found {};
  ASSERT_EQ(fstat(static_cast<int>(handle.get()), &found), 0);
  EXPECT_EQ(found.st_mode & 07777, 0U);
}

TEST_F(SealedMemoryTest, IsReadByWhoeverAdoptsIt) {
  SharedMemory received = SharedMemory::adopt(std::move(handle), kBytes, Access::read_only);
  EXPECT_TRUE(is_all(received.map(Access::read_only).bytes(), 7));
  received.forbid_new_writers();
  EXPECT_TRUE(received.handle_for(Access::read_only));
}

TEST(SharedMemoryOnLinuxTest, AHandleThatCouldBeMadeWritableIsNotGivenToBeRead) {
  SharedMemory memory = SharedMemory::create(1);
  EXPECT_EQ(code_thrown([&] { memory.handle_for(Access::read_only); }), ErrorCode::invalid_argument);
  memory.forbid_new_writers();
  EXPECT_TRUE(memory.handle_for(Access::read_only));
}

TEST(SharedMemoryOnLinuxTest, WhoSharesMemoryWritableSeesTheBanOfTheOther) {
  SharedMemory memory = SharedMemory::create(1);
  const SharedMemory other = SharedMemory::adopt(memory.handle_for(Access::read_write), 1, Access::read_write);
  const Mapping late_sealed = other.map(Access::read_write);
  memory.forbid_new_writers();
  EXPECT_EQ(code_thrown([&] { other.map(Access::read_write); }), ErrorCode::invalid_argument);
  EXPECT_EQ(code_thrown([&] { other.handle_for(Access::read_write); }), ErrorCode::invalid_argument);
  *late_sealed.data() = std::byte{9};
  EXPECT_EQ(*memory.map(Access::read_only).data(), std::byte{9});
}

TEST(SharedMemoryOnLinuxTest, ItsSizeIsFixedFromTheBeginning) {
  const SharedMemory memory = SharedMemory::create(kBytes);
  const OwnedHandle handle = memory.handle_for(Access::read_write);
  for (const off_t size : {off_t{0}, static_cast<off_t>(kBytes) / 2, static_cast<off_t>(kBytes) * 2}) {
    EXPECT_EQ(ftruncate(static_cast<int>(handle.get()), size), -1) << size;
  }
}

TEST(SharedMemoryOnLinuxTest, LargeMappingsBeginWhereHugePagesCan) {
  constexpr std::size_t kHugePage = std::size_t{2} << 20;
  for (const std::size_t size : {kHugePage, kHugePage + 1, 5 * kHugePage}) {
    const Mapping mapping = SharedMemory::create(size).map(Access::read_write);
    EXPECT_EQ(reinterpret_cast<std::uintptr_t>(mapping.data()) % kHugePage, 0U);
  }
}

/// A file of another kind, or shared memory made by somebody who is not careful.
struct Foreign {
  const char* name;
  OwnedHandle handle;
};

OwnedHandle raw_memfd(unsigned flags, int seals, off_t size = kBytes) {
  OwnedHandle made(memfd_create("foreign", flags | MFD_CLOEXEC));
  if (!made) return made;
  EXPECT_EQ(ftruncate(static_cast<int>(made.get()), size), 0);
  EXPECT_TRUE(seals == 0 || fcntl(static_cast<int>(made.get()), F_ADD_SEALS, seals) == 0);
  return made;
}

OwnedHandle opened_again(const OwnedHandle& handle, int flags) {
  return OwnedHandle(open(("/proc/self/fd/" + std::to_string(handle.get())).c_str(), flags | O_CLOEXEC));
}

std::vector<Foreign> foreign_handles() {
  constexpr int kFixed = F_SEAL_SHRINK | F_SEAL_GROW;
  std::vector<Foreign> all;
  all.push_back({"a memfd that cannot be sealed", raw_memfd(0, 0)});
  all.push_back({"a memfd without seals", raw_memfd(MFD_ALLOW_SEALING, 0)});
  all.push_back({"a memfd that can grow", raw_memfd(MFD_ALLOW_SEALING, F_SEAL_SHRINK)});
  all.push_back({"a memfd that can shrink", raw_memfd(MFD_ALLOW_SEALING, F_SEAL_GROW)});
  all.push_back({"a memfd that is smaller", raw_memfd(MFD_ALLOW_SEALING, kFixed, kBytes / 2)});
  all.push_back({"a memfd that is not of whole pages", raw_memfd(MFD_ALLOW_SEALING, kFixed, kBytes - 1)});
  all.push_back({"huge pages that may not be there", raw_memfd(MFD_ALLOW_SEALING | MFD_HUGETLB, kFixed)});
  const OwnedHandle good = raw_memfd(MFD_ALLOW_SEALING, kFixed);
  all.push_back({"a path", opened_again(good, O_PATH)});
  all.push_back({"what can only be written", opened_again(good, O_WRONLY)});
  all.push_back({"a file", OwnedHandle(open("/proc/self/exe", O_RDONLY | O_CLOEXEC))});
  all.push_back({"a file in shared memory", OwnedHandle(open("/dev/shm", O_TMPFILE | O_RDWR | O_CLOEXEC, 0600))});
  all.push_back({"a folder", OwnedHandle(open("/", O_RDONLY | O_DIRECTORY | O_CLOEXEC))});
  all.push_back({"a device", OwnedHandle(open("/dev/zero", O_RDWR | O_CLOEXEC))});
  return all;
}

TEST(SharedMemoryOnLinuxTest, WhatIsNotSafeToMapIsRefusedAndClosed) {
  const HeldResources before = HeldResources::now();
  for (const Access access : {Access::read_only, Access::read_write}) {
    for (Foreign& foreign : foreign_handles()) {
      if (!foreign.handle) continue;  // this system does not have it
      EXPECT_EQ(code_thrown([&] { SharedMemory::adopt(std::move(foreign.handle), kBytes, access); }),
                ErrorCode::protocol_error)
          << foreign.name;
    }
  }
  EXPECT_EQ(HeldResources::now(), before);
}

TEST(SharedMemoryOnLinuxTest, WhatCannotBeWrittenIsRefusedToWriters) {
  constexpr int kFixed = F_SEAL_SHRINK | F_SEAL_GROW;
  const OwnedHandle good = raw_memfd(MFD_ALLOW_SEALING, kFixed);
  OwnedHandle read_only = opened_again(good, O_RDONLY);
  ASSERT_TRUE(read_only);
  EXPECT_EQ(code_thrown([&] { SharedMemory::adopt(std::move(read_only), kBytes, Access::read_write); }),
            ErrorCode::protocol_error);
  for (const int ban : {F_SEAL_WRITE, F_SEAL_FUTURE_WRITE}) {
    EXPECT_EQ(code_thrown(
                  [&] { SharedMemory::adopt(raw_memfd(MFD_ALLOW_SEALING, kFixed | ban), kBytes, Access::read_write); }),
              ErrorCode::protocol_error);
    EXPECT_TRUE(SharedMemory::adopt(raw_memfd(MFD_ALLOW_SEALING, kFixed | ban), kBytes, Access::read_only));
  }
}

const testing::PeerRole kSmallFiles("small files", [](const std::vector<std::string>&) {
  const rlimit small{.rlim_cur = 1 << 20, .rlim_max = 1 << 20};
  if (setrlimit(RLIMIT_FSIZE, &small) != 0) return 4;
  EXPECT_EQ(testing::thrown<OsError>([] { SharedMemory::create(kBytes); }).number(), EFBIG);
  EXPECT_TRUE(SharedMemory::create(1 << 20));
  return 0;
});

TEST(SharedMemoryOnLinuxTest, ALimitForFilesIsAnErrorAndNoSignal) {
  EXPECT_EQ(testing::PeerProcess("small files").wait(), 0);
}

TEST(SharedMemoryOnLinuxTest, TenThousandLeaveNothing) {
  const HeldResources before = HeldResources::now();
  for (int i = 0; i < 10'000; ++i) {
    SharedMemory memory = SharedMemory::create(page_bytes());
    const Mapping mapping = memory.map(Access::read_write);
    *mapping.data() = std::byte{1};
    memory.forbid_new_writers();
    const SharedMemory received =
        SharedMemory::adopt(memory.handle_for(Access::read_only), page_bytes(), Access::read_only);
    EXPECT_EQ(*received.map(Access::read_only).data(), std::byte{1});
  }
  EXPECT_EQ(HeldResources::now(), before);
}

}  // namespace
}  // namespace remotemedia::platform

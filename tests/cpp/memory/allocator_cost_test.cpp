// SPDX-License-Identifier: Apache-2.0
//
// What allocating costs, in counts: no page fault and no system call once a session has room.

#include <gtest/gtest.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <csignal>
#include <cstddef>
#include <vector>

#include "remotemedia/memory/shared_memory_allocator.h"

namespace remotemedia {
namespace {

constexpr std::size_t kBlocks = 64;

AllocatorConfig config() {
  return {.max_memory_bytes = std::size_t{64} << 20,
          .first_segment_bytes = std::size_t{16} << 20,
          .segment_bytes = std::size_t{16} << 20,
          .spare_segments = 0};
}

/// Blocks of many sizes come and go in two sessions, and each is written to at both ends.
void work(SharedMemoryAllocator& allocator, std::array<MemoryBlock, kBlocks>& blocks, std::size_t rounds) {
  for (std::size_t i = 0; i < rounds; ++i) {
    MemoryBlock& block = blocks[(i * 7) % kBlocks];
    block = allocator.allocate(1 + (i * 104'729) % 100'000, i % 5 == 0 ? "other" : "one");
    block.data()[0] = std::byte{1};
    block.data()[block.size() - 1] = std::byte{1};
  }
}

/// From here on a system call of this thread that does not end it kills the process.
void forbid_system_calls() {
  std::array<sock_filter, 4> program{{
      BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(seccomp_data, nr)),
      BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_exit_group, 0, 1),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
      BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_KILL_PROCESS),
  }};
  const sock_fprog filter{program.size(), program.data()};
  if (prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0 || prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &filter) != 0) {
    _exit(77);
  }
}

/// How a child ends that does `what` in a process of its own.
template <class F>
int status_of_child(F what) {
  const pid_t child = fork();
  if (child == 0) {
    what();
    _exit(0);
  }
  int status = -1;
  EXPECT_EQ(waitpid(child, &status, 0), child);
  return status;
}

TEST(AllocatorCostTest, NoPageFaults) {
  SharedMemoryAllocator allocator(config());
  std::array<MemoryBlock, kBlocks> blocks;
  work(allocator, blocks, 50'000);
  rusage before{};
  getrusage(RUSAGE_THREAD, &before);
  work(allocator, blocks, 50'000);
  rusage after{};
  getrusage(RUSAGE_THREAD, &after);
  EXPECT_EQ(after.ru_minflt - before.ru_minflt, 0);
  EXPECT_EQ(after.ru_majflt - before.ru_majflt, 0);
}

TEST(AllocatorCostTest, NoPageFaultsOnTheFirstUseOfASegment) {
  SharedMemoryAllocator allocator(config());
  (void)allocator.allocate(1);
  const MemoryBlock block = allocator.allocate(std::size_t{15} << 20);
  rusage before{};
  getrusage(RUSAGE_THREAD, &before);
  for (std::size_t at = 0; at < block.size(); at += 4096) block.data()[at] = std::byte{1};
  rusage after{};
  getrusage(RUSAGE_THREAD, &after);
  EXPECT_EQ(after.ru_minflt - before.ru_minflt, 0) << "every page is there";
}

TEST(AllocatorCostTest, NoSystemCalls) {
  const int status = status_of_child([] {
    SharedMemoryAllocator allocator(config());
    std::array<MemoryBlock, kBlocks> blocks;
    work(allocator, blocks, 50'000);
    forbid_system_calls();
    work(allocator, blocks, 50'000);
    _exit(0);
  });
  if (WIFEXITED(status) && WEXITSTATUS(status) == 77) GTEST_SKIP() << "this system has no seccomp filters";
  EXPECT_TRUE(WIFEXITED(status) && WEXITSTATUS(status) == 0) << "status " << status;
}

TEST(AllocatorCostTest, ASystemCallWouldBeSeen) {
  const int status = status_of_child([] {
    forbid_system_calls();
    (void)getppid();
  });
  if (WIFEXITED(status) && WEXITSTATUS(status) == 77) GTEST_SKIP() << "this system has no seccomp filters";
  EXPECT_TRUE(WIFSIGNALED(status) && WTERMSIG(status) == SIGSYS) << "status " << status;
}

}  // namespace
}  // namespace remotemedia

// SPDX-License-Identifier: Apache-2.0
//
// What control groups leave, and whose run directory is used.

#include <gtest/gtest.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "platform/conformance/connected_peer.h"
#include "remotemedia/platform/memory_limits_linux.h"
#include "remotemedia/platform/os_error.h"
#include "remotemedia/platform/shared_memory.h"
#include "testing/thrown.h"

namespace remotemedia::platform {
namespace {

using testing::code_thrown;

constexpr std::size_t kMebi = std::size_t{1} << 20;

/// /proc and /sys of a machine that has 1000 MiB available.
class Machine {
 public:
  Machine() { put("proc/meminfo", "MemTotal: 4096000 kB\nMemAvailable: 1024000 kB\nShmem: 5 kB\n"); }

  Machine& put(const std::string& file, const std::string& text) {
    const std::filesystem::path path = folder_.path() / file;
    std::filesystem::create_directories(path.parent_path());
    std::ofstream(path) << text;
    return *this;
  }

  Machine& with_version_2(const std::string& group, const std::string& top = "/") {
    put("proc/self/cgroup", "0::" + group + "\n");
    return put("proc/self/mountinfo", "25 1 0:22 / /proc rw,relatime shared:7 - proc proc rw\n30 1 0:26 " + top +
                                          " /sys/fs/cgroup rw,nosuid shared:4 - cgroup2 cgroup2 rw,nsdelegate\n");
  }

  Machine& with_version_1(const std::string& group, const std::string& top = "/") {
    put("proc/self/cgroup", "5:cpu,cpuacct:/other\n4:memory:" + group + "\n0::/unified\n");
    return put("proc/self/mountinfo",
               "30 1 0:26 / /sys/fs/cgroup/unified rw - cgroup2 cgroup2 rw\n31 1 0:27 / /sys/fs/cgroup/cpu rw - cgroup "
               "cgroup rw,cpu,cpuacct\n32 1 0:28 " +
                   top + " /sys/fs/cgroup/memory rw - cgroup cgroup rw,memory\n");
  }

  Machine& group_2(const std::string& group, const std::string& limit, std::size_t use, std::size_t droppable = 0) {
    put("sys/fs/cgroup" + group + "/memory.max", limit + "\n");
    put("sys/fs/cgroup" + group + "/memory.current", std::to_string(use) + "\n");
    return put("sys/fs/cgroup" + group + "/memory.stat",
               "anon 1\ninactive_file " + std::to_string(droppable) + "\nactive_file 7\n");
  }

  Machine& group_1(const std::string& group, std::size_t limit, std::size_t use, std::size_t droppable = 0) {
    put("sys/fs/cgroup/memory" + group + "/memory.limit_in_bytes", std::to_string(limit) + "\n");
    put("sys/fs/cgroup/memory" + group + "/memory.usage_in_bytes", std::to_string(use) + "\n");
    return put("sys/fs/cgroup/memory" + group + "/memory.stat",
               "inactive_file 3\ntotal_inactive_file " + std::to_string(droppable) + "\n");
  }

  std::optional<std::size_t> available() const { return available_memory_below(folder_.path()); }

 private:
  testing::AddressFolder folder_;
};

TEST(MemoryLimitsTest, WithoutGroupsItIsWhatTheMachineHas) { EXPECT_EQ(Machine().available(), 1000 * kMebi); }

TEST(MemoryLimitsTest, AGroupWithoutALimitLeavesAll) {
  EXPECT_EQ(Machine().with_version_2("/a").group_2("/a", "max", 5 * kMebi).available(), 1000 * kMebi);
  EXPECT_EQ(Machine().with_version_1("/a").group_1("/a", 9223372036854771712U, 5 * kMebi).available(), 1000 * kMebi);
}

TEST(MemoryLimitsTest, AGroupLeavesItsLimitLessItsUse) {
  EXPECT_EQ(Machine().with_version_2("/a").group_2("/a", std::to_string(300 * kMebi), 100 * kMebi).available(),
            200 * kMebi);
  EXPECT_EQ(Machine().with_version_1("/a").group_1("/a", 300 * kMebi, 100 * kMebi).available(), 200 * kMebi);
}

TEST(MemoryLimitsTest, FilePagesThatCanBeDroppedAreFree) {
  EXPECT_EQ(
      Machine().with_version_2("/a").group_2("/a", std::to_string(300 * kMebi), 100 * kMebi, 60 * kMebi).available(),
      260 * kMebi);
  EXPECT_EQ(Machine().with_version_1("/a").group_1("/a", 300 * kMebi, 100 * kMebi, 60 * kMebi).available(),
            260 * kMebi);
}

TEST(MemoryLimitsTest, EveryGroupOnTheWayCounts) {
  Machine machine;
  machine.with_version_2("/outer/middle/inner");
  machine.group_2("/outer", std::to_string(500 * kMebi), 200 * kMebi);
  machine.group_2("/outer/middle", std::to_string(250 * kMebi), 200 * kMebi);
  machine.group_2("/outer/middle/inner", "max", 10 * kMebi);
  machine.group_2("/beside", "0", 0);
  EXPECT_EQ(machine.available(), 50 * kMebi);
}

TEST(MemoryLimitsTest, AFullGroupLeavesNothing) {
  EXPECT_EQ(Machine().with_version_2("/a").group_2("/a", std::to_string(100 * kMebi), 150 * kMebi).available(), 0U);
}

TEST(MemoryLimitsTest, AContainerSeesItsOwnGroupAtTheTop) {
  EXPECT_EQ(Machine().with_version_2("/").group_2("", std::to_string(64 * kMebi), 4 * kMebi).available(), 60 * kMebi);
  EXPECT_EQ(Machine().with_version_1("/docker/1", "/docker/1").group_1("", 64 * kMebi, 4 * kMebi).available(),
            60 * kMebi);
  EXPECT_EQ(Machine().with_version_2("/../elsewhere").group_2("", std::to_string(64 * kMebi), 4 * kMebi).available(),
            60 * kMebi);
}

TEST(MemoryLimitsTest, FilesThatSayNothingAreNoLimit) {
  EXPECT_EQ(Machine().put("proc/meminfo", "nonsense").available(), std::nullopt);
  EXPECT_EQ(Machine().put("proc/self/cgroup", "::\n0:\nx").put("proc/self/mountinfo", " - \n1 2 -").available(),
            1000 * kMebi);
  EXPECT_EQ(Machine().with_version_2("/a").group_2("/a", "many", 0).available(), 1000 * kMebi);
  EXPECT_EQ(available_memory_below("/proc/self/no such folder"), std::nullopt);
}

/// Sets a variable of the environment, and takes it back.
class Environment {
 public:
  Environment(std::string name, const std::string& value) : name_(std::move(name)) {
    if (const char* const before = std::getenv(name_.c_str())) before_ = before;
    setenv(name_.c_str(), value.c_str(), 1);
  }
  Environment(const Environment&) = delete;
  Environment& operator=(const Environment&) = delete;
  ~Environment() {
    if (before_) setenv(name_.c_str(), before_->c_str(), 1);
    if (!before_) unsetenv(name_.c_str());
  }

 private:
  std::string name_;
  std::optional<std::string> before_;
};

/// A folder for XDG_RUNTIME_DIR.
class RunDirectoryTest : public ::testing::Test {
 protected:
  testing::AddressFolder folder_;
  std::filesystem::path own_ = folder_ / "remotemedia";
  Environment runtime_{"XDG_RUNTIME_DIR", folder_.path().string()};

  void SetUp() override { std::filesystem::permissions(folder_.path(), std::filesystem::perms::owner_all); }

  static void expect_refused() {
    for (int times = 0; times < 2; ++times) EXPECT_EQ(code_thrown(run_directory), ErrorCode::shared_memory_unavailable);
  }
};

TEST_F(RunDirectoryTest, IsMadeForThisUserAlone) {
  for (int times = 0; times < 2; ++times) {
    EXPECT_EQ(run_directory(), own_);
    EXPECT_EQ(std::filesystem::status(own_).permissions(), std::filesystem::perms::owner_all);
  }
}

TEST_F(RunDirectoryTest, IsNotUsedIfItIsALink) {
  std::filesystem::create_directory(folder_ / "elsewhere");
  std::filesystem::permissions(folder_ / "elsewhere", std::filesystem::perms::owner_all);
  std::filesystem::create_directory_symlink(folder_ / "elsewhere", own_);
  expect_refused();
}

TEST_F(RunDirectoryTest, IsNotUsedIfItIsAFile) {
  std::ofstream(own_) << "x";
  expect_refused();
}

TEST_F(RunDirectoryTest, IsNotUsedIfItIsOpenToOthers) {
  std::filesystem::create_directory(own_);
  for (const unsigned mode : {0755U, 0770U, 0701U}) {
    std::filesystem::permissions(own_, std::filesystem::perms(mode));
    expect_refused();
  }
  std::filesystem::permissions(own_, std::filesystem::perms::owner_all);
  EXPECT_EQ(run_directory(), own_);
}

TEST_F(RunDirectoryTest, IsNotUsedIfItIsAnotherUsers) {
  if (geteuid() != 0) GTEST_SKIP() << "only root can give a folder away";
  std::filesystem::create_directory(own_);
  std::filesystem::permissions(own_, std::filesystem::perms::owner_all);
  ASSERT_EQ(chown(own_.c_str(), 65534, 65534), 0);
  expect_refused();
}

TEST_F(RunDirectoryTest, StandsAmongTemporaryFilesWhereTheSessionHasNone) {
  const Environment temporary("TMPDIR", folder_.path().string());
  const std::filesystem::path expected = folder_ / ("remotemedia-" + std::to_string(geteuid()));
  for (const std::string& none : {std::string(), std::string("relative"), (folder_ / "missing").string()}) {
    const Environment runtime("XDG_RUNTIME_DIR", none);
    EXPECT_EQ(run_directory(), expected);
  }
  std::filesystem::permissions(folder_.path(), std::filesystem::perms(0777));  // anybody could put a folder there
  EXPECT_EQ(run_directory(), expected);
}

constexpr std::size_t kGroupLimit = 256 * kMebi;

/// Joins the group that is the first argument and asks for more than it may have.
const testing::PeerRole kFillGroup("fill a group", [](const std::vector<std::string>& arguments) {
  std::ofstream(arguments.at(0) + "/cgroup.procs") << process_id() << std::flush;
  EXPECT_LE(available_memory().value(), kGroupLimit);
  for (int times = 0; times < 2; ++times) {
    const SharedMemory memory = SharedMemory::create(2 * kGroupLimit);
    Mapping mapping = memory.map(Access::read_write);
    EXPECT_EQ(testing::thrown<OsError>([&] { mapping.populate(); }).code(), ErrorCode::out_of_memory);
  }
  SharedMemory::create(kGroupLimit / 8).map(Access::read_write).populate();
  return 0;
});

/// A control group below this process's own; empty where none can be made.
std::filesystem::path make_group() {
  std::ifstream lines("/proc/self/cgroup");
  for (std::string line; std::getline(lines, line);) {
    const std::string path = line.substr(line.rfind(':') + 1);
    const bool version_2 = line.find("0::") == 0;
    if (!version_2 && line.find(":memory:") == std::string::npos) continue;
    const std::filesystem::path top = version_2 ? "/sys/fs/cgroup" : "/sys/fs/cgroup/memory";
    const std::filesystem::path group = top.string() + path + "/remotemedia-test-" + std::to_string(process_id());
    std::error_code error;
    if (!std::filesystem::create_directory(group, error)) continue;
    std::ofstream limit(group / (version_2 ? "memory.max" : "memory.limit_in_bytes"));
    if (limit << kGroupLimit << std::flush) return group;
    std::filesystem::remove(group, error);
  }
  return {};
}

TEST(MemoryLimitsTest, AFullGroupIsAnErrorAndNoSignal) {
  const std::filesystem::path group = make_group();
  if (group.empty()) GTEST_SKIP() << "this process may not make a control group with a memory limit";
  EXPECT_EQ(testing::PeerProcess("fill a group", {group.string()}).wait(), 0);
  rmdir(group.c_str());
}

/// In its first 64 MiB.
std::size_t present_bytes(const Mapping& mapping) {
  std::vector<unsigned char> present(64 * kMebi / page_bytes());
  EXPECT_EQ(mincore(mapping.data(), 64 * kMebi, present.data()), 0);
  const auto count = std::count_if(present.begin(), present.end(), [](unsigned char one) { return (one & 1) != 0; });
  return static_cast<std::size_t>(count) * page_bytes();
}

TEST(MemoryLimitsTest, MoreThanTheMachineHasIsAnErrorAndNoSignal) {
  const std::optional<std::size_t> available = available_memory();
  ASSERT_TRUE(available);
  const SharedMemory memory = SharedMemory::create(*available + (std::size_t{1} << 30));
  Mapping mapping = memory.map(Access::read_write);
  for (int times = 0; times < 2; ++times) {
    EXPECT_EQ(testing::thrown<OsError>([&] { mapping.populate(); }).code(), ErrorCode::out_of_memory);
  }
  EXPECT_EQ(present_bytes(mapping), 0U);  // not even a part of it was taken
}

}  // namespace
}  // namespace remotemedia::platform

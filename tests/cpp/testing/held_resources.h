// SPDX-License-Identifier: Apache-2.0
//
// What a process holds of the system, as /proc tells it, so that a test can see that all of it was given back.
//
//     const HeldResources before = HeldResources::now();
//     ...
//     EXPECT_EQ(HeldResources::now(), before);
//
// Linux only.

#pragma once

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <filesystem>
#include <fstream>
#include <ostream>
#include <set>
#include <string>
#include <system_error>
#include <thread>
#include <vector>

namespace remotemedia::testing {

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
inline constexpr bool kReservationsAreOurs = false;  // sanitizers reserve addresses as they go
#else
inline constexpr bool kReservationsAreOurs = true;
#endif

struct HeldResources {
  std::vector<std::string> descriptors;  ///< What each refers to.
  std::vector<std::string> mappings;     ///< Of files that are shared, and of addresses that are only reserved.

  static HeldResources now();
  bool operator==(const HeldResources&) const = default;
};

inline HeldResources HeldResources::now() {
  HeldResources held;
  for (const auto& entry : std::filesystem::directory_iterator("/proc/self/fd")) {
    std::error_code gone;
    const std::filesystem::path target = std::filesystem::read_symlink(entry.path(), gone);
    if (gone || target.native().find("/proc/") == 0) continue;  // that of this loop
    held.descriptors.push_back(target.string());
  }
  std::ifstream maps("/proc/self/maps");
  for (std::string line; std::getline(maps, line);) {
    const std::size_t mode = line.find(' ') + 1;
    const std::string path = line.find('/') == std::string::npos ? "" : line.substr(line.find('/'));
    if (path.starts_with("/[aio]")) continue;  // a process keeps one once it has shared a doorbell
    const bool shared = line[mode + 3] == 's';
    const bool reserved = kReservationsAreOurs && line.compare(mode, 4, "---p") == 0 && path.empty();
    if (shared || reserved) held.mappings.push_back(line.substr(0, mode + 4) + " " + path);
  }
  std::sort(held.descriptors.begin(), held.descriptors.end());
  return held;
}

inline std::ostream& operator<<(std::ostream& out, const HeldResources& held) {
  for (const std::string& one : held.descriptors) out << "\n  " << one;
  for (const std::string& one : held.mappings) out << "\n  " << one;
  return out;
}

/// Bytes of shared memory on this machine, of all processes.
inline std::size_t shared_memory_of_machine() {
  std::ifstream lines("/proc/meminfo");
  for (std::string word; lines >> word;) {
    std::size_t kilobytes = 0;
    if (word == "Shmem:" && lines >> kilobytes) return kilobytes * 1024;
  }
  return 0;
}

/// Whether of the `made` bytes of processes that are dead hardly any are left of this machine, which had `bytes` before
/// them. Waits for it: their pages go a moment after them. The eighth part is for other processes that begin to use
/// shared memory meanwhile.
inline bool shared_memory_comes_back_to(std::size_t bytes, std::size_t made) {
  const auto deadline = std::chrono::steady_clock::now() + std::chrono::seconds{30};
  while (shared_memory_of_machine() > bytes + made / 8) {
    if (std::chrono::steady_clock::now() > deadline) return false;
    std::this_thread::yield();
  }
  return true;
}

/// What has a name that would outlive its makers.
inline std::set<std::filesystem::path> named_shared_memory() {
  std::set<std::filesystem::path> names;
  for (const auto& entry : std::filesystem::directory_iterator("/dev/shm")) names.insert(entry.path());
  return names;
}

}  // namespace remotemedia::testing

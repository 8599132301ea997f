// SPDX-License-Identifier: Apache-2.0
//
// Faults of the system at a chosen call: FailNth makes one system call fail, KillAt ends the process before or after
// one. For programs that add_fault_test() (cmake/AddRoomTest.cmake) has linked; the calls of all rooms pass through
// here, those of the standard library's own code do not.
//
//     const int faults = for_each_fault([&] { SharedMemory::create(4096); }, [&] { EXPECT_EQ(held(), before); });
//
// Linux only.

#pragma once

#include <gtest/gtest.h>

#include <optional>
#include <string>
#include <type_traits>

#include "remotemedia/base/error.h"

namespace remotemedia::testing {

/// While it lives, the `n`-th system call from its beginning (1: the next) of whatever thread fails, once, in the
/// `way`-th of the ways in which that call can fail on a healthy system (0: the first). There is one at a time.
class FailNth {
 public:
  FailNth(int n, int way);
  FailNth(const FailNth&) = delete;
  FailNth& operator=(const FailNth&) = delete;
  ~FailNth();

  /// Whether there was an n-th call.
  bool reached() const noexcept;

  /// Whether it has failed: there was an n-th call, and that call has so many ways.
  bool failed() const noexcept;

  /// "mmap() fails with ENOMEM", for messages.
  std::string description() const;
};

/// From its beginning on, the `n`-th system call of whatever thread is the last thing that this process does (SIGKILL).
class KillAt {
 public:
  enum class Moment { before, after };
  KillAt(int n, Moment moment);
  KillAt(const KillAt&) = delete;
  KillAt& operator=(const KillAt&) = delete;
  ~KillAt();
};

/// Runs `operation` with its first system call failing, in each way that this call can fail, then with its second, and
/// so on until it runs without a fault. Each time it has to succeed or to throw an Error; then `check` runs without
/// faults, and may ask for the description of the fault. Returns how many faults there were.
template <class Operation, class Check>
int for_each_fault(Operation operation, Check check) {
  int faults = 0;
  for (int n = 1;; ++n) {
    for (int way = 0;; ++way) {
      std::optional<FailNth> fault;
      fault.emplace(n, way);
      std::string thrown;
      try {
        operation();
      } catch (const Error& error) {
        thrown = error.what();
      }
      const bool reached = fault->reached();
      const bool failed = fault->failed();
      const std::string description = fault->description();
      fault.reset();
      const ::testing::ScopedTrace trace(__FILE__, __LINE__, description);
      if (!failed && !thrown.empty()) ADD_FAILURE() << "without a fault: " << thrown;
      if constexpr (std::is_invocable_v<Check, const std::string&>) {
        check(description);
      } else {
        check();
      }
      if (!reached || ::testing::Test::HasFatalFailure()) return faults;
      if (!failed) break;
      ++faults;
    }
  }
}

}  // namespace remotemedia::testing

// SPDX-License-Identifier: Apache-2.0
//
// ChildProcess: another process that a test starts, and may kill or stop at any moment.

#pragma once

#include <cstdint>
#include <cstdio>
#include <string>
#include <vector>

namespace remotemedia::testing {

/// What a process reads from and writes to, seen from outside.
struct Pipes {
  std::FILE* to = nullptr;
  std::FILE* from = nullptr;
};

/// The path of the program that runs.
std::string this_program();

/// Killed and waited for by the destructor.
///
/// Threads:  one.
class ChildProcess {
 public:
  /// Runs `words` (the first is its path), with `changes` ("NAME=value") to the environment. `pipes`, if given, are
  /// made its standard input and output, and are the caller's to close.
  explicit ChildProcess(std::vector<std::string> words, const std::vector<std::string>& changes = {},
                        Pipes* pipes = nullptr);
  ChildProcess(ChildProcess&& other) noexcept;
  ChildProcess(const ChildProcess&) = delete;
  ChildProcess& operator=(const ChildProcess&) = delete;
  ~ChildProcess();

  /// As other processes see it (PeerIdentity::process).
  std::int64_t id() const noexcept { return id_; }

  /// At once, without its consent (SIGKILL, TerminateProcess). Its end may come a moment later.
  void kill() noexcept;

  /// Its exit code, once it has ended; -1 if it was killed.
  int wait() noexcept;

  /// Without waiting.
  bool has_ended() noexcept;

  /// Returns once it really stands still.
  void stop();

  void go_on();

 private:
  std::int64_t id_ = 0;
  std::intptr_t process_ = 0;  // of the system; 0 once waited for
  int exit_code_ = -1;
};

/// Whether `setting` ("NAME=value") has the name of one of `changes`.
bool is_changed(const std::string& setting, const std::vector<std::string>& changes);

}  // namespace remotemedia::testing

// SPDX-License-Identifier: Apache-2.0
//
// PeerProcess: a second process of the same test program, which plays a role instead of running tests.
//
//     const PeerRole kEcho("echo", [](const std::vector<std::string>& arguments) { ... return 0; });
//     PeerProcess peer("echo", {address});
//     peer.kill();
//
// Its program's main() is peer_main.cpp.

#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

namespace remotemedia::testing {

/// What a peer does; its result is the exit code of the process. Failed expectations make that 1.
using Role = int (*)(const std::vector<std::string>& arguments);

/// Names a role, at namespace scope.
struct PeerRole {
  PeerRole(const std::string& name, Role role);
};

/// The exit code of the role that this process was started for; nothing if it is here to run tests.
std::optional<int> play_role(int argc, char** argv);

/// Killed and waited for by the destructor.
class PeerProcess {
 public:
  explicit PeerProcess(const std::string& role, const std::vector<std::string>& arguments = {});
  PeerProcess(PeerProcess&& other) noexcept;
  PeerProcess(const PeerProcess&) = delete;
  PeerProcess& operator=(const PeerProcess&) = delete;
  ~PeerProcess();

  /// As other processes see it (PeerIdentity::process).
  std::int64_t id() const noexcept { return id_; }

  /// At once, without its consent (SIGKILL, TerminateProcess). Its end may come a moment later.
  void kill() noexcept;

  /// Its exit code, once it has ended; -1 if it was killed.
  int wait() noexcept;

 private:
  std::int64_t id_ = 0;
  std::intptr_t process_ = 0;  // of the system; 0 once waited for
  int exit_code_ = -1;
};

}  // namespace remotemedia::testing

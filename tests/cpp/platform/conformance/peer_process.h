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

#include <optional>
#include <string>
#include <vector>

#include "testing/child_process.h"

namespace remotemedia::testing {

/// What a peer does; its result is the exit code of the process. Failed expectations make that 1.
using Role = int (*)(const std::vector<std::string>& arguments);

/// Names a role, at namespace scope.
struct PeerRole {
  PeerRole(const std::string& name, Role role);
};

/// The exit code of the role that this process was started for; nothing if it is here to run tests.
std::optional<int> play_role(int argc, char** argv);

/// Plays `role` in a process of its own.
class PeerProcess : public ChildProcess {
 public:
  explicit PeerProcess(const std::string& role, const std::vector<std::string>& arguments = {});
};

}  // namespace remotemedia::testing

// SPDX-License-Identifier: Apache-2.0
//
// An ExportPeer in which a system call can fail, or be its last. It knows these lines too:
//
//     kill_at N before|after         the N-th call from here on is the last
//     spare                          none is
//     fail_at N WAY                  the N-th call from here on fails in this way
//     fault                          ends that, and says which call failed: a description, "no such way", "not reached"

#pragma once

#include <iostream>
#include <memory>
#include <optional>
#include <sstream>
#include <string>
#include <vector>

#include "memory/export_peers.h"
#include "memory/posix_export_peer_lines.h"
#include "platform/conformance/peer_process.h"
#include "testing/system_faults.h"

namespace remotemedia::testing {

inline const PeerRole kFaultyPeer("export peer", [](const std::vector<std::string>&) {
  std::optional<KillAt> end;
  std::optional<FailNth> fault;
  PosixExportPeerLines peer;  // ends before they do
  for (std::string line; std::getline(std::cin, line);) {
    std::istringstream words(line);
    std::string verb;
    int n = 0;
    std::string how;
    words >> verb >> n >> how;
    if (verb == "kill_at") {
      end.emplace(n, how == "before" ? KillAt::Moment::before : KillAt::Moment::after);
      std::cout << "will end" << std::endl;
    } else if (verb == "spare") {
      end.reset();
      std::cout << "spared" << std::endl;
    } else if (verb == "fail_at") {
      fault.emplace(n, std::stoi(how));
      std::cout << "will fail" << std::endl;
    } else if (verb == "fault") {
      std::cout << (!fault->reached() ? "not reached"
                    : fault->failed() ? fault->description()
                                      : "no such way")
                << std::endl;
      fault.reset();
    } else {
      std::cout << peer.answer(line) << std::endl;
    }
  }
  return 0;
});

class FaultyExportPeersTest : public ExportPeersTest {
 protected:
  std::unique_ptr<ExportPeer> faulty_peer() const {
    return std::make_unique<ExportPeer>(folder(), std::vector<std::string>{this_program(), "--role", "export peer"});
  }
};

}  // namespace remotemedia::testing

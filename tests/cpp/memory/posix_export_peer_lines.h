// SPDX-License-Identifier: Apache-2.0
//
// ExportPeer's side where the system is a POSIX one. It knows these lines too:
//
//     counts                         descriptors and mappings of shared memory that this process has
//     room N                         has room for N more descriptors; plenty: for many
//     fork                           leaves a child behind, which ends with whoever talks to this process
//     as_nobody ADDRESS ID           becomes another user, tries the address, then the id: what became of each

#pragma once

#include <sys/resource.h>
#include <unistd.h>

#include <cstddef>
#include <filesystem>
#include <fstream>
#include <string>
#include <vector>

#include "memory/export_peer_lines.h"
#include "remotemedia/memory/broker_channel.h"
#include "remotemedia/memory/export_id.h"
#include "remotemedia/platform/owned_handle.h"

namespace remotemedia::testing {

class PosixExportPeerLines : public ExportPeerLines {
 public:
  using ExportPeerLines::answer;

 private:
  std::string answer() override {
    const std::string verb = word(0);
    if (verb == "counts") return counts();
    if (verb == "room") return make_room(number(1));
    if (verb == "plenty") return fillers_.clear(), "done";
    if (verb == "fork") return leave_a_child();
    if (verb == "as_nobody") return as_nobody(word(1), word(2));
    return ExportPeerLines::answer();
  }

  static std::string counts() {
    std::size_t descriptors = 0;
    for ([[maybe_unused]] const auto& entry : std::filesystem::directory_iterator("/proc/self/fd")) ++descriptors;
    std::size_t mappings = 0;
    std::ifstream maps("/proc/self/maps");
    for (std::string line; std::getline(maps, line);) {
      if (line.find("memfd:") != std::string::npos) ++mappings;
    }
    return std::to_string(descriptors - 1) + " " + std::to_string(mappings);
  }

  std::string make_room(std::size_t more) {
    constexpr rlim_t kAll = 200;
    const rlimit limit{.rlim_cur = kAll, .rlim_max = kAll};
    setrlimit(RLIMIT_NOFILE, &limit);
    fillers_.clear();
    for (int filler = dup(STDIN_FILENO); filler >= 0; filler = dup(STDIN_FILENO)) fillers_.emplace_back(filler);
    fillers_.resize(fillers_.size() - more);
    return "done";
  }

  static std::string leave_a_child() {
    if (fork() != 0) return "forked";
    char nothing = 0;
    close(STDOUT_FILENO);
    while (read(STDIN_FILENO, &nothing, 1) > 0) {
    }
    _exit(0);
  }

  std::string as_nobody(const std::string& address, const std::string& id) {
    constexpr unsigned kNobody = 65'534;
    if (setgid(kNobody) != 0 || setuid(kNobody) != 0) return "still somebody";
    std::string by_address;
    try {
      platform::DescriptorChannel channel = platform::DescriptorChannel::connect(address, soon());
      const bool answered = asks(channel, with_header(open_request(read_export_id(id), false), 1));
      by_address = answered ? "answered" : "closed";
    } catch (const Error& error) {
      by_address = to_string(error.code());
    }
    return by_address + " " + answer("import " + id + " 10000");
  }

  std::vector<platform::OwnedHandle> fillers_;
};

}  // namespace remotemedia::testing

// SPDX-License-Identifier: Apache-2.0
//
// ExportPeers: processes that export and import, with a run directory of their own.

#pragma once

#include <gtest/gtest.h>

#include <cstddef>
#include <filesystem>
#include <random>
#include <set>
#include <sstream>
#include <string>
#include <system_error>
#include <utility>
#include <vector>

#include "memory/blocks_of_a_segment.h"
#include "remotemedia/memory/export_id.h"
#include "testing/program.h"

namespace remotemedia::testing {

/// A process that does what export_peer_lines.h knows.
class ExportPeer : public Program {
 public:
  explicit ExportPeer(const std::filesystem::path& folder,
                      const std::vector<std::string>& command = {REMOTEMEDIA_EXPORT_PEER})
      : Program(command, {"XDG_RUNTIME_DIR=" + folder.string(), "TMPDIR=" + folder.string()}) {}

  std::string export_block(std::size_t bytes, unsigned seed) {
    return ask("export " + std::to_string(bytes) + " " + std::to_string(seed));
  }
  /// Descriptors, and mappings of shared memory.
  std::pair<int, int> counts() {
    std::pair<int, int> counts;
    std::istringstream(ask("counts")) >> counts.first >> counts.second;
    return counts;
  }
  std::string import(const std::string& id, int milliseconds = 10'000) {
    return ask("import " + id + " " + std::to_string(milliseconds));
  }
};

class ExportPeersTest : public ::testing::Test {
 protected:
  ExportPeersTest()
      : folder_(std::filesystem::temp_directory_path() / ("rm-" + std::to_string(std::random_device()()))) {
    EXPECT_TRUE(std::filesystem::create_directory(folder_));
    std::filesystem::permissions(folder_, std::filesystem::perms::owner_all);
  }
  ~ExportPeersTest() override {
    std::error_code ignored;
    std::filesystem::remove_all(folder_, ignored);
  }

  /// What a process that exports under `id` listens at.
  std::filesystem::path address_of(const std::string& id) const {
    return folder_ / "remotemedia" / ("exports-" + id.substr(4, 16));
  }

  std::set<std::string> addresses() const {
    std::set<std::string> names;
    for (const auto& entry : std::filesystem::directory_iterator(folder_ / "remotemedia")) {
      names.insert(entry.path().filename().string());
    }
    return names;
  }

  /// What import() answers for `bytes` filled with `seed`.
  static std::string sum_of(std::size_t bytes, unsigned seed) {
    std::vector<std::byte> memory(bytes);
    fill_with(memory, seed);
    return std::to_string(checksum_of(memory));
  }

  const std::filesystem::path& folder() const { return folder_; }

 private:
  std::filesystem::path folder_;
};

}  // namespace remotemedia::testing

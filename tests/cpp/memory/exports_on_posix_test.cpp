// SPDX-License-Identifier: Apache-2.0
//
// Exports between real processes of a POSIX system: descriptors and mappings are counted and run out, addresses are
// files, and users differ.

#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "memory/export_peers.h"
#include "testing/rounds.h"

namespace remotemedia {
namespace {

using testing::ExportPeer;
using ExportsOnPosixTest = testing::ExportPeersTest;

TEST_F(ExportsOnPosixTest, ManyBlocksOfASegmentAreOneMappingAndOneDescriptor) {
  ExportPeer exporter(folder());
  ExportPeer importer(folder());
  std::vector<std::string> ids;
  for (unsigned i = 0; i < 1000; ++i) ids.push_back(exporter.export_block(1000, i));
  const auto [descriptors, mappings] = importer.counts();
  for (unsigned i = 0; i < 1000; ++i) {
    EXPECT_EQ(importer.import(ids[i]), std::to_string(i) + " " + sum_of(1000, i));
  }
  EXPECT_EQ(importer.counts(), std::pair(descriptors + 1, mappings + 1));
  for (unsigned i = 0; i < 1000; ++i) importer.ask("drop " + std::to_string(i));
  EXPECT_EQ(importer.counts(), std::pair(descriptors, mappings));
  for (unsigned i = 0; i < 1000; ++i) exporter.ask("forget " + std::to_string(i));
  EXPECT_EQ(exporter.ask("free"), "free");
}

TEST_F(ExportsOnPosixTest, ComingAndGoingLeavesNothing) {
  ExportPeer exporter(folder());
  ExportPeer importer(folder());
  const std::string id = exporter.export_block(1000, 1);
  const std::pair<int, int> there = exporter.counts();
  const std::string times = std::to_string(testing::rounds(1000));
  importer.ask("cycle " + id + " 1");
  const std::pair<int, int> here = importer.counts();
  importer.ask("cycle " + id + " " + times);
  EXPECT_EQ(importer.counts(), here);
  while (exporter.counts() != there) {  // until it has seen the last hang-up
  }
}

TEST_F(ExportsOnPosixTest, AnImporterOutOfDescriptorsLosesNoHold) {
  ExportPeer exporter(folder());
  ExportPeer importer(folder());
  const std::string small = exporter.export_block(1000, 1);
  const std::string large = exporter.export_block(20 << 20, 2);  // in a segment of its own
  EXPECT_EQ(importer.import(small), "0 " + sum_of(1000, 1));
  for (const char* room : {"0", "1", "0", "1"}) {
    importer.ask(std::string("room ") + room);
    EXPECT_EQ(importer.import(large), "shared_memory_unavailable") << room;
  }
  exporter.ask("forget 0");
  importer.ask("room 2");  // a connection, and a handle
  EXPECT_EQ(importer.import(large), "1 " + sum_of(20 << 20, 2));
  EXPECT_EQ(exporter.ask("usage"), std::to_string(1000 + (20 << 20))) << "it has what it had";
  EXPECT_EQ(importer.ask("sum 0"), sum_of(1000, 1));
}

TEST_F(ExportsOnPosixTest, AnExporterOutOfDescriptorsTurnsAwayAndComesBack) {
  ExportPeer exporter(folder());
  ExportPeer importer(folder());
  const std::string id = exporter.export_block(1000, 1);
  const std::pair<int, int> idle = exporter.counts();
  for (const char* room : {"0", "1", "2", "0"}) {  // none for the link, for fetching, for the handle
    exporter.ask(std::string("room ") + room);
    EXPECT_EQ(importer.import(id), "shared_memory_unavailable") << room;
    exporter.ask("plenty");
    while (exporter.counts() != idle) {  // until it has heard that the importer has given up
    }
  }
  EXPECT_EQ(importer.import(id), "0 " + sum_of(1000, 1));
}

TEST_F(ExportsOnPosixTest, AnAddressGoesWithItsProcessOrWithTheNextOne) {
  ExportPeer killed(folder());
  ExportPeer ends(folder());
  const std::string id = killed.export_block(100, 1);
  ends.export_block(100, 1);
  EXPECT_EQ(addresses().size(), 2U);
  EXPECT_EQ(ends.end(), 0);
  EXPECT_EQ(addresses().size(), 1U);
  killed.kill_9();
  EXPECT_EQ(addresses(), std::set<std::string>{address_of(id).filename().string()});
  ExportPeer next(folder());
  const std::string next_id = next.export_block(100, 1);
  EXPECT_EQ(addresses(), std::set<std::string>{address_of(next_id).filename().string()});
}

TEST_F(ExportsOnPosixTest, AnotherUserReachesNothing) {
  if (geteuid() != 0) GTEST_SKIP() << "only root can become another user";
  ExportPeer exporter(folder());
  const std::string id = exporter.export_block(5000, 1);
  {
    ExportPeer nobody(folder());
    EXPECT_EQ(nobody.ask("as_nobody " + address_of(id).string() + " " + id),
              "shared_memory_unavailable shared_memory_unavailable");
  }
  // Were folder and address open to all, the broker would still not speak with another user.
  using std::filesystem::perms;
  for (const auto& path : {folder(), folder() / "remotemedia", address_of(id)}) {
    std::filesystem::permissions(path, perms::all);
  }
  ExportPeer nobody(folder());
  EXPECT_EQ(nobody.ask("as_nobody " + address_of(id).string() + " " + id), "closed shared_memory_unavailable");
  std::filesystem::permissions(folder() / "remotemedia", perms::owner_all);
  ExportPeer importer(folder());
  std::filesystem::permissions(folder(), perms::owner_all);
  EXPECT_EQ(importer.import(id), "0 " + sum_of(5000, 1));
}

}  // namespace
}  // namespace remotemedia

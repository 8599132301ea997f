// SPDX-License-Identifier: Apache-2.0
//
// Exports between real processes, which die and stop.

#include <gtest/gtest.h>

#include <string>
#include <vector>

#include "memory/export_peers.h"

namespace remotemedia {
namespace {

using testing::ExportPeer;
using ExportsBetweenProcessesTest = testing::ExportPeersTest;

TEST_F(ExportsBetweenProcessesTest, AnotherProcessSeesTheSameBytes) {
  ExportPeer exporter(folder());
  ExportPeer importer(folder());
  for (const std::size_t bytes : {std::size_t{1}, std::size_t{5000}, std::size_t{20} << 20}) {
    const std::string id = exporter.export_block(bytes, 3);
    EXPECT_TRUE(importer.import(id).ends_with(" " + sum_of(bytes, 3))) << bytes;
  }
}

TEST_F(ExportsBetweenProcessesTest, WhatAnImporterHasOutlivesAKilledExporter) {
  ExportPeer exporter(folder());
  ExportPeer importer(folder());
  const std::string id = exporter.export_block(1 << 20, 7);
  EXPECT_EQ(importer.import(id), "0 " + sum_of(1 << 20, 7));
  exporter.kill_9();
  EXPECT_EQ(importer.ask("sum 0"), sum_of(1 << 20, 7));
  for (int times = 0; times < 2; ++times) EXPECT_EQ(importer.import(id), "shared_memory_unavailable");
  EXPECT_EQ(importer.ask("sum 0"), sum_of(1 << 20, 7));
  EXPECT_EQ(importer.ask("drop 0"), "dropped");
  ExportPeer next(folder());
  EXPECT_EQ(importer.import(next.export_block(100, 8)), "1 " + sum_of(100, 8));
}

TEST_F(ExportsBetweenProcessesTest, AKilledImporterGivesBackWhatItHad) {
  ExportPeer exporter(folder());
  ExportPeer survivor(folder());
  const std::string id = exporter.export_block(1 << 20, 1);
  const std::string other_id = exporter.export_block(1 << 20, 2);
  EXPECT_EQ(survivor.import(other_id), "0 " + sum_of(1 << 20, 2));
  {
    ExportPeer importer(folder());
    EXPECT_EQ(importer.import(id), "0 " + sum_of(1 << 20, 1));
    exporter.ask("forget 0");
    exporter.ask("forget 1");
    EXPECT_EQ(exporter.ask("usage"), std::to_string(2 << 20));
    importer.kill_9();
  }
  while (exporter.ask("usage") != std::to_string(1 << 20)) {
  }
  EXPECT_EQ(survivor.ask("sum 0"), sum_of(1 << 20, 2));
  EXPECT_EQ(survivor.import(id), "shared_memory_unavailable");
  EXPECT_EQ(survivor.ask("drop 0"), "dropped");
  EXPECT_EQ(exporter.ask("free"), "free");
}

TEST_F(ExportsBetweenProcessesTest, AStoppedImporterKeepsItsMemory) {
  ExportPeer exporter(folder());
  ExportPeer importer(folder());
  const std::string id = exporter.export_block(5000, 1);
  EXPECT_EQ(importer.import(id), "0 " + sum_of(5000, 1));
  importer.stop();
  exporter.ask("forget 0");
  ExportPeer other(folder());
  for (unsigned i = 0; i < 20; ++i) {
    const std::string answer = other.import(exporter.export_block(5000, 100 + i));
    EXPECT_EQ(answer, std::to_string(i) + " " + sum_of(5000, 100 + i)) << "others go on";
    exporter.ask("forget " + std::to_string(1 + i));
    other.ask("drop " + std::to_string(i));
  }
  importer.go_on();
  EXPECT_EQ(importer.ask("sum 0"), sum_of(5000, 1)) << "nobody got its memory meanwhile";
  importer.ask("drop 0");
  EXPECT_EQ(exporter.ask("free"), "free");
}

TEST_F(ExportsBetweenProcessesTest, AStoppedExporterIsADeadlineAndNotAHang) {
  ExportPeer exporter(folder());
  ExportPeer other(folder());
  ExportPeer importer(folder());
  std::vector<std::string> ids;
  for (unsigned i = 0; i < 10; ++i) ids.push_back(exporter.export_block(5000, i));
  EXPECT_EQ(importer.import(ids[0]), "0 " + sum_of(5000, 0));
  exporter.stop();
  for (unsigned i = 1; i < 10; ++i) EXPECT_EQ(importer.import(ids[i], 20), "deadline_exceeded");
  EXPECT_EQ(importer.import(other.export_block(100, 50)), "1 " + sum_of(100, 50)) << "another exporter works";
  EXPECT_EQ(importer.ask("sum 0"), sum_of(5000, 0));
  exporter.go_on();
  for (unsigned i = 0; i < 10; ++i) {
    EXPECT_EQ(importer.import(ids[i]), std::to_string(2 + i) + " " + sum_of(5000, i)) << "no late answer is another's";
  }
  for (unsigned i = 0; i < 10; ++i) exporter.ask("forget " + std::to_string(i));
  for (unsigned i = 0; i < 12; ++i) importer.ask("drop " + std::to_string(i));
  EXPECT_EQ(exporter.ask("free"), "free") << "late answers hold nothing";
}

TEST_F(ExportsBetweenProcessesTest, AnExporterThatWasStoppedBeforeItWasKnownIsADeadlineToo) {
  ExportPeer exporter(folder());
  ExportPeer importer(folder());
  const std::string id = exporter.export_block(5000, 4);
  exporter.stop();
  for (int times = 0; times < 2; ++times) EXPECT_EQ(importer.import(id, 20), "deadline_exceeded");
  exporter.go_on();
  EXPECT_EQ(importer.import(id), "0 " + sum_of(5000, 4));
}

TEST_F(ExportsBetweenProcessesTest, ALeaseWaitsForAnImporterThatComesLate) {
  ExportPeer exporter(folder());
  ExportPeer importer(folder());
  const std::string id = exporter.ask("export 5000 9 1");
  exporter.ask("forget 0");
  EXPECT_EQ(importer.import(id), "0 " + sum_of(5000, 9));
  importer.ask("drop 0");
  EXPECT_EQ(exporter.ask("free"), "free");
}

TEST_F(ExportsBetweenProcessesTest, RegionsAreWrittenByBoth) {
  ExportPeer creator(folder());
  ExportPeer other(folder());
  const std::string id = creator.ask("region 10000 1");
  EXPECT_EQ(other.ask("open " + id), "0 " + sum_of(10'000, 1));
  EXPECT_EQ(other.ask("write 0 2"), sum_of(10'000, 2));
  EXPECT_EQ(creator.ask("sum 0"), sum_of(10'000, 2));
  other.kill_9();
  EXPECT_EQ(creator.ask("write 0 3"), sum_of(10'000, 3));
}

TEST_F(ExportsBetweenProcessesTest, AProcessEndsWithImportersConnected) {
  ExportPeer exporter(folder());
  ExportPeer importer(folder());
  EXPECT_EQ(importer.import(exporter.export_block(5000, 1)), "0 " + sum_of(5000, 1));
  EXPECT_EQ(exporter.end(), 0);
  EXPECT_EQ(importer.ask("sum 0"), sum_of(5000, 1));
  EXPECT_EQ(importer.end(), 0);
}

}  // namespace
}  // namespace remotemedia

// SPDX-License-Identifier: Apache-2.0
//
// Exports and imports in which any system call fails at any moment.

#include <gtest/gtest.h>

#include <chrono>
#include <filesystem>
#include <string>
#include <thread>

#include "memory/blocks_of_a_segment.h"
#include "memory/faulty_export_peers.h"
#include "remotemedia/memory/exports.h"
#include "remotemedia/memory/shared_memory_region.h"
#include "testing/held_resources.h"
#include "testing/system_faults.h"

namespace remotemedia {
namespace {

using namespace std::chrono_literals;
using testing::BlocksOfASegment;
using testing::ExportPeer;
using testing::for_each_fault;
using testing::HeldResources;

constexpr std::size_t kBytes = 5000;
constexpr unsigned kSeed = 3;

using ExportFaultTest = testing::FaultyExportPeersTest;

TEST_F(ExportFaultTest, ABrokerThatCannotStartStartsTheNextTime) {
  ExportPeer importer(folder());
  int imports = 0;
  int faults = 0;
  bool reached = true;
  for (int n = 1; reached; ++n) {
    for (int way = 0;; ++way) {
      const auto exporter = faulty_peer();
      exporter->ask("fail_at " + std::to_string(n) + " " + std::to_string(way));
      const std::string first = exporter->ask("region 5000 3");
      const std::string fault = exporter->ask("fault");
      const ::testing::ScopedTrace trace(__FILE__, __LINE__, fault);
      EXPECT_TRUE(first.starts_with("rm1-") || first == "shared_memory_unavailable" || first == "out_of_memory" ||
                  first == "deadline_exceeded")
          << first;
      const std::string second = exporter->ask("region 5000 3");
      // A run directory that could not be seen is another run directory, where nobody looks.
      const bool elsewhere = fault.starts_with("stat()") && !std::filesystem::exists(address_of(second));
      const std::string imported = importer.import(second);
      if (elsewhere) {
        EXPECT_EQ(imported, "shared_memory_unavailable");
      } else {
        EXPECT_EQ(imported, std::to_string(imports++) + " " + sum_of(kBytes, kSeed));
      }
      EXPECT_EQ(exporter->end(), 0);
      reached = fault != "not reached";
      if (!reached || fault == "no such way") break;
      ++faults;
    }
  }
  ExportPeer last(folder());
  last.export_block(1, 1);
  EXPECT_EQ(addresses().size(), 1U);
  EXPECT_GT(faults, 50);
}

TEST(ExportCallsTest, AnyCallMayFailOnceAndTheNextImportSucceeds) {
  const std::size_t idle_descriptors = HeldResources::now().descriptors.size();
  BlocksOfASegment blocks(1, kBytes);
  const MemoryBlock block = blocks.block();
  const auto round_trip = [&](Duration timeout) {
    const Export exported = share(block);
    const ImportedBlock there = import_block(exported.id(), timeout);
    EXPECT_EQ(testing::checksum_of({there.block.data(), there.block.size()}), blocks.checksum(0));
  };
  round_trip(30s);
  // Not all of what HeldResources counts: the broker's thread has a heap that grows.
  const auto held = [] {
    HeldResources all = HeldResources::now();
    std::erase_if(all.mappings, [](const std::string& mapping) { return mapping.find("---p") != std::string::npos; });
    return all;
  };
  const auto settle = [&](std::size_t descriptors) {  // the broker hears the last hang-up a moment later
    while (held().descriptors.size() > descriptors) std::this_thread::yield();
  };
  settle(idle_descriptors + 4);  // listener, its spare, doorbell, the segment
  const HeldResources before = held();
  const int faults = for_each_fault([&] { round_trip(2s); },
                                    [&] {
                                      round_trip(30s);
                                      settle(before.descriptors.size());
                                      EXPECT_EQ(held(), before);
                                    });
  EXPECT_GT(faults, 40);
}

}  // namespace
}  // namespace remotemedia

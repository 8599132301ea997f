// SPDX-License-Identifier: Apache-2.0
//
// Exporters and importers that are killed at any system call, and system calls that fail at any moment.

#include <gtest/gtest.h>

#include <chrono>
#include <filesystem>
#include <iostream>
#include <memory>
#include <optional>
#include <set>
#include <sstream>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "memory/blocks_of_a_segment.h"
#include "memory/export_peer_lines.h"
#include "memory/export_peers.h"
#include "platform/conformance/peer_process.h"
#include "remotemedia/memory/exports.h"
#include "remotemedia/memory/shared_memory_region.h"
#include "testing/held_resources.h"
#include "testing/system_faults.h"

namespace remotemedia {
namespace {

using namespace std::chrono_literals;
using testing::BlocksOfASegment;
using testing::ExportPeer;
using testing::FailNth;
using testing::for_each_fault;
using testing::HeldResources;
using testing::KillAt;

constexpr std::size_t kBytes = 5000;
constexpr unsigned kSeed = 3;

/// An export peer with two more lines: "kill_at N before|after", and "fail_at N WAY", whose fault "fault" ends and
/// names.
const testing::PeerRole kFaultyPeer("export peer", [](const std::vector<std::string>&) {
  testing::ExportPeerLines peer;
  std::optional<KillAt> end;
  std::optional<FailNth> fault;
  for (std::string line; std::getline(std::cin, line);) {
    std::istringstream words(line);
    std::string verb;
    int n = 0;
    std::string how;
    words >> verb >> n >> how;
    if (verb == "kill_at") {
      end.emplace(n, how == "before" ? KillAt::Moment::before : KillAt::Moment::after);
    } else if (verb == "fail_at") {
      fault.emplace(n, std::stoi(how));
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

class ExportFaultTest : public testing::ExportPeersTest {
 protected:
  std::unique_ptr<ExportPeer> faulty_peer() {
    return std::make_unique<ExportPeer>(folder(), std::vector<std::string>{"/proc/self/exe", "--role", "export peer"});
  }
};

TEST_F(ExportFaultTest, AnImporterKilledAtAnyCallGivesEverythingBack) {
  ExportPeer exporter(folder());
  ExportPeer good(folder());
  const std::string others_id = exporter.export_block(kBytes, 77);
  std::pair<int, int> before = exporter.counts();
  EXPECT_EQ(good.import(others_id), "0 " + sum_of(kBytes, 77));
  before.first += 1;  // the good importer's connection
  int killed = 0;
  int exported = 0;
  bool finished = false;
  for (int n = 1; !finished; ++n) {
    for (const char* moment : {"before", "after"}) {
      const ::testing::ScopedTrace trace(__FILE__, __LINE__, std::to_string(n) + " " + moment);
      const std::string id = exporter.export_block(kBytes, kSeed);
      const auto importer = faulty_peer();
      importer->tell("kill_at " + std::to_string(n) + " " + moment);
      const std::string imported = importer->import(id);
      const std::string dropped = importer->ask("drop 0");
      EXPECT_TRUE(imported == "0 " + sum_of(kBytes, kSeed) || imported == "<gone>") << imported;
      EXPECT_TRUE(dropped == "dropped" || dropped == "<gone>") << dropped;
      finished = importer->end() == 0;
      killed += finished ? 0 : 1;
      exporter.ask("forget " + std::to_string(++exported));
      while (exporter.ask("usage") != std::to_string(kBytes)) {
      }
      while (exporter.counts() != before) {
      }
    }
  }
  EXPECT_EQ(good.ask("sum 0"), sum_of(kBytes, 77));
  EXPECT_EQ(good.import(others_id), "1 " + sum_of(kBytes, 77));
  EXPECT_EQ(addresses().size(), 1U);
  EXPECT_GT(killed, 30);
}

TEST_F(ExportFaultTest, AnExporterKilledAtAnyCallLeavesNothingForLong) {
  ExportPeer importer(folder());
  ExportPeer next(folder());
  EXPECT_EQ(importer.import(next.export_block(kBytes, 77)), "0 " + sum_of(kBytes, 77));
  const std::pair<int, int> before = importer.counts();
  int imports = 1;
  int killed = 0;
  bool finished = false;
  for (int n = 1; !finished; ++n) {
    for (const char* moment : {"before", "after"}) {
      const ::testing::ScopedTrace trace(__FILE__, __LINE__, std::to_string(n) + " " + moment);
      const auto exporter = faulty_peer();
      exporter->tell("kill_at " + std::to_string(n) + " " + moment);
      const std::string id = exporter->export_block(kBytes, kSeed);
      const bool has_exported = id.starts_with("rm1-");
      EXPECT_TRUE(has_exported || id == "<gone>") << id;
      if (has_exported) {
        const std::string imported = importer.import(id);
        const std::string number = std::to_string(imports);
        const bool has_imported = imported == number + " " + sum_of(kBytes, kSeed);
        EXPECT_TRUE(has_imported || imported == "shared_memory_unavailable") << imported;
        exporter->ask("forget 0");
        if (has_imported) {
          EXPECT_EQ(importer.ask("sum " + number), sum_of(kBytes, kSeed));
          EXPECT_EQ(importer.ask("drop " + number), "dropped");
          ++imports;
        }
      }
      finished = exporter->end() == 0;
      killed += finished ? 0 : 1;
      EXPECT_EQ(importer.counts(), before);
      EXPECT_EQ(importer.ask("sum 0"), sum_of(kBytes, 77));
    }
  }
  // Of the killed ones nothing is left once another broker has started.
  ExportPeer last(folder());
  last.export_block(1, 1);
  EXPECT_EQ(addresses().size(), 2U);
  EXPECT_GT(killed, 60);
}

TEST_F(ExportFaultTest, ABrokerThatCannotStartStartsTheNextTime) {
  ExportPeer importer(folder());
  int imports = 0;
  int faults = 0;
  bool reached = true;
  for (int n = 1; reached; ++n) {
    for (int way = 0;; ++way) {
      const auto exporter = faulty_peer();
      exporter->tell("fail_at " + std::to_string(n) + " " + std::to_string(way));
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

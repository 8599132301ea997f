// SPDX-License-Identifier: Apache-2.0
//
// Exports and imports in a forked child: it does not disturb its parent's, and has its own.

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <cstdio>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "memory/blocks_of_a_segment.h"
#include "memory/export_peers.h"
#include "remotemedia/memory/export_id.h"
#include "remotemedia/memory/exports.h"
#include "remotemedia/memory/shared_memory_region.h"
#include "testing/held_resources.h"
#include "testing/thrown.h"

namespace remotemedia {
namespace {

using testing::BlocksOfASegment;
using testing::checksum_of;
using testing::code_thrown;
using testing::ExportPeer;

/// Runs `check` in a forked child, which then ends as a program does, and says whether it returned true there.
bool holds_in_child(const std::function<bool()>& check) {
  const pid_t child = fork();
  if (child == 0) {
    try {
      const bool good = check();
      if (!good || ::testing::Test::HasFailure()) _exit(1);
      std::exit(0);  // NOLINT(concurrency-mt-unsafe): with what runs at the end of a program
    } catch (const std::exception& error) {
      std::fprintf(stderr, "in the child: %s\n", error.what());
      _exit(2);
    }
  }
  int status = 1;
  return child > 0 && waitpid(child, &status, 0) == child && WIFEXITED(status) && WEXITSTATUS(status) == 0;
}

std::uint64_t sum(const MemoryBlock& block) { return checksum_of({block.data(), block.size()}); }

TEST(ForkedExportsTest, TheParentsIdsWorkInAndAfterTheChild) {
  BlocksOfASegment blocks(1, 1000);
  const Export exported = share(blocks.block());
  for (int times = 0; times < 2; ++times) {
    EXPECT_TRUE(holds_in_child([&] { return sum(import_block(exported.id()).block) == blocks.checksum(0); }));
    EXPECT_EQ(sum(import_block(exported.id()).block), blocks.checksum(0)) << "the address is still the parent's";
  }
}

TEST(ForkedExportsTest, TheChildCannotExportItsParentsBlocksButItsOwn) {
  BlocksOfASegment blocks(1, 1000);
  const MemoryBlock block = blocks.block();
  const Export exported = share(block);
  const SharedMemoryRegion region = SharedMemoryRegion::create(1000);
  EXPECT_TRUE(holds_in_child([&] {
    for (int times = 0; times < 2; ++times) {
      const Error error = testing::thrown([&] { share(block); });
      EXPECT_EQ(error.code(), ErrorCode::shared_memory_unavailable);
      EXPECT_NE(std::string(error.what()).find("spawn or exec"), std::string::npos);
      EXPECT_EQ(code_thrown([&] { region.id(); }), ErrorCode::shared_memory_unavailable);
    }
    SharedMemoryRegion own = SharedMemoryRegion::create(1000);
    testing::fill_with(own.bytes(), 9);
    const SharedMemoryRegion there = SharedMemoryRegion::open(own.id());
    EXPECT_NE(read_export_id(own.id()).broker, read_export_id(exported.id()).broker);
    return sum(there.block()) == checksum_of(own.bytes());
  }));
  EXPECT_EQ(sum(import_block(exported.id()).block), blocks.checksum(0));
}

TEST(ForkedExportsTest, TheChildReleasesNothingOfItsParents) {
  BlocksOfASegment blocks(1, 1000);
  auto exported = std::make_unique<Export>(share(blocks.block()));
  auto imported = std::make_unique<ImportedBlock>(import_block(exported->id()));
  const std::string id = exported->id();
  EXPECT_TRUE(holds_in_child([&] {
    const bool readable = sum(imported->block) == blocks.checksum(0);
    imported.reset();
    exported.reset();
    return readable;
  }));
  exported.reset();
  EXPECT_EQ(blocks.given_back(), 0) << "the parent's import holds it";
  EXPECT_EQ(sum(import_block(id).block), blocks.checksum(0));
  imported.reset();
  blocks.wait_for_given_back(1);
}

TEST(ForkedExportsTest, TheChildKeepsNoConnectionOpen) {
  BlocksOfASegment blocks(1, 1000);
  const Export exported = share(blocks.block());
  const ImportedBlock imported = import_block(exported.id());
  EXPECT_TRUE(holds_in_child([] {
    for (const std::string& descriptor : testing::HeldResources::now().descriptors) {
      EXPECT_EQ(descriptor.find("socket:"), std::string::npos) << descriptor;
    }
    return true;
  }));
}

using ForkedPeersTest = testing::ExportPeersTest;

TEST_F(ForkedPeersTest, AKilledParentIsGoneThoughItsChildLives) {
  ExportPeer exporter(folder());
  ExportPeer importer(folder());
  const std::string kept = exporter.export_block(1000, 1);
  EXPECT_EQ(importer.import(kept), "0 " + sum_of(1000, 1));
  const std::string id = importer.export_block(1000, 2);
  EXPECT_EQ(importer.ask("fork"), "forked");
  exporter.ask("forget 0");
  EXPECT_EQ(exporter.ask("usage"), "1000");
  importer.kill_9();
  EXPECT_EQ(exporter.ask("free"), "free") << "what the dead one had imported";
  EXPECT_EQ(exporter.import(id), "shared_memory_unavailable") << "what it had exported";
}

TEST(ForkedExportsTest, AtAnyMomentOfOtherThreadsWork) {
  BlocksOfASegment blocks(3, 1000);
  const MemoryBlock mine = blocks.block(2);
  const Export lasting = share(mine);
  std::atomic<bool> over{false};
  {
    std::vector<std::jthread> threads;
    for (std::size_t t = 0; t < 2; ++t) {
      threads.emplace_back([&, t] {
        while (!over) {
          const Export exported = share(blocks.block(t));
          EXPECT_EQ(sum(import_block(exported.id()).block), blocks.checksum(t));
        }
      });
    }
    for (int round = 0; round < 15; ++round) {
      EXPECT_TRUE(holds_in_child([&] {
        for (int i = 0; i < 5; ++i) {
          const SharedMemoryRegion own = SharedMemoryRegion::create(1000);
          if (sum(SharedMemoryRegion::open(own.id()).block()) != sum(own.block())) return false;
          if (sum(import_block(lasting.id()).block) != blocks.checksum(2)) return false;
        }
        return true;
      })) << "in round "
          << round;
    }
    over = true;
  }
}

}  // namespace
}  // namespace remotemedia

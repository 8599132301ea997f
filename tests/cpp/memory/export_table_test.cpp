// SPDX-License-Identifier: Apache-2.0

#include "remotemedia/memory/export_table.h"

#include <gtest/gtest.h>

#include <chrono>
#include <memory>
#include <string>

#include "memory/blocks_of_a_segment.h"
#include "remotemedia/memory/exports.h"

namespace remotemedia {
namespace {

using namespace std::chrono_literals;
using testing::BlocksOfASegment;

bool opens(const std::string& id) {
  try {
    return static_cast<bool>(import_block(id).block);
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ErrorCode::shared_memory_unavailable);
    return false;
  }
}

class ExportLeaseTest : public ::testing::Test {
 protected:
  Export leased(Duration ttl, std::uint64_t session = 0) {
    return share(blocks_.block(0, {.allocator = this, .session = session, .lease_ttl = ttl, .clock = &clock_}));
  }

  ManualClock clock_;
  BlocksOfASegment blocks_{1, 100};
};

TEST_F(ExportLeaseTest, AnImporterMayComeAfterTheExporterHasLetGo) {
  Export exported = leased(10s);
  const std::string id = exported.id();
  exported = Export();
  EXPECT_EQ(blocks_.given_back(), 0);
  clock_.advance(10s - 1ns);
  ImportedBlock there = import_block(id);
  clock_.advance(1h);
  EXPECT_EQ(testing::checksum_of({there.block.data(), there.block.size()}), blocks_.checksum(0));
  EXPECT_TRUE(opens(id)) << "while an importer has it";
  there = ImportedBlock();
  blocks_.wait_for_given_back(1);
  EXPECT_FALSE(opens(id));
}

TEST_F(ExportLeaseTest, EndsExactlyWhenItsTimeHasCome) {
  Export exported = leased(10s);
  const std::string id = exported.id();
  exported = Export();
  clock_.advance(10s);
  EXPECT_FALSE(opens(id));
  blocks_.wait_for_given_back(1);
  EXPECT_FALSE(opens(id));
}

TEST_F(ExportLeaseTest, RunsFromTheExportNotFromItsEnd) {
  Export exported = leased(10s);
  const std::string id = exported.id();
  clock_.advance(10s);
  EXPECT_TRUE(opens(id)) << "the exporter has it";
  exported = Export();
  blocks_.wait_for_given_back(1);
  EXPECT_FALSE(opens(id));
}

TEST_F(ExportLeaseTest, OnceAnImporterCameThereIsNone) {
  Export exported = leased(10s);
  EXPECT_TRUE(opens(exported.id()));
  // Its release is a message, and the broker reads one after the other.
  EXPECT_TRUE(opens(exported.id()));
  exported = Export();
  blocks_.wait_for_given_back(1);
}

TEST_F(ExportLeaseTest, TheMemoryComesBackByTheMachinesClockToo) {
  Export exported = share(blocks_.block(0, {.lease_ttl = 1ms}));
  exported = Export();
  blocks_.wait_for_given_back(1);
}

TEST_F(ExportLeaseTest, EachImporterThatIsAwaitedMayCome) {
  Export exported = share(blocks_.block(0, {.allocator = this, .clock = &clock_}));
  const std::string id = exported.id();
  await_importer(exported, 10s);
  clock_.advance(9s);
  await_importer(exported, 10s);
  exported = Export();
  clock_.advance(9s);
  EXPECT_TRUE(opens(id));
  EXPECT_EQ(blocks_.given_back(), 0) << "the other one";
  EXPECT_TRUE(opens(id));
  blocks_.wait_for_given_back(1);
  EXPECT_FALSE(opens(id));
}

TEST_F(ExportLeaseTest, WhoIsAwaitedMayBeLate) {
  Export exported = share(blocks_.block(0, {.allocator = this, .lease_ttl = 1h, .clock = &clock_}), {}, 10s);
  const std::string id = exported.id();
  exported = Export();
  clock_.advance(10s);
  EXPECT_FALSE(opens(id)) << "what the call says counts, not the allocator";
  blocks_.wait_for_given_back(1);
}

TEST_F(ExportLeaseTest, WithoutALeaseTheEndIsAtOnce) {
  Export exported = share(blocks_.block());
  const std::string id = exported.id();
  exported = Export();
  EXPECT_EQ(blocks_.given_back(), 1);
  EXPECT_FALSE(opens(id));
}

TEST_F(ExportLeaseTest, EndExportsTakesWhatIsOldEnough) {
  const Export old = leased(1h);
  clock_.advance(5s);
  const Export young = leased(1h);
  clock_.advance(5s);
  EXPECT_EQ(end_exports(this, std::nullopt, clock_.now() - 10s - 1ns), 0U);
  EXPECT_TRUE(opens(old.id()));
  EXPECT_EQ(end_exports(this, std::nullopt, clock_.now() - 10s), 1U);
  EXPECT_FALSE(opens(old.id()));
  EXPECT_TRUE(opens(young.id()));
  EXPECT_EQ(end_exports(this, std::nullopt, clock_.now()), 1U);
  EXPECT_FALSE(opens(young.id()));
  EXPECT_EQ(end_exports(this, std::nullopt, clock_.now()), 0U);
}

TEST_F(ExportLeaseTest, EndExportsTakesOneSessionsOrOneAllocators) {
  const Export one = leased(1h, 1);
  const Export other = leased(1h, 2);
  const Export elsewhere = share(blocks_.block(0, {.allocator = &clock_, .session = 1}));
  EXPECT_EQ(end_exports(this, 1, TimePoint::max()), 1U);
  EXPECT_FALSE(opens(one.id()));
  EXPECT_TRUE(opens(other.id()));
  EXPECT_EQ(end_exports(this, std::nullopt, TimePoint::max()), 1U);
  EXPECT_FALSE(opens(other.id()));
  EXPECT_TRUE(opens(elsewhere.id()));
  EXPECT_EQ(end_exports(&clock_, std::nullopt, TimePoint::max()), 1U);
}

TEST_F(ExportLeaseTest, EndedExportsKeepTheBlockForImportersOnly) {
  const Export held = leased(1h);
  const Export not_held = leased(1h);
  ImportedBlock there = import_block(held.id());
  EXPECT_EQ(end_exports(this, std::nullopt, TimePoint::max()), 2U);
  EXPECT_EQ(blocks_.given_back(), 1) << "the one that nobody has";
  EXPECT_FALSE(opens(held.id()));
  EXPECT_EQ(testing::checksum_of({there.block.data(), there.block.size()}), blocks_.checksum(0));
  there = ImportedBlock();
  blocks_.wait_for_given_back(2);
}

TEST_F(ExportLeaseTest, CleanupTakesLeasesThatAreOver) {
  Export exported = leased(10s);
  exported = Export();
  EXPECT_EQ(end_exports(this, std::nullopt, clock_.now() - 10s), 0U);
  EXPECT_EQ(blocks_.given_back(), 0);
  clock_.advance(10s);
  end_exports(this, std::nullopt, clock_.now() - 10s);
  blocks_.wait_for_given_back(1);  // by this thread or by the broker's, whichever looked first
}

TEST(ExportTableTest, AnExportThatOnlyItsLeaseKeepsIsEndedLikeAnyOther) {
  ManualClock clock;
  BlocksOfASegment blocks(1, 100);
  ExportTable table;
  const std::shared_ptr<ExportRecord> record =
      table.add(blocks.block(0, {.allocator = &table, .clock = &clock}), {}, false);
  table.await_importer(*record, 1h);
  EXPECT_TRUE(table.exporter_gone(record));
  clock.advance(10s);
  EXPECT_EQ(table.end_all(&table, std::nullopt, clock.now() - 10s - 1ns), 0U);
  EXPECT_EQ(blocks.given_back(), 0);
  EXPECT_EQ(table.end_all(&table, std::nullopt, clock.now() - 10s), 1U);
  EXPECT_EQ(blocks.given_back(), 1);
}

TEST(ExportTableTest, HoldsAreCounted) {
  BlocksOfASegment blocks(1, 100);
  ExportTable table;
  const std::shared_ptr<ExportRecord> record = table.add(blocks.block(), {}, false);
  ExportSecret wrong = record->secret;
  wrong[31] ^= std::byte{1};
  EXPECT_EQ(table.open(record->number, wrong), nullptr);
  EXPECT_EQ(table.open(ExportNumber{}, record->secret), nullptr);
  EXPECT_EQ(table.open(ExportNumber{}, ExportSecret{}), nullptr);
  EXPECT_EQ(table.open(record->number, record->secret), record);
  EXPECT_EQ(table.open(record->number, record->secret), record);
  EXPECT_FALSE(table.exporter_gone(record));
  table.release(record);
  EXPECT_EQ(blocks.given_back(), 0);
  table.release(record);
  EXPECT_EQ(blocks.given_back(), 1);
  EXPECT_EQ(table.open(record->number, record->secret), nullptr);
  table.end(record);
  EXPECT_EQ(blocks.given_back(), 1);
}

}  // namespace
}  // namespace remotemedia

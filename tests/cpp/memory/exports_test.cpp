// SPDX-License-Identifier: Apache-2.0
//
// Exports within one process, which is its own importer like any other.

#include "remotemedia/memory/exports.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <array>
#include <string>
#include <vector>

#include "memory/blocks_of_a_segment.h"
#include "remotemedia/memory/export_id.h"
#include "testing/thrown.h"
#include "testing/together.h"

namespace remotemedia {
namespace {

using testing::BlocksOfASegment;
using testing::checksum_of;
using testing::code_thrown;
using testing::thrown;

std::uint64_t checksum_of_block(const MemoryBlock& block) { return checksum_of({block.data(), block.size()}); }

std::string with_other_secret(std::string id) {
  id.back() = id.back() == '0' ? '1' : '0';
  return id;
}

TEST(ExportsTest, AnImporterSeesTheSameBytes) {
  BlocksOfASegment blocks(2, 10'000);
  const MemoryBlock mine = blocks.block(1);
  const Export exported = share(mine);
  const ImportedBlock there = import_block(exported.id());
  EXPECT_EQ(checksum_of_block(there.block), blocks.checksum(1));
  EXPECT_EQ(there.block.size(), 10'000U);
  EXPECT_TRUE(there.block.read_only());
  EXPECT_EQ(there.block.kind(), BlockKind::shared_memory);
  EXPECT_NE(there.block.data(), mine.data()) << "mapped a second time";
  EXPECT_TRUE(there.note.empty());
  mine.data()[77] ^= std::byte{1};
  EXPECT_EQ(there.block.data()[77], mine.data()[77]) << "not a copy";
}

TEST(ExportsTest, ANoteComesAlong) {
  BlocksOfASegment blocks(1, 100);
  std::vector<std::byte> note(kMaxNoteBytes);
  testing::fill_with(note, 5);
  const Export exported = share(blocks.block(), note);
  EXPECT_EQ(import_block(exported.id()).note, note);
  note.push_back(std::byte{0});
  const MemoryBlock block = blocks.block();
  EXPECT_EQ(code_thrown([&] { share(block, note); }), ErrorCode::invalid_argument);
}

TEST(ExportsTest, ABlockOfNoBytesHasAnId) {
  BlocksOfASegment blocks(1, 0);
  const Export exported = share(blocks.block());
  const ImportedBlock there = import_block(exported.id());
  EXPECT_EQ(there.block.size(), 0U);
  EXPECT_NE(there.block.data(), nullptr);
}

TEST(ExportsTest, EveryExportHasItsOwnIdAndTheSameBroker) {
  BlocksOfASegment blocks(1, 100);
  const MemoryBlock block = blocks.block();
  const Export one = share(block);
  const Export other = share(block);
  const ExportId first = read_export_id(one.id());
  const ExportId second = read_export_id(other.id());
  EXPECT_EQ(first.broker, second.broker);
  EXPECT_NE(first.number, second.number);
  EXPECT_NE(first.secret, second.secret);
}

TEST(ExportsTest, OnlyBlocksOfThisProcessInSharedMemoryAreExported) {
  BlocksOfASegment blocks(1, 100);
  const Export exported = share(blocks.block());
  const ImportedBlock imported = import_block(exported.id());
  const MemoryBlock heap = allocate_heap_block(100);
  for (int times = 0; times < 2; ++times) {
    EXPECT_EQ(code_thrown([&] { share(heap); }), ErrorCode::invalid_argument);
    EXPECT_EQ(code_thrown([&] { share(MemoryBlock()); }), ErrorCode::invalid_argument);
    EXPECT_EQ(code_thrown([&] { share(imported.block); }), ErrorCode::invalid_argument);
  }
}

TEST(ExportsTest, TheExportKeepsTheBlock) {
  BlocksOfASegment blocks(1, 100);
  Export exported = share(blocks.block());
  EXPECT_EQ(blocks.given_back(), 0);
  Export copy = exported;
  exported = Export();
  EXPECT_EQ(checksum_of_block(import_block(copy.id()).block), blocks.checksum(0));
  copy = Export();
  blocks.wait_for_given_back(1);
  EXPECT_FALSE(copy);
  EXPECT_EQ(copy.id(), "");
}

TEST(ExportsTest, AnImporterKeepsTheBlockAndItsId) {
  BlocksOfASegment blocks(1, 100);
  Export exported = share(blocks.block());
  const std::string id = exported.id();
  ImportedBlock first = import_block(id);
  exported = Export();
  ImportedBlock second = import_block(id);
  first = ImportedBlock();
  EXPECT_EQ(checksum_of_block(second.block), blocks.checksum(0));
  EXPECT_EQ(blocks.given_back(), 0);
  second = ImportedBlock();
  blocks.wait_for_given_back(1);
  EXPECT_EQ(code_thrown([&] { import_block(id); }), ErrorCode::shared_memory_unavailable);
  EXPECT_EQ(code_thrown([&] { import_block(id); }), ErrorCode::shared_memory_unavailable);
}

TEST(ExportsTest, UnknownExportsAndWrongSecretsAreRefusedInTheSameWords) {
  BlocksOfASegment blocks(1, 100);
  const Export exported = share(blocks.block());
  ExportId unknown = read_export_id(exported.id());
  unknown.number[3] ^= std::byte{1};
  for (int times = 0; times < 2; ++times) {
    const Error no_export = thrown([&] { import_block(to_text(unknown)); });
    const Error no_secret = thrown([&] { import_block(with_other_secret(exported.id())); });
    EXPECT_EQ(no_export.code(), ErrorCode::shared_memory_unavailable);
    EXPECT_EQ(no_secret.code(), ErrorCode::shared_memory_unavailable);
    EXPECT_STREQ(no_export.what(), no_secret.what());
  }
  EXPECT_EQ(checksum_of_block(import_block(exported.id()).block), blocks.checksum(0));
}

TEST(ExportsTest, WhereNobodyListensAnIdIsWorthNothing) {
  ExportId id;
  id.broker.fill(std::byte{0xEE});
  for (int times = 0; times < 2; ++times) {
    EXPECT_EQ(code_thrown([&] { import_block(to_text(id)); }), ErrorCode::shared_memory_unavailable);
    EXPECT_EQ(code_thrown([&] { import_block("nonsense"); }), ErrorCode::shared_memory_unavailable);
  }
}

TEST(ExportsTest, BlocksOfOneSegmentAreMappedOnce) {
  BlocksOfASegment blocks(3, 1000);
  std::vector<Export> exports;
  std::vector<ImportedBlock> imported;
  for (std::size_t i = 0; i < 3; ++i) {
    exports.push_back(share(blocks.block(i)));
    imported.push_back(import_block(exports.back().id()));
    EXPECT_EQ(checksum_of_block(imported.back().block), blocks.checksum(i));
  }
  EXPECT_EQ(imported[1].block.data() - imported[0].block.data(), 1024);
  EXPECT_EQ(imported[2].block.data() - imported[1].block.data(), 1024);
}

TEST(ExportsTest, ManyThreadsShareAndImportAtOnce) {
  constexpr std::size_t kThreads = 8;
  constexpr int kTimes = 50;
  BlocksOfASegment blocks(kThreads, 500);
  testing::together(kThreads, [&](std::size_t i) {
    for (int times = 0; times < kTimes; ++times) {
      Export exported = share(blocks.block(i));
      const ImportedBlock there = import_block(exported.id());
      exported = Export();
      EXPECT_EQ(checksum_of_block(there.block), blocks.checksum(i));
    }
  });
  blocks.wait_for_given_back(kThreads * kTimes);
}

}  // namespace
}  // namespace remotemedia

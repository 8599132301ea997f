// SPDX-License-Identifier: Apache-2.0
//
// Exporters that lie: importers refuse, and never touch memory that is not there.

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <atomic>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <initializer_list>
#include <memory>
#include <random>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "memory/blocks_of_a_segment.h"
#include "memory/lying_exporter.h"
#include "remotemedia/base/error.h"
#include "remotemedia/memory/export_id.h"
#include "remotemedia/memory/export_messages.h"
#include "remotemedia/memory/exports.h"
#include "remotemedia/platform/descriptor_channel.h"
#include "remotemedia/platform/doorbell.h"
#include "remotemedia/platform/monotonic_clock.h"
#include "remotemedia/platform/shared_memory.h"
#include "testing/event_count.h"
#include "testing/thrown.h"

namespace remotemedia {
namespace {

using namespace std::chrono_literals;
using platform::DescriptorChannel;
using platform::OwnedHandle;
using testing::code_thrown;
using testing::LyingExporter;

constexpr std::size_t kBytes = LyingExporter::kBytes;

TimePoint soon() { return later(monotonic_clock().now(), 30s); }

/// That `lies` are refused, twice, and that a good exporter's blocks can be had all the while.
void expect_refused(const std::function<void(LyingExporter&)>& lies, ErrorCode code = ErrorCode::protocol_error) {
  testing::BlocksOfASegment good(1, 100);
  const Export exported = share(good.block());
  LyingExporter exporter;
  lies(exporter);
  for (int times = 0; times < 2; ++times) {
    EXPECT_EQ(code_thrown([&] { import_block(exporter.id()); }), code);
    const MemoryBlock block = import_block(exported.id()).block;
    EXPECT_EQ(testing::checksum_of({block.data(), block.size()}), good.checksum(0));
  }
}

/// A segment's memory, as `change` makes it.
OwnedHandle segment_handle(std::size_t bytes, const Uuid& uuid,
                           const std::function<void(std::span<std::byte>)>& change) {
  platform::SharedMemory memory = platform::SharedMemory::create(bytes);
  const platform::Mapping mapping = memory.map(platform::Access::read_write);
  write_segment_header(mapping.bytes().first<kSegmentHeaderBytes>(),
                       {.segment_bytes = mapping.size(), .uuid = uuid, .required_features = 0, .optional_features = 0});
  if (change) change(mapping.bytes());
  memory.forbid_new_writers();
  return memory.handle_for(platform::Access::read_only);
}

TEST(HostileExporterTest, TheFakeOneIsBelievedWhileItTellsTheTruth) {
  LyingExporter exporter;
  {
    const ImportedBlock there = import_block(exporter.id());
    EXPECT_EQ(there.block.size(), kBytes);
    EXPECT_EQ(import_block(exporter.id()).block.data(), there.block.data());
  }
}

TEST(HostileExporterTest, EveryFieldOfAnAnswerIsChecked) {
  const auto lie = [](const std::function<void(OpenedAnswer&)>& change) {
    expect_refused([&](LyingExporter& exporter) { exporter.opened = change; });
  };
  lie([](OpenedAnswer& answer) { answer.header.magic = 0; });
  lie([](OpenedAnswer& answer) { answer.header.version = 9; });
  lie([](OpenedAnswer& answer) { answer.header.kind = 99; });
  lie([](OpenedAnswer& answer) { answer.header.kind = static_cast<std::uint16_t>(ExportMessage::mapped); });
  lie([](OpenedAnswer& answer) { answer.header.request += 1; });
  lie([](OpenedAnswer& answer) { answer.header.request = 0; });
  lie([](OpenedAnswer& answer) { answer.hold = 0; });
  lie([](OpenedAnswer& answer) { answer.segment[0] ^= std::byte{1}; });
  lie([](OpenedAnswer& answer) { answer.segment_bytes += 4096; });
  lie([](OpenedAnswer& answer) { answer.segment_bytes -= 1; });
  lie([](OpenedAnswer& answer) { answer.segment_bytes = 64 << 20; });
  lie([](OpenedAnswer& answer) { answer.segment_bytes = ~std::uint64_t{0}; });
  lie([](OpenedAnswer& answer) { answer.segment_bytes = (std::uint64_t{1} << 63) - 1; });
  lie([](OpenedAnswer& answer) { answer.segment_bytes = 0; });
  lie([](OpenedAnswer& answer) { answer.offset = 0; });
  lie([](OpenedAnswer& answer) { answer.offset = 4097; });
  lie([](OpenedAnswer& answer) { answer.offset = ~std::uint64_t{0} - 255; });
  lie([](OpenedAnswer& answer) { answer.bytes = answer.segment_bytes; });
  lie([](OpenedAnswer& answer) { answer.bytes = ~std::uint64_t{0}; });
  lie([](OpenedAnswer& answer) { answer.note_bytes = 1; });
  lie([](OpenedAnswer& answer) { answer.writable = 1; });
  lie([](OpenedAnswer& answer) { answer.writable = 255; });
  lie([](OpenedAnswer& answer) { answer.reserved[0] = 1; });
}

TEST(HostileExporterTest, AnAnswerOfAnySizeIsChecked) {
  for (const std::size_t size : std::initializer_list<std::size_t>{1, 15, 16, 17, 71, 73, 60'000}) {
    expect_refused([&](LyingExporter& exporter) {
      exporter.open_bytes = [size](std::vector<std::byte>& bytes) { bytes.resize(size); };
    });
  }
}

TEST(HostileExporterTest, HandlesComeWhereTheyBelongAndAreAsMany) {
  for (const std::size_t count : std::initializer_list<std::size_t>{1, 2, 8}) {
    expect_refused([&](LyingExporter& exporter) { exporter.handles_with_opened = count; });
  }
  for (const std::size_t count : std::initializer_list<std::size_t>{0, 2, 8}) {
    expect_refused([&](LyingExporter& exporter) { exporter.handles_with_mapped = count; });
  }
  expect_refused([](LyingExporter& exporter) { exporter.mapped = [](MappedAnswer& answer) { answer.hold = 0; }; });
  expect_refused(
      [](LyingExporter& exporter) { exporter.mapped = [](MappedAnswer& answer) { answer.header.request = 7; }; });
  expect_refused(
      [](LyingExporter& exporter) { exporter.mapped = [](MappedAnswer& answer) { answer.header.kind = 1; }; });
}

TEST(HostileExporterTest, AHandleOfSomethingElseIsRefused) {
  const platform::Doorbell bell = platform::Doorbell::create();
  expect_refused([&](LyingExporter& exporter) { exporter.handle = [&] { return bell.duplicate(); }; });
  expect_refused([&](LyingExporter& exporter) {  // memory, but no segment
    exporter.handle = [&exporter] {
      platform::SharedMemory memory = platform::SharedMemory::create(exporter.blocks().segment().size());
      memory.forbid_new_writers();
      return memory.handle_for(platform::Access::read_only);
    };
  });
}

TEST(HostileExporterTest, ASmallSegmentThatIsSaidToBeLargeIsRefused) {
  expect_refused([](LyingExporter& exporter) {
    exporter.opened = [](OpenedAnswer& answer) {
      answer.segment_bytes = 64 << 20;
      answer.bytes = (64 << 20) - 4096;
    };
    exporter.handle = [&exporter] { return segment_handle(4096, exporter.blocks().segment().header().uuid, {}); };
  });
}

TEST(HostileExporterTest, AHeaderThatContradictsTheMemoryIsRefused) {
  const auto lie = [](const std::function<void(std::span<std::byte>)>& change) {
    expect_refused([&](LyingExporter& exporter) {
      exporter.handle = [&exporter, &change] {
        const Segment& segment = exporter.blocks().segment();
        return segment_handle(segment.size(), segment.header().uuid, change);
      };
    });
  };
  for (std::size_t i = 0; i < 48; ++i) {
    lie([i](std::span<std::byte> bytes) { bytes[i] ^= std::byte{1}; });
  }
  lie([](std::span<std::byte> bytes) { bytes[4095] ^= std::byte{0x80}; });
  const auto with_header_of = [&](const SegmentHeader& header) {
    lie([&](std::span<std::byte> bytes) { write_segment_header(bytes.first<kSegmentHeaderBytes>(), header); });
  };
  with_header_of({.segment_bytes = 64 << 20, .uuid = {}, .required_features = 0, .optional_features = 0});
  with_header_of({.segment_bytes = 1, .uuid = {}, .required_features = 0, .optional_features = 0});
  with_header_of({.segment_bytes = 12'288, .uuid = {std::byte{7}}, .required_features = 0, .optional_features = 0});
  with_header_of({.segment_bytes = 12'288, .uuid = {}, .required_features = 1U << 31, .optional_features = 0});
}

TEST(HostileExporterTest, AKnownSegmentIsNotBelievedToBeAnother) {
  LyingExporter exporter;
  const ImportedBlock there = import_block(exporter.id());
  exporter.opened = [](OpenedAnswer& answer) {
    answer.segment_bytes = 64 << 20;
    answer.bytes = 32 << 20;
  };
  for (int times = 0; times < 2; ++times) {
    EXPECT_EQ(code_thrown([&] { import_block(exporter.id()); }), ErrorCode::protocol_error);
  }
  const std::uint64_t sum = testing::checksum_of({there.block.data(), there.block.size()});
  exporter.opened = nullptr;
  const MemoryBlock again = import_block(exporter.id()).block;
  EXPECT_EQ(testing::checksum_of({again.data(), again.size()}), sum);
}

TEST(HostileExporterTest, AnotherExportersSegmentIsNotReachedByItsUuid) {
  testing::BlocksOfASegment good(1, 100);
  const Export exported = share(good.block());
  const ImportedBlock there = import_block(exported.id());
  expect_refused([&](LyingExporter& exporter) {
    exporter.opened = [&](OpenedAnswer& answer) {
      answer.segment = good.segment().header().uuid;
      answer.segment_bytes = good.segment().size();
    };
  });
}

TEST(HostileExporterTest, AMessageWithoutEndIsNotWaitedFor) {
  expect_refused(
      [](LyingExporter& exporter) {
        exporter.instead = [](DescriptorChannel& channel, std::span<const std::byte>) {
          channel.shut_down();
          return true;
        };
      },
      ErrorCode::shared_memory_unavailable);
  LyingExporter silent;
  silent.instead = [](DescriptorChannel&, std::span<const std::byte>) { return true; };
  for (int times = 0; times < 10; ++times) {
    EXPECT_EQ(code_thrown([&] { import_block(silent.id(), 5ms); }), ErrorCode::deadline_exceeded);
  }
}

TEST(HostileExporterTest, LateAnswersAreRecognisedAndTheirHoldsReleased) {
  testing::EventCount withheld;
  std::atomic<bool> answers_late{false};
  std::atomic<bool> withholds{false};
  std::vector<std::uint64_t> requests;
  LyingExporter exporter;
  exporter.instead = [&](DescriptorChannel& channel, std::span<const std::byte> message) {
    const ExportMessageHeader header = read_message_header(message);
    if (header.kind != static_cast<std::uint16_t>(ExportMessage::open)) return false;
    if (!withholds) return false;
    if (!answers_late) {
      requests.push_back(header.request);
      withheld.add();
      return true;
    }
    for (std::uint64_t hold = 100; const std::uint64_t request : std::exchange(requests, {})) {
      const auto answer = with_header(
          OpenedAnswer{
              .header = {}, .hold = ++hold, .segment = {}, .segment_bytes = 1 << 20, .offset = 4096, .bytes = 1},
          request);
      EXPECT_TRUE(channel.send(bytes_of(answer), {}, soon()));
    }
    return false;
  };
  const ImportedBlock keeps_the_link = import_block(exporter.id());
  withholds = true;
  constexpr int kLate = 3;
  for (int i = 0; i < kLate; ++i) {
    EXPECT_EQ(code_thrown([&] { import_block(exporter.id(), 1ms); }), ErrorCode::deadline_exceeded);
  }
  withheld.wait_for(kLate);
  answers_late = true;
  const ImportedBlock there = import_block(exporter.id());
  EXPECT_EQ(there.block.data(), keeps_the_link.block.data()) << "its own answer, over the same link";
  exporter.releases.wait_for(kLate);
}

TEST(HostileExporterTest, RefusalsSayWhatToDo) {
  const auto refuse = [](Refusal reason) {
    LyingExporter exporter;
    exporter.instead = [reason](DescriptorChannel& channel, std::span<const std::byte> message) {
      const auto answer = with_header(RefusedAnswer{.header = {}, .reason = static_cast<std::uint32_t>(reason)},
                                      read_message_header(message).request);
      return channel.send(bytes_of(answer), {}, soon());
    };
    const Error error = testing::thrown([&] { import_block(exporter.id()); });
    EXPECT_EQ(error.code(), ErrorCode::shared_memory_unavailable);
    EXPECT_THAT(error.what(), ::testing::StartsWith("the exporter refuses: "));
    return std::string(error.what());
  };
  EXPECT_THAT(refuse(Refusal::too_many_holds), ::testing::HasSubstr("let some go"));
  EXPECT_THAT(refuse(Refusal::other_version), ::testing::HasSubstr("same remotemedia"));
  EXPECT_THAT(refuse(Refusal::failed), ::testing::HasSubstr("try again"));
  expect_refused([](LyingExporter& exporter) {
    exporter.instead = [](DescriptorChannel& channel, std::span<const std::byte> message) {
      const auto answer = with_header(RefusedAnswer{.header = {}, .reason = 77}, read_message_header(message).request);
      return channel.send(bytes_of(answer), {}, soon());
    };
  });
}

TEST(HostileExporterTest, NoiseIsNeverAFault) {
  auto random = std::make_shared<std::mt19937_64>(20'251'125);
  LyingExporter exporter;
  exporter.open_bytes = [random](std::vector<std::byte>& bytes) {
    const std::size_t flips = (*random)() % 3;
    for (std::size_t i = 0; i < flips; ++i) {
      bytes[(*random)() % bytes.size()] ^= static_cast<std::byte>(1U << (*random)() % 8);
    }
  };
  int good = 0;
  for (int i = 0; i < 500; ++i) {
    try {
      const MemoryBlock block = import_block(exporter.id(), 1s).block;
      (void)testing::checksum_of({block.data(), block.size()});
      ++good;
    } catch (const Error& error) {
      EXPECT_TRUE(error.code() == ErrorCode::protocol_error || error.code() == ErrorCode::shared_memory_unavailable)
          << error.what();
    }
  }
  EXPECT_GT(good, 10);
}

}  // namespace
}  // namespace remotemedia

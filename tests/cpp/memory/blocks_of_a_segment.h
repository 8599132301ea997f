// SPDX-License-Identifier: Apache-2.0
//
// BlocksOfASegment: exportable blocks with terms of a test's choosing, which tell when they are given back.

#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <span>

#include "remotemedia/memory/fork_generation.h"
#include "remotemedia/memory/memory_block.h"
#include "remotemedia/memory/segment.h"
#include "testing/event_count.h"

namespace remotemedia::testing {

/// Fills with bytes that depend on `seed` and on where they stand.
inline void fill_with(std::span<std::byte> bytes, unsigned seed) {
  std::uint32_t state = seed * 2'654'435'761U + 1;
  for (std::byte& byte : bytes) {
    state = state * 1'664'525U + 1'013'904'223U;
    byte = static_cast<std::byte>(state >> 24);
  }
}

inline std::uint64_t checksum_of(std::span<const std::byte> bytes) {
  std::uint64_t sum = 1'469'598'103'934'665'603U;
  for (const std::byte byte : bytes) sum = (sum ^ std::to_integer<std::uint64_t>(byte)) * 1'099'511'628'211U;
  return sum;
}

class BlocksOfASegment {
 public:
  struct Terms {
    const void* allocator = nullptr;
    std::uint64_t session = 0;
    std::optional<Duration> lease_ttl = std::nullopt;
    const Clock* clock = nullptr;
  };

  BlocksOfASegment(std::size_t count, std::size_t bytes)
      : bytes_(bytes),
        stride_((bytes + kBlockAlignment - 1) / kBlockAlignment * kBlockAlignment),
        segment_(Segment::create(count * stride_ + 1, SegmentWriters::creator_only)) {}

  /// The `index`th block, filled with seed `index`.
  MemoryBlock block(std::size_t index, const Terms& terms) {
    auto* const block = new Block(*this, kSegmentHeaderBytes + index * stride_, terms);
    fill_with({block->data(), block->size()}, static_cast<unsigned>(index));
    return MemoryBlock(*block);
  }
  MemoryBlock block(std::size_t index = 0) { return block(index, {}); }

  std::uint64_t checksum(std::size_t index) const {
    return checksum_of({segment_->data() + kSegmentHeaderBytes + index * stride_, bytes_});
  }

  const Segment& segment() const { return *segment_; }
  int given_back() const { return given_back_->count(); }

  /// Returns once `count` blocks were given back.
  void wait_for_given_back(int count) const { given_back_->wait_for(count); }

 private:
  class Block final : public BlockOwner {
   public:
    Block(const BlocksOfASegment& of, std::size_t offset, const Terms& terms)
        : BlockOwner(of.segment_->data() + offset, of.bytes_, BlockKind::shared_memory, false),
          segment_(of.segment_),
          given_back_(of.given_back_),
          location_{.segment = segment_.get(),
                    .offset = offset,
                    .allocator = terms.allocator,
                    .session = terms.session,
                    .fork_generation = fork_generation(),
                    .lease_ttl = terms.lease_ttl,
                    .clock = terms.clock} {}

    const SharedLocation* shared_location() const noexcept override { return &location_; }

   private:
    void give_back() noexcept override {
      const std::shared_ptr<EventCount> given_back = given_back_;
      delete this;
      given_back->add();
    }

    std::shared_ptr<Segment> segment_;
    std::shared_ptr<EventCount> given_back_;
    SharedLocation location_;
  };

  std::size_t bytes_;
  std::size_t stride_;
  std::shared_ptr<Segment> segment_;
  std::shared_ptr<EventCount> given_back_ = std::make_shared<EventCount>();
};

}  // namespace remotemedia::testing

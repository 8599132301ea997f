// SPDX-License-Identifier: Apache-2.0

#include "remotemedia/memory/segment.h"

#include <limits>
#include <string>
#include <utility>

#include "remotemedia/base/error.h"
#include "remotemedia/platform/machine.h"

namespace remotemedia {

Segment::Segment(platform::SharedMemory memory, platform::Mapping mapping, const SegmentHeader& header) noexcept
    : memory_(std::move(memory)), mapping_(std::move(mapping)), header_(header) {}

std::shared_ptr<Segment> Segment::create(std::size_t bytes, SegmentWriters writers) {
  if (bytes > std::numeric_limits<std::size_t>::max() / 2) {
    throw Error(ErrorCode::invalid_argument, "a segment of " + std::to_string(bytes) + " bytes cannot be mapped");
  }
  platform::SharedMemory memory = platform::SharedMemory::create(kSegmentHeaderBytes + bytes);
  platform::Mapping mapping = memory.map(platform::Access::read_write);
  (void)mapping.use_huge_pages();
  mapping.populate();

  SegmentHeader header{.segment_bytes = mapping.size()};
  platform::random_bytes(header.uuid);
  write_segment_header(mapping.bytes().first<kSegmentHeaderBytes>(), header);
  if (writers == SegmentWriters::creator_only) memory.forbid_new_writers();
  return std::shared_ptr<Segment>(new Segment(std::move(memory), std::move(mapping), header));
}

}  // namespace remotemedia

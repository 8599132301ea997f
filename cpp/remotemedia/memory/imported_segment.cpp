// SPDX-License-Identifier: Apache-2.0

#include "remotemedia/memory/imported_segment.h"

#include <string>
#include <utility>

#include "remotemedia/base/error.h"
#include "remotemedia/memory/broker_channel.h"
#include "remotemedia/memory/not_inherited.h"
#include "remotemedia/platform/doorbell.h"
#include "remotemedia/platform/monotonic_clock.h"

namespace remotemedia {
namespace {

[[noreturn]] void refuse(const std::string& why) {
  throw Error(ErrorCode::protocol_error, "what an exporter sent as its segment is refused: " + why);
}

/// Asks where nobody else does.
template <ExportMessageBody M>
platform::Message ask(platform::DescriptorChannel& channel, M request, std::uint64_t number, TimePoint deadline) {
  using Received = platform::DescriptorChannel::Received;
  request = with_header(request, number);
  if (!channel.send(bytes_of(request), {}, deadline)) {
    if (monotonic_clock().now() >= deadline) throw_no_answer();
    throw_closed();
  }
  platform::Message answer;
  const Received received = channel.receive(answer, deadline);
  if (received == Received::nothing) throw_no_answer();
  if (received == Received::closed) throw_closed();
  if (read_message_header(answer.bytes).request != number) refuse("it answers what was not asked");
  return answer;
}

}  // namespace

std::shared_ptr<const ImportedSegment> ImportedSegment::fetch(const ExportId& id, const OpenedAnswer& announced,
                                                              TimePoint deadline) {
  NotInherited<platform::DescriptorChannel> channel;
  channel.set(connect_to_broker(id.broker, deadline));
  OpenRequest open = open_request(id, announced.writable != 0);
  open.to_map = 1;
  const platform::Message opened = ask(*channel, open, 1, deadline);
  const std::uint64_t hold = read_opened_or_refused(opened).answer.hold;

  (void)platform::Doorbell::create();  // where there is no room for a handle, the system says so here
  platform::Message mapped = ask(*channel, MapRequest{.header = {}, .hold = hold}, 2, deadline);
  return map(take_mapped_or_refused(mapped), announced);
}

std::shared_ptr<const ImportedSegment> ImportedSegment::map(platform::OwnedHandle handle,
                                                            const OpenedAnswer& announced) {
  const auto access = announced.writable != 0 ? platform::Access::read_write : platform::Access::read_only;
  const auto memory =
      platform::SharedMemory::adopt(std::move(handle), static_cast<std::size_t>(announced.segment_bytes), access);
  platform::Mapping mapping = memory.map(access);
  const SegmentHeader header = read_segment_header(mapping.bytes());
  if (header.segment_bytes != mapping.size()) {
    refuse("its header says " + std::to_string(header.segment_bytes) + " bytes and it has " +
           std::to_string(mapping.size()));
  }
  std::shared_ptr<const ImportedSegment> segment(new ImportedSegment(std::move(mapping), header.uuid));
  (void)segment->find(announced);
  return segment;
}

std::byte* ImportedSegment::find(const OpenedAnswer& announced) const {
  if (announced.segment != uuid_) refuse("it is another one than was announced");
  if (announced.segment_bytes != mapping_.size()) {
    refuse("it was announced with " + std::to_string(announced.segment_bytes) + " bytes and has " +
           std::to_string(mapping_.size()));
  }
  return mapping_.data() + announced.offset;  // within: the answer was checked against segment_bytes
}

}  // namespace remotemedia

// SPDX-License-Identifier: Apache-2.0

#include "remotemedia/channel/peer_segments.h"

#include <string>
#include <utility>

#include "remotemedia/base/error.h"
#include "remotemedia/channel/message_limits.h"
#include "remotemedia/memory/segment_header.h"

namespace remotemedia::detail {
namespace {

[[noreturn]] void refuse(const std::string& why) {
  throw Error(ErrorCode::protocol_error, "the other side of the session is refused: " + why);
}

/// A slot of the peer's that is read here.
class LeasedBlock final : public BlockOwner {
 public:
  LeasedBlock(const std::byte* data, std::size_t bytes, std::shared_ptr<const void> keep,
              std::shared_ptr<Outbox> outbox, const TensorDescriptor& lent)
      : BlockOwner(const_cast<std::byte*>(data), bytes, BlockKind::shared_memory, true),  // NOLINT: and read-only
        keep_(std::move(keep)),
        outbox_(std::move(outbox)) {
    release_.kind = static_cast<std::uint8_t>(DescriptorKind::release);
    release_.segment = lent.segment;
    release_.generation = lent.generation;
    release_.slot_offset = lent.slot_offset;
  }

 private:
  void give_back() noexcept override {
    outbox_->send_release(encode(release_));
    delete this;
  }

  std::shared_ptr<const void> keep_;
  std::shared_ptr<Outbox> outbox_;
  TensorDescriptor release_;
};

}  // namespace

platform::Mapping map_granted(const SegmentGrant& grant, platform::OwnedHandle handle, platform::Access access) {
  const platform::SharedMemory memory =
      platform::SharedMemory::adopt(std::move(handle), static_cast<std::size_t>(grant.bytes), access);
  platform::Mapping mapping = memory.map(access);
  const SegmentHeader header = read_segment_header(mapping.bytes());
  if (mapping.size() != grant.bytes || header.segment_bytes != grant.bytes) {
    refuse("segment " + std::to_string(grant.number) + " was announced with " + std::to_string(grant.bytes) +
           " bytes, its header says " + std::to_string(header.segment_bytes) + " and it has " +
           std::to_string(mapping.size()));
  }
  if (header.uuid != grant.uuid) refuse("segment " + std::to_string(grant.number) + " is another one than announced");
  return mapping;
}

void PeerSegments::add(const SegmentGrant& grant, const std::byte* base, std::shared_ptr<const void> keep) {
  const std::size_t number = grant.number;
  if (number >= kMaxSegments) refuse("segment " + std::to_string(number) + " is beyond the last one");
  if (number >= mapped_.size()) {
    mapped_.resize(number + 1);
    described_.resize(number + 1);
  }
  if (has(grant.number)) refuse("segment " + std::to_string(number) + " is there already");
  mapped_[number] = {base, std::move(keep)};
  described_[number] = {grant.bytes, grant.generation};
}

TensorBuffer PeerSegments::view(const TensorDescriptor& descriptor) const {
  DescriptorLimits limits;
  limits.segments = described_;
  limits.max_tensor_count = kMaxTensors;
  limits.known_flags = kRecordFlags;
  const DescriptorCheck check = validate(descriptor, limits);
  if (!check) refuse("of a tensor " + std::string(to_string(check.fault)));
  if (!has(descriptor.segment)) refuse("there is no segment " + std::to_string(descriptor.segment));
  const Mapped& segment = mapped_[descriptor.segment];
  const MemoryBlock block(*new LeasedBlock(segment.base + descriptor.slot_offset,
                                           static_cast<std::size_t>(descriptor.nbytes), segment.keep, outbox_,
                                           descriptor));
  return TensorBuffer::view_of(block, static_cast<std::size_t>(descriptor.data_offset),
                               layout_of(descriptor, check.dtype));
}

}  // namespace remotemedia::detail

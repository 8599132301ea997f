// SPDX-License-Identifier: Apache-2.0

#include "remotemedia/channel/peer_segments.h"

#include <string>
#include <typeinfo>
#include <utility>

#include "remotemedia/base/error.h"
#include "remotemedia/base/recycled_memory.h"
#include "remotemedia/channel/inline_tensor.h"
#include "remotemedia/channel/message_limits.h"
#include "remotemedia/memory/segment_header.h"

namespace remotemedia::detail {
namespace {

[[noreturn]] void refuse(const std::string& why) {
  throw Error(ErrorCode::protocol_error, "the other side of the session is refused: " + why);
}

}  // namespace

/// What every slot of a segment needs that is read here.
struct PeerSegments::LeasedFrom {
  std::shared_ptr<const void> keep;
  std::shared_ptr<Outbox> outbox;
};

/// A slot of the peer's that is read here.
class PeerSegments::LeasedBlock final : public BlockOwner, public Recycled {
 public:
  LeasedBlock(const std::byte* data, std::shared_ptr<const LeasedFrom> from, const TensorDescriptor& lent)
      : BlockOwner(const_cast<std::byte*>(data), static_cast<std::size_t>(lent.nbytes),  // NOLINT: and read-only
                   BlockKind::shared_memory, true),
        from_(std::move(from)),
        request_(lent.request_id),
        slot_offset_(lent.slot_offset),
        segment_(lent.segment),
        generation_(lent.generation) {}

  static LeasedBlock* of(const TensorBuffer& tensor) noexcept {
    BlockOwner* const owner = tensor.block().owner();
    return owner != nullptr && typeid(*owner) == typeid(LeasedBlock) ? static_cast<LeasedBlock*>(owner) : nullptr;
  }

  bool has_one_hold() const noexcept { return holds_.load(std::memory_order_acquire) == 1; }
  void end_unsaid() noexcept { said_ = false; }

 private:
  void give_back() noexcept override {
    if (said_) from_->outbox->send_release(release());
    delete this;
  }

  Record release() const noexcept {
    TensorDescriptor release;
    release.kind = static_cast<std::uint8_t>(DescriptorKind::release);
    release.request_id = request_;
    release.segment = segment_;
    release.generation = generation_;
    release.slot_offset = slot_offset_;
    return encode(release);
  }

  const std::shared_ptr<const LeasedFrom> from_;
  const std::uint64_t request_;
  const std::uint64_t slot_offset_;
  const std::uint32_t segment_;
  const std::uint32_t generation_;
  bool said_ = true;
};

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
  mapped_[number] = {base, std::make_shared<LeasedFrom>(LeasedFrom{std::move(keep), outbox_})};
  described_[number] = {grant.bytes, grant.generation};
}

TensorBuffer PeerSegments::view(const TensorDescriptor& descriptor) const {
  if ((descriptor.flags & kInline) != 0) return read_inline(descriptor, known_flags_);
  DescriptorLimits limits;
  limits.segments = described_;
  limits.max_tensor_count = kMaxTensors;
  limits.known_flags = known_flags_;
  const DescriptorCheck check = validate(descriptor, limits);
  if (!check) refuse("of a tensor " + std::string(to_string(check.fault)));
  if (!has(descriptor.segment)) refuse("there is no segment " + std::to_string(descriptor.segment));
  const Mapped& segment = mapped_[descriptor.segment];
  MemoryBlock block(*new LeasedBlock(segment.base + descriptor.slot_offset, segment.lent, descriptor));
  return sound_view(std::move(block), static_cast<std::size_t>(descriptor.data_offset),
                    layout_of(descriptor, check.dtype));
}

bool PeerSegments::end_unsaid(const TensorMap& views) noexcept {
  for (const auto& [name, tensor] : views) {
    const LeasedBlock* const leased = LeasedBlock::of(tensor);
    if (leased != nullptr && !leased->has_one_hold()) return false;
  }
  for (const auto& [name, tensor] : views) {
    if (LeasedBlock* const leased = LeasedBlock::of(tensor)) leased->end_unsaid();
  }
  return true;
}

}  // namespace remotemedia::detail

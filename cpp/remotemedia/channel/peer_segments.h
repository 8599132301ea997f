// SPDX-License-Identifier: Apache-2.0
//
// PeerSegments: the segments that the other side writes and this side reads, by number; and the tensors that lie there.

#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <vector>

#include "remotemedia/base/export.h"
#include "remotemedia/channel/outbox.h"
#include "remotemedia/channel/session_messages.h"
#include "remotemedia/platform/owned_handle.h"
#include "remotemedia/platform/shared_memory.h"
#include "remotemedia/tensor/tensor_buffer.h"
#include "remotemedia/tensor/tensor_descriptor.h"
#include "remotemedia/worker/tensor_map.h"

namespace remotemedia::detail {

/// Maps what came with `grant`, which is looked at first: size, seals, header, uuid.
///
/// Errors:  protocol_error that names the check which failed; platform::OsError.
REMOTEMEDIA_API platform::Mapping map_granted(const SegmentGrant& grant, platform::OwnedHandle handle,
                                              platform::Access access);

/// Threads:  one at a time; the tensors' ends from any.
class PeerSegments {
 public:
  /// `known_flags`: those that a record of the peer's may have.
  PeerSegments(std::shared_ptr<Outbox> outbox, std::uint32_t known_flags)
      : outbox_(std::move(outbox)), known_flags_(known_flags) {}

  /// `base` is the segment's first byte; `keep` keeps it mapped.
  ///
  /// Errors:  protocol_error where the number is taken or too large.
  void add(const SegmentGrant& grant, const std::byte* base, std::shared_ptr<const void> keep);

  /// The tensor that `descriptor` describes: a read-only view. When the last view of it goes, the peer hears of it. One
  /// that lies in the record is copied.
  ///
  /// Errors:  protocol_error for what validate() refuses.
  TensorBuffer view(const TensorDescriptor& descriptor) const;

  /// Where no one else has a view of any of these: the peer will not hear of their ends, and has to be told here.
  static bool end_unsaid(const TensorMap& views) noexcept;

  bool has(std::uint32_t number) const noexcept { return number < mapped_.size() && mapped_[number].base != nullptr; }

 private:
  struct LeasedFrom;
  class LeasedBlock;
  struct Mapped {
    const std::byte* base = nullptr;
    std::shared_ptr<const LeasedFrom> lent;
  };

  const std::shared_ptr<Outbox> outbox_;
  const std::uint32_t known_flags_;
  std::vector<Mapped> mapped_;                // by number
  std::vector<DescriptorSegment> described_;  // likewise; of 0 bytes where there is none
};

}  // namespace remotemedia::detail

// SPDX-License-Identifier: Apache-2.0
//
// ImportedSegment: another process's segment, mapped here, after nothing of what that process says about it was taken
// on trust.

#pragma once

#include <cstddef>
#include <memory>
#include <utility>

#include "remotemedia/base/clock.h"
#include "remotemedia/memory/export_id.h"
#include "remotemedia/memory/export_messages.h"
#include "remotemedia/platform/shared_memory.h"

namespace remotemedia {

/// Threads:  immutable once made.
class ImportedSegment {
 public:
  /// Fetches the segment that was announced in the answer to opening `id`, and maps it. It comes over a connection of
  /// its own: one that has no room for the handle is lost, and no hold with it.
  ///
  /// Errors:  protocol_error if what comes is no segment, or not the announced one; deadline_exceeded;
  ///          shared_memory_unavailable; platform::OsError.
  static std::shared_ptr<const ImportedSegment> fetch(const ExportId& id, const OpenedAnswer& announced,
                                                      TimePoint deadline);

  /// Maps what was fetched, and closes the handle.
  ///
  /// Errors:  protocol_error; platform::OsError.
  static std::shared_ptr<const ImportedSegment> map(platform::OwnedHandle handle, const OpenedAnswer& announced);

  /// The announced block within this segment.
  ///
  /// Errors:  protocol_error if this is not the announced segment.
  std::byte* find(const OpenedAnswer& announced) const;

 private:
  ImportedSegment(platform::Mapping mapping, const Uuid& uuid) noexcept : mapping_(std::move(mapping)), uuid_(uuid) {}

  platform::Mapping mapping_;
  Uuid uuid_;
};

}  // namespace remotemedia

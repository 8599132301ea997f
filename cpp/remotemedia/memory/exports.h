// SPDX-License-Identifier: Apache-2.0
//
// Blocks that another process of the same user opens by id.
//
//     std::string id = share(block, note);                   // in one process
//     ImportedBlock there = import_block(id, timeout);       // in another: the same bytes, read-only, not copied
//
// An id is a token and no name: the address of this process's broker, a number and a secret. It gives access to the one
// segment that the block lies in, to processes of this user only, and means nothing once the exporter has died.

#pragma once

#include <cstddef>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "remotemedia/base/clock.h"
#include "remotemedia/base/error.h"
#include "remotemedia/base/export.h"
#include "remotemedia/memory/memory_block.h"
#include "remotemedia/platform/shared_memory.h"

namespace remotemedia {

/// An id that can be opened while this object, a copy of it or an importer lives, and at the latest until the
/// exporter's process, its allocator's close() or its cleanup ends it. Empty: no export.
///
/// Threads:  as a std::shared_ptr.
class REMOTEMEDIA_API Export {
 public:
  Export() noexcept = default;

  const std::string& id() const noexcept;
  explicit operator bool() const noexcept { return state_ != nullptr; }

  /// Whether the id can be opened still. False for an empty one, and in a forked child for one from before the fork.
  bool openable() const noexcept;

  struct State;

 private:
  friend Export share_with_access(const MemoryBlock& block, std::span<const std::byte> note, platform::Access access,
                                  std::optional<Duration> lease);
  friend void await_importer(const Export& exported, Duration lease) noexcept;
  friend void end_export(const Export& exported) noexcept;
  explicit Export(std::shared_ptr<State> state) noexcept : state_(std::move(state)) {}

  std::shared_ptr<State> state_;
};

/// What a note may have at most, in bytes.
inline constexpr std::size_t kMaxNoteBytes = std::size_t{16} * 1024;

/// Exports `block`, which must be an allocator's and lie in shared memory, with some bytes for the importer. Starts
/// this process's broker with the first export. With a lease (none: the allocator's lease_ttl; 0: without) the id stays
/// open for one importer until it came or the lease is over, although the exporter has let go of it.
///
/// Errors:  invalid_argument if the block is not in shared memory or is imported itself, or the note is too long;
///          shared_memory_unavailable if no broker can be started, or in a forked child for a block from before the
///          fork.
REMOTEMEDIA_API Export share(const MemoryBlock& block, std::span<const std::byte> note = {},
                             std::optional<Duration> lease = std::nullopt);

/// Another importer is on its way: keeps the id open for it too, with a lease that begins now. Nothing for an empty
/// export, and in a forked child for one from before the fork.
REMOTEMEDIA_API void await_importer(const Export& exported, Duration lease) noexcept;

struct ImportedBlock {
  MemoryBlock block;  ///< Read-only; while one hold lives, the exporter's memory stays.
  std::vector<std::byte> note;
};

/// Opens what `id` names. Opening a second block of a segment that is mapped already costs one message and no mapping.
///
/// Errors:  deadline_exceeded if the exporter does not answer within `timeout`; shared_memory_unavailable if there is
///          none, `id` is no id at all, or it refuses; protocol_error if it answers nonsense.
REMOTEMEDIA_API ImportedBlock import_block(std::string_view id, Duration timeout = std::chrono::seconds{5});

}  // namespace remotemedia

// SPDX-License-Identifier: Apache-2.0
//
// ExportTable: what this process has exported, who still needs it, and who ends it. The broker asks it; it knows of no
// connection.
//
// An export keeps its block while its exporter has it, while an importer has a hold, and while an importer is awaited:
// until as many came or the lease is over. Ended, it cannot be opened any more, and keeps its block for holds only.

#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "remotemedia/base/clock.h"
#include "remotemedia/base/mutex.h"
#include "remotemedia/memory/export_id.h"
#include "remotemedia/memory/memory_block.h"
#include "remotemedia/memory/segment.h"

namespace remotemedia {

/// Ends the exports of an allocator's blocks: all, or those of one session; made at `made_until` or before. Their ids
/// cannot be opened any more; importers that have come keep what they have. Returns how many were ended.
///
/// Threads:  from any, without a lock that giving a block back would need.
std::size_t end_exports(const void* allocator, std::optional<std::uint64_t> session, TimePoint made_until) noexcept;

/// One export. What is const may be read while its block is kept.
class ExportRecord {
 public:
  ExportRecord(const ExportNumber& number, const ExportSecret& secret, MemoryBlock block,
               std::span<const std::byte> note, bool writable);

  const ExportNumber number;
  const ExportSecret secret;
  const SharedLocation location;
  const std::size_t bytes;
  const std::vector<std::byte> note;
  const bool writable;
  const TimePoint made;  ///< By the allocator's clock.

 private:
  friend class ExportTable;

  // Guarded by the table's mutex.
  MemoryBlock block_;
  std::size_t holds_ = 0;
  std::size_t awaited_ = 0;  // importers
  TimePoint lease_end_ = made;
  bool lease_watched_ = false;  // is one of the table's leases_
  bool exporter_lives_ = true;
  bool openable_ = true;
};

/// Threads:  any. Blocks are given back by whoever calls, without a lock.
class ExportTable {
 public:
  static ExportTable& process();

  /// nullptr where process() was not called yet.
  static ExportTable* existing() noexcept;

  /// An export of `block`, which has a shared_location(), under a new number and secret.
  ///
  /// Errors:  platform::OsError; std::bad_alloc.
  std::shared_ptr<ExportRecord> add(MemoryBlock block, std::span<const std::byte> note, bool writable);

  bool openable(const ExportRecord& record) noexcept;

  /// Keeps it for one more importer, until `lease` from now is over.
  void await_importer(ExportRecord& record, Duration lease) noexcept;

  /// Takes a hold for an importer; nullptr if there is no such export or the secret is another.
  std::shared_ptr<ExportRecord> open(const ExportNumber& number, const ExportSecret& secret) noexcept;

  /// One importer less is awaited.
  void importer_came(ExportRecord& record) noexcept;

  /// Gives a hold back.
  void release(const std::shared_ptr<ExportRecord>& record) noexcept;

  /// The exporter has let go of it. True if a lease keeps it from here on.
  bool exporter_gone(const std::shared_ptr<ExportRecord>& record) noexcept;

  /// Nobody can open it from here on.
  void end(const std::shared_ptr<ExportRecord>& record) noexcept;

  /// As end_exports().
  std::size_t end_all(const void* allocator, std::optional<std::uint64_t> session, TimePoint made_until) noexcept;

  /// Ends exports whose lease is over, and returns how long the next lease lasts; nothing if there is none.
  std::optional<Duration> end_overdue() noexcept;

 private:
  bool leased(const ExportRecord& record) const REMOTEMEDIA_REQUIRES(mutex_);

  /// True if nothing but a lease keeps it, whose end is looked after from here on.
  bool keep_lease(const std::shared_ptr<ExportRecord>& record) noexcept REMOTEMEDIA_REQUIRES(mutex_);

  /// Ends an export that nobody needs, and hands out its block, to be given back without the mutex.
  MemoryBlock settle(ExportRecord& record) noexcept REMOTEMEDIA_REQUIRES(mutex_);

  Mutex mutex_;
  std::map<ExportNumber, std::shared_ptr<ExportRecord>> openable_ REMOTEMEDIA_GUARDED_BY(mutex_);
  std::vector<std::shared_ptr<ExportRecord>> leases_ REMOTEMEDIA_GUARDED_BY(mutex_);  // whose exporter is gone
};

}  // namespace remotemedia

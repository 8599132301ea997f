// SPDX-License-Identifier: Apache-2.0
//
// SharedMemoryRegion: raw shared bytes with an id.
//
//     SharedMemoryRegion region = SharedMemoryRegion::create(1 << 20);
//     std::memcpy(region.bytes().data(), frame, size);
//     …  region.id()  …                                           // to another process of this user, however you like
//     SharedMemoryRegion there = SharedMemoryRegion::open(id);    // the same bytes, read-only
//
// Nothing is left behind when the last process that has it dies.

#pragma once

#include <chrono>
#include <cstddef>
#include <memory>
#include <span>
#include <string>
#include <string_view>

#include "remotemedia/base/clock.h"
#include "remotemedia/base/error.h"
#include "remotemedia/base/export.h"
#include "remotemedia/memory/memory_block.h"

namespace remotemedia {

/// A handle: copies are the same region.
///
/// Threads:  const functions may run concurrently; close() needs outside ordering with them.
class REMOTEMEDIA_API SharedMemoryRegion {
 public:
  struct Options {
    bool writable = false;                       ///< create: others may open it for writing. open: for writing.
    Duration timeout = std::chrono::seconds{5};  ///< open: how long to wait for the creator's answer.
  };

  /// `size` bytes of zeros, every page present. Always writable here.
  ///
  /// Errors:  invalid_argument for 0; out_of_memory; shared_memory_unavailable.
  static SharedMemoryRegion create(std::size_t size, Options options);
  static SharedMemoryRegion create(std::size_t size) { return create(size, {}); }

  /// Errors:  as import_block(); shared_memory_unavailable too if writing is asked for and was not granted.
  static SharedMemoryRegion open(std::string_view id, Options options);
  static SharedMemoryRegion open(std::string_view id) { return open(id, {}); }

  SharedMemoryRegion() noexcept = default;

  /// Starts this process's broker when it is asked for the first time. An opened region has its creator's id, which can
  /// be opened while the creator lives.
  ///
  /// Errors:  shared_memory_unavailable if no broker can be started; invalid_argument after close().
  std::string id() const;

  /// As asked for. 0 after close().
  std::size_t size() const noexcept;
  bool read_only() const noexcept;

  /// The bytes, and what keeps them: they outlive close() and the region.
  ///
  /// Errors:  invalid_argument after close().
  MemoryBlock block() const;

  /// block().data() to write to.
  ///
  /// Errors:   invalid_argument after close() or if read_only().
  /// Lifetime: while the region is open or a block() lives.
  std::span<std::byte> bytes();
  std::span<const std::byte> bytes() const;

  /// Ends the id and lets the memory go when no block() of it lives. Twice is once; acts on all copies.
  void close() noexcept;

 private:
  struct State;
  explicit SharedMemoryRegion(std::shared_ptr<State> state) noexcept : state_(std::move(state)) {}

  std::shared_ptr<State> state_;
};

}  // namespace remotemedia

// SPDX-License-Identifier: Apache-2.0
//
// SharedMemory: bytes that several processes can map, without a name. The system frees them when the last handle and
// the last mapping are gone, also when every holder was killed.
//
//     SharedMemory memory = SharedMemory::create(64 << 20);
//     Mapping bytes = memory.map(Access::read_write);
//     bytes.populate();                            // every page is there, or an error: never a signal later
//     memory.forbid_new_writers();                 // `bytes` stays writable, nobody else can become a writer
//     channel.send(message, {memory.handle_for(Access::read_only)});
//
// The receiver, which trusts nothing: SharedMemory::adopt(handle, 64 << 20, Access::read_only).map(...).
//
// Linux: memfd, inode mode 0, seals. macOS: shm_open under a random name that is unlinked at once. Windows: an unnamed
// section with an empty, protected DACL.

#pragma once

#include <cstddef>
#include <span>

#include "remotemedia/base/export.h"
#include "remotemedia/platform/owned_handle.h"

namespace remotemedia::platform {

enum class Access { read_only, read_write };

/// A range of addresses, unmapped by the destructor.
///
/// Threads:  as a std::unique_ptr; the bytes are the caller's to order.
class REMOTEMEDIA_API Mapping {
 public:
  Mapping() noexcept = default;
  Mapping(Mapping&& other) noexcept;
  Mapping& operator=(Mapping&& other) noexcept;
  ~Mapping();

  std::byte* data() const noexcept { return data_; }
  std::size_t size() const noexcept { return size_; }
  std::span<std::byte> bytes() const noexcept { return {data_, size_}; }
  explicit operator bool() const noexcept { return data_ != nullptr; }

  /// Makes every page present, so that touching one later is neither a page fault of the slow kind nor a signal.
  ///
  /// Errors:  OsError with out_of_memory where the system or a control group has no room (no signal is raised).
  /// Cost:    about 0.8 µs for a page that nobody has touched yet.
  void populate();

  /// Asks for huge pages; whether the system made some of them. Never an error.
  bool use_huge_pages() noexcept;

 private:
  friend class SharedMemory;
  Mapping(std::byte* data, std::size_t size, Access access) noexcept : data_(data), size_(size), access_(access) {}

  std::byte* data_ = nullptr;
  std::size_t size_ = 0;
  Access access_ = Access::read_only;
};

class REMOTEMEDIA_API SharedMemory {
 public:
  /// `bytes` of zeros, at least 1, rounded up to whole pages. Nobody can shrink or grow it, its creator included.
  ///
  /// Errors:  OsError; invalid_argument for 0 or more bytes than a file can have.
  static SharedMemory create(std::size_t bytes);

  /// What another process sent. The handle is checked before anything is mapped: it is shared memory, has `bytes` bytes
  /// (rounded up to pages), its size is fixed for good, and it permits `access`.
  ///
  /// Errors:  protocol_error that names the check which failed; the handle is closed.
  static SharedMemory adopt(OwnedHandle handle, std::size_t bytes, Access access);

  SharedMemory() noexcept = default;
  SharedMemory(SharedMemory&&) noexcept = default;
  SharedMemory& operator=(SharedMemory&&) noexcept = default;
  ~SharedMemory() = default;

  /// In bytes, whole pages.
  std::size_t size() const noexcept { return size_; }
  Access access() const noexcept { return access_; }
  explicit operator bool() const noexcept { return static_cast<bool>(handle_); }

  /// Maps all of it. The mapping stays when this object goes.
  ///
  /// Errors:  OsError; invalid_argument for read_write where access() or forbid_new_writers() forbids it.
  Mapping map(Access access) const;

  /// From here on no process can get a writable mapping, discard pages or lift the ban. Mappings that are there stay
  /// writable. Has no way back; twice is once. On macOS and Windows, which cannot forbid it to a handle that is there,
  /// whoever was sent a writable one before keeps it.
  ///
  /// Errors:  OsError.
  void forbid_new_writers();

  /// A handle to send to another process; `read_only` ones cannot be made writable there.
  ///
  /// Errors:  OsError; invalid_argument for read_write where that is forbidden, and on Linux for read_only before
  ///          forbid_new_writers(), since a memfd has no other way to be read-only.
  OwnedHandle handle_for(Access access) const;

 private:
  SharedMemory(OwnedHandle handle, std::size_t size, Access access) noexcept;

  OwnedHandle handle_;
  OwnedHandle read_only_handle_;  // where the system makes one at creation (macOS)
  std::size_t size_ = 0;
  Access access_ = Access::read_only;
  bool new_writers_forbidden_ = false;
};

}  // namespace remotemedia::platform

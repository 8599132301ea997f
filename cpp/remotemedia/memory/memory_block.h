// SPDX-License-Identifier: Apache-2.0
//
// MemoryBlock: some bytes and what keeps them. Copy = another hold; the bytes are given back when the last hold goes,
// on whichever thread that is.

#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <span>
#include <utility>

#include "remotemedia/base/export.h"

namespace remotemedia {

struct SharedLocation;

enum class BlockKind : std::uint8_t {
  heap,           ///< Private to this process.
  shared_memory,  ///< In a segment that other processes can be shown.
  foreign,        ///< Somebody else's memory (NumPy, DLPack, a std::vector), kept by its owner.
};

/// What a MemoryBlock points to. Derived classes say how the bytes are given back; they are destroyed by that.
class REMOTEMEDIA_API BlockOwner {
 public:
  BlockOwner(const BlockOwner&) = delete;
  BlockOwner& operator=(const BlockOwner&) = delete;

  std::byte* data() const noexcept { return data_; }
  std::size_t size() const noexcept { return size_; }
  BlockKind kind() const noexcept { return kind_; }
  bool read_only() const noexcept { return read_only_; }

  /// Where this process's own shared memory has it; nullptr for memory of any other kind, imported memory too.
  virtual const SharedLocation* shared_location() const noexcept { return nullptr; }

 protected:
  BlockOwner() noexcept = default;
  BlockOwner(std::byte* data, std::size_t size, BlockKind kind, bool read_only) noexcept
      : data_(data), size_(size), kind_(kind), read_only_(read_only) {}
  ~BlockOwner() = default;

  /// Called once, when the last hold is gone, on the thread that dropped it: needs no lock that a caller may have,
  /// never blocks on another process, throws nothing.
  virtual void give_back() noexcept = 0;

  std::byte* data_ = nullptr;
  std::size_t size_ = 0;
  BlockKind kind_ = BlockKind::heap;
  bool read_only_ = false;
  std::atomic<std::uint32_t> holds_{0};

 private:
  friend class MemoryBlock;
};

/// Threads:  as a std::shared_ptr.
/// Cost:     copy and destruction are one atomic operation each.
class REMOTEMEDIA_API MemoryBlock {
 public:
  MemoryBlock() noexcept = default;

  /// Takes the first hold on `owner`, or one more.
  explicit MemoryBlock(BlockOwner& owner) noexcept : owner_(&owner) {
    if (owner.holds_.load(std::memory_order_relaxed) == 0) {
      owner.holds_.store(1, std::memory_order_relaxed);  // nobody else knows it yet
    } else {
      owner.holds_.fetch_add(1, std::memory_order_relaxed);
    }
  }
  MemoryBlock(const MemoryBlock& other) noexcept : owner_(other.owner_) {
    if (owner_ != nullptr) owner_->holds_.fetch_add(1, std::memory_order_relaxed);
  }
  MemoryBlock(MemoryBlock&& other) noexcept : owner_(std::exchange(other.owner_, nullptr)) {}
  MemoryBlock& operator=(MemoryBlock other) noexcept {
    std::swap(owner_, other.owner_);
    return *this;
  }
  ~MemoryBlock() {
    if (owner_ != nullptr && drop_hold(*owner_)) owner_->give_back();
  }

  std::byte* data() const noexcept { return owner_ != nullptr ? owner_->data_ : nullptr; }
  std::size_t size() const noexcept { return owner_ != nullptr ? owner_->size_ : 0; }
  BlockKind kind() const noexcept { return owner_ != nullptr ? owner_->kind_ : BlockKind::heap; }
  bool read_only() const noexcept { return owner_ != nullptr && owner_->read_only_; }
  explicit operator bool() const noexcept { return owner_ != nullptr; }
  friend bool operator==(const MemoryBlock&, const MemoryBlock&) = default;

  BlockOwner* owner() const noexcept { return owner_; }

 private:
  // Whether that was the last. Who has the only hold has it to himself: nobody is left to make another.
  static bool drop_hold(BlockOwner& owner) noexcept {
    return owner.holds_.load(std::memory_order_acquire) == 1 ||
           owner.holds_.fetch_sub(1, std::memory_order_acq_rel) == 1;
  }

  BlockOwner* owner_ = nullptr;
};

/// `bytes` of this process's own memory, aligned to 256 bytes, not initialised. 0 bytes have an address too.
///
/// Errors:  out_of_memory.
REMOTEMEDIA_API MemoryBlock allocate_heap_block(std::size_t bytes);

/// Memory of somebody else, which `keep` keeps: `release(keep)` is called once, when the last hold is gone, on any
/// thread. release may be nullptr.
///
/// Errors:  std::bad_alloc, and then release is not called.
REMOTEMEDIA_API MemoryBlock adopt_foreign_block(void* data, std::size_t bytes, bool read_only, void* keep,
                                                void (*release)(void* keep) noexcept);

}  // namespace remotemedia

// SPDX-License-Identifier: Apache-2.0
//
// SlotTable: from key to ModelSlot. Looking up takes no lock and writes nothing; inserting and reclaiming
// are the registry's, under its mutex.
//
// Open addressing over tagged pointers: a cell holds a slot's address and, in the bits that its alignment
// leaves free, a piece of its hash, so that a search hardly ever reads a slot of another key. A reader may be
// anywhere at any time: slots are reused but not freed, and it compares the whole hash before it takes a hold
// (writing to another key's slot would cost its users a cache miss, and its registry's thread a look) and the key
// only after, when the slot cannot be reused; arrays are reused but not freed, and a search that a rebuilding may
// have led astray is made again.

#pragma once

#include <atomic>
#include <bit>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string_view>
#include <vector>

#include "remotemedia/registry/model_slot.h"

namespace remotemedia::detail {

class SlotTable {
 public:
  SlotTable();
  ~SlotTable();
  SlotTable(const SlotTable&) = delete;
  SlotTable& operator=(const SlotTable&) = delete;

  static std::size_t hash(std::string_view key) noexcept;

  /// Calls `visit(slot)` for each slot that may be the key's, until it returns true; perhaps twice for one slot.
  ///
  /// Threads:  any, without a lock; a slot that is being inserted or reused may be missed or be another key's.
  template <class Visit>
  void search(std::size_t hash, Visit&& visit) const {
    std::uint64_t rebuilt = 0;
    do {
      rebuilt = rebuilt_.load(std::memory_order_acquire);
      const Array& array = *array_.load(std::memory_order_acquire);
      for (std::size_t i = hash;; ++i) {
        const std::uintptr_t cell = array.cells[i & array.mask].load(std::memory_order_acquire);
        if (cell == kEmpty) break;
        if ((cell & kTagMask) != tag_of(hash) || cell == kRemoved) continue;
        if (visit(*slot_of(cell))) return;
      }
    } while (rebuilt_.load(std::memory_order_relaxed) != rebuilt);
  }

  /// The key's slot or none. Under the registry's mutex.
  ModelSlot* find(std::string_view key, std::size_t hash) const;

  /// A slot for a key that has none, absent. Under the registry's mutex. Reuses slots of keys that nobody
  /// refers to any more, so that a registry does not grow with the keys it has seen.
  ModelSlot& insert(std::string_view key, std::size_t hash, RegistryCore* core, JanitorAlarm* alarm);

  /// Every slot in use, in no order. Under the registry's mutex.
  const std::vector<ModelSlot*>& slots() const noexcept { return slots_; }

  /// Hands the table's reference over to the caller, and takes it back.
  void remove(ModelSlot& slot);
  void put_back(ModelSlot& slot);

 private:
  static constexpr std::uintptr_t kTagMask = alignof(ModelSlot) - 1;
  static constexpr std::uintptr_t kEmpty = 0;
  static constexpr std::uintptr_t kRemoved = kTagMask;  // no slot lives at address 0

  struct Array {
    explicit Array(std::size_t size) : mask(size - 1), cells(new std::atomic<std::uintptr_t>[size]()) {}
    std::size_t mask;
    std::unique_ptr<std::atomic<std::uintptr_t>[]> cells;
  };

  static std::uintptr_t tag_of(std::size_t hash) noexcept {
    return (hash >> (8 * sizeof(std::size_t) - std::bit_width(kTagMask))) & kTagMask;
  }
  static ModelSlot* slot_of(std::uintptr_t cell) noexcept { return reinterpret_cast<ModelSlot*>(cell & ~kTagMask); }

  void reclaim();
  void rebuild();
  Array& next_array(std::size_t size);
  void place(Array& array, ModelSlot& slot);

  std::atomic<Array*> array_;
  std::atomic<std::uint64_t> rebuilt_{0};       // how often
  std::vector<std::unique_ptr<Array>> arrays_;  // one or two of each size up to that of array_
  std::size_t occupied_ = 0;                    // cells of array_ that are not empty
  std::vector<ModelSlot*> slots_;
  std::vector<ModelSlot*> spare_;
};

}  // namespace remotemedia::detail

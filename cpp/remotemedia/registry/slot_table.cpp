// SPDX-License-Identifier: Apache-2.0

#include "remotemedia/registry/slot_table.h"

#include <functional>
#include <utility>

namespace remotemedia::detail {
namespace {

constexpr std::size_t kFirstSize = 64;

bool is_forgotten(const ModelSlot& slot) {
  return slot.state == ModelState::absent && slot.references.load(std::memory_order_acquire) == 1 &&
         ModelSlot::holds_of(slot.word.load()) == 0;
}

}  // namespace

std::size_t SlotTable::hash(std::string_view key) noexcept { return std::hash<std::string_view>{}(key); }

SlotTable::SlotTable() {
  arrays_.push_back(std::make_unique<Array>(kFirstSize));
  array_.store(arrays_.back().get());
}

SlotTable::~SlotTable() {
  slots_.insert(slots_.end(), spare_.begin(), spare_.end());
  for (ModelSlot* slot : slots_) {
    slot->core.store(nullptr);
    slot->drop_reference();
  }
}

ModelSlot* SlotTable::find(std::string_view key, std::size_t hash) const {
  ModelSlot* found = nullptr;
  search(hash, [&](ModelSlot& slot) {
    if (slot.hash.load(std::memory_order_relaxed) != hash || slot.key != key) return false;
    found = &slot;
    return true;
  });
  return found;
}

ModelSlot& SlotTable::insert(std::string_view key, std::size_t hash, RegistryCore* core, JanitorAlarm* alarm) {
  if (2 * (occupied_ + 1) > array_.load()->mask + 1) rebuild();
  if (slots_.size() == slots_.capacity()) slots_.reserve(2 * slots_.size() + 1);
  if (spare_.empty()) spare_.push_back(new ModelSlot(core, alarm));
  ModelSlot& slot = *spare_.back();
  slot.key = key;
  slot.hash.store(hash, std::memory_order_relaxed);
  spare_.pop_back();
  slots_.push_back(&slot);
  place(*array_.load(), slot);
  return slot;
}

void SlotTable::place(Array& array, ModelSlot& slot) {
  const std::size_t hash = slot.hash.load(std::memory_order_relaxed);
  for (std::size_t i = hash;; ++i) {
    auto& cell = array.cells[i & array.mask];
    const std::uintptr_t content = cell.load(std::memory_order_relaxed);
    if (content != kEmpty && content != kRemoved) continue;
    if (content == kEmpty) ++occupied_;
    cell.store(reinterpret_cast<std::uintptr_t>(&slot) | tag_of(hash), std::memory_order_release);
    return;
  }
}

void SlotTable::reclaim() {
  spare_.reserve(spare_.size() + slots_.size());
  std::erase_if(slots_, [this](ModelSlot* slot) {
    if (!is_forgotten(*slot)) return false;
    spare_.push_back(slot);
    return true;
  });
}

// Into another array, with room for at least as many slots as there are: removed cells in the midst of others could
// not be emptied where they are, and would add up.
void SlotTable::rebuild() {
  reclaim();
  const std::size_t size = array_.load()->mask + 1;
  Array& next = next_array(4 * (slots_.size() + 1) > size ? 2 * size : size);
  rebuilt_.fetch_add(1);  // before a cell changes that a reader may be looking at
  for (std::size_t i = 0; i <= next.mask; ++i) next.cells[i].store(kEmpty, std::memory_order_release);
  occupied_ = 0;
  for (ModelSlot* slot : slots_) place(next, *slot);
  array_.store(&next, std::memory_order_release);
}

SlotTable::Array& SlotTable::next_array(std::size_t size) {
  for (const auto& array : arrays_) {
    if (array->mask + 1 == size && array.get() != array_.load()) return *array;
  }
  return *arrays_.emplace_back(std::make_unique<Array>(size));
}

void SlotTable::remove(ModelSlot& slot) {
  const Array& array = *array_.load();
  const std::size_t hash = slot.hash.load(std::memory_order_relaxed);
  const std::uintptr_t content = reinterpret_cast<std::uintptr_t>(&slot) | tag_of(hash);
  for (std::size_t i = hash;; ++i) {
    auto& cell = array.cells[i & array.mask];
    if (cell.load(std::memory_order_relaxed) != content) continue;
    cell.store(kRemoved, std::memory_order_release);
    break;
  }
  std::erase(slots_, &slot);
}

void SlotTable::put_back(ModelSlot& slot) {
  slots_.push_back(&slot);
  place(*array_.load(), slot);
}

}  // namespace remotemedia::detail

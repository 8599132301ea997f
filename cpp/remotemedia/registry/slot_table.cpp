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
    if (slot.hash != hash || slot.key != key) return false;
    found = &slot;
    return true;
  });
  return found;
}

ModelSlot& SlotTable::insert(std::string_view key, std::size_t hash, RegistryCore* core, JanitorAlarm* alarm) {
  Array* array = arrays_.back().get();
  if (2 * (occupied_ + 1) > array->mask + 1) reclaim();
  if (2 * (occupied_ + 1) > array->mask + 1) grow();
  slots_.reserve(slots_.size() + 1);
  if (spare_.empty()) spare_.push_back(new ModelSlot(core, alarm));
  ModelSlot& slot = *spare_.back();
  slot.key = key;
  slot.hash = hash;
  spare_.pop_back();
  slots_.push_back(&slot);
  place(*arrays_.back(), slot);
  return slot;
}

void SlotTable::place(Array& array, ModelSlot& slot) {
  for (std::size_t i = slot.hash;; ++i) {
    auto& cell = array.cells[i & array.mask];
    const std::uintptr_t content = cell.load(std::memory_order_relaxed);
    if (content != kEmpty && content != kRemoved) continue;
    if (content == kEmpty) ++occupied_;
    cell.store(reinterpret_cast<std::uintptr_t>(&slot) | tag_of(slot.hash), std::memory_order_release);
    return;
  }
}

void SlotTable::reclaim() {
  Array& array = *arrays_.back();
  spare_.reserve(spare_.size() + slots_.size());
  for (std::size_t i = 0; i <= array.mask; ++i) {
    const std::uintptr_t content = array.cells[i].load(std::memory_order_relaxed);
    if (content == kEmpty || content == kRemoved || !is_forgotten(*slot_of(content))) continue;
    array.cells[i].store(kRemoved, std::memory_order_release);
    spare_.push_back(slot_of(content));
    std::erase(slots_, slot_of(content));
  }
  // A removed cell before an empty one ends a search just as well when it is empty. Two rounds, since the
  // array is a ring.
  for (std::size_t i = 2 * (array.mask + 1); i-- > 0;) {
    auto& cell = array.cells[i & array.mask];
    const bool ends_here = array.cells[(i + 1) & array.mask].load(std::memory_order_relaxed) == kEmpty;
    if (!ends_here || cell.load(std::memory_order_relaxed) != kRemoved) continue;
    cell.store(kEmpty, std::memory_order_release);
    --occupied_;
  }
}

void SlotTable::grow() {
  auto larger = std::make_unique<Array>(2 * (arrays_.back()->mask + 1));
  arrays_.reserve(arrays_.size() + 1);
  occupied_ = 0;
  for (ModelSlot* slot : slots_) place(*larger, *slot);
  array_.store(larger.get(), std::memory_order_release);
  arrays_.push_back(std::move(larger));
}

void SlotTable::remove(ModelSlot& slot) {
  Array& array = *arrays_.back();
  const std::uintptr_t content = reinterpret_cast<std::uintptr_t>(&slot) | tag_of(slot.hash);
  for (std::size_t i = slot.hash;; ++i) {
    auto& cell = array.cells[i & array.mask];
    if (cell.load(std::memory_order_relaxed) != content) continue;
    cell.store(kRemoved, std::memory_order_release);
    break;
  }
  std::erase(slots_, &slot);
}

void SlotTable::put_back(ModelSlot& slot) {
  slots_.push_back(&slot);
  place(*arrays_.back(), slot);
}

}  // namespace remotemedia::detail

// SPDX-License-Identifier: Apache-2.0
//
// Hits, which happen millions of times a second outside the registry's mutex, and labels.

#include <string>
#include <utility>

#include "remotemedia/base/error.h"
#include "remotemedia/registry/model_slot.h"
#include "remotemedia/registry/registry_core.h"
#include "remotemedia/registry/type_name.h"

namespace remotemedia::detail {

// What a hit of a model of this very type needs without a listener stays small: it is most of what a hit costs.
inline ModelSlot* RegistryCore::checked(ModelSlot& slot, const std::type_info& type) {
  const bool plain = slot.type == &type && !observed_.load(std::memory_order_relaxed);
  return plain ? &slot : checked_in_full(slot, type);
}

ModelSlot* RegistryCore::checked_in_full(ModelSlot& slot, const std::type_info& type) {
  if (*slot.type != type) {
    std::string message = type_mismatch_message(slot.key, *slot.type, type);
    slot.take_back_hold();
    throw Error(ErrorCode::type_mismatch, message);
  }
  if (observed_.load(std::memory_order_relaxed)) note(RegistryEvent::Kind::hit, slot);
  return &slot;
}

ModelSlot* RegistryCore::find_and_hold(std::string_view key, std::size_t hash, const std::type_info& type) {
  ModelSlot* held = nullptr;
  bool refused = false;
  table_.search(hash, [&](ModelSlot& slot) {
    if (slot.hash.load(std::memory_order_relaxed) != hash) return false;
    if (!slot.try_hold()) {
      refused = true;
      return false;
    }
    if (slot.key == key) {
      held = &slot;
      return true;
    }
    slot.take_back_hold();
    return false;
  });
  if (held != nullptr) [[likely]]
    return checked(*held, type);
  return refused ? look_again(key, hash, type) : nullptr;
}

// What refuses holds may be about to be evicted, and not be in the end: the book knows.
ModelSlot* RegistryCore::look_again(std::string_view key, std::size_t hash, const std::type_info& type) {
  MutexLock lock(mutex_);
  ModelSlot* const slot = table_.find(key, hash);
  return slot != nullptr && slot->state == ModelState::ready ? hold_ready(*slot, type) : nullptr;
}

ModelSlot* RegistryCore::hold_ready(ModelSlot& slot, const std::type_info& type) {
  if (*slot.type != type) {
    throw Error(ErrorCode::type_mismatch, type_mismatch_message(slot.key, *slot.type, type));
  }
  if (!slot.try_hold()) slot.refuse_hold();
  emit(RegistryEvent::Kind::hit, slot);
  return &slot;
}

ModelSlot* RegistryCore::try_hold(std::string_view key, const std::type_info& type) {
  return find_and_hold(key, SlotTable::hash(key), type);
}

ModelSlot* RegistryCore::try_hold(const ModelKey& key, const std::type_info& type) {
  if (ModelSlot* const bound = key.slot_.load(std::memory_order_acquire);
      bound != nullptr && bound->core.load(std::memory_order_relaxed) == this) [[likely]] {
    return bound->try_hold() ? checked(*bound, type) : look_again(key.text_, key.hash_, type);
  }
  return hold_unbound(key, type);
}

ModelSlot* RegistryCore::hold_unbound(const ModelKey& key, const std::type_info& type) {
  ModelSlot* const held = find_and_hold(key.text_, key.hash_, type);
  if (held != nullptr) {
    ModelSlot* unbound = nullptr;
    if (key.slot_.compare_exchange_strong(unbound, held)) held->add_reference();
  }
  return held;
}

Holder* RegistryCore::label(ModelSlot& slot, std::shared_ptr<const std::string> text) {
  std::list<Holder> node;
  node.push_back({std::move(text), clock_.coarse_now(), {}});
  node.back().self = node.begin();
  MutexLock lock(mutex_);
  slot.holders.splice(slot.holders.end(), node);
  return &slot.holders.back();
}

void RegistryCore::release_labelled(ModelSlot& slot, Holder* holder) noexcept {
  std::list<Holder> gone;
  {
    MutexLock lock(mutex_);
    gone.splice(gone.end(), slot.holders, holder->self);
  }
  slot.release();
}

void RegistryCore::note(RegistryEvent::Kind kind, const ModelSlot& slot) {
  MutexLock lock(mutex_);
  emit(kind, slot);
}

}  // namespace remotemedia::detail

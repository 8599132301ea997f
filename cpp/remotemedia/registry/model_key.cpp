// SPDX-License-Identifier: Apache-2.0

#include "remotemedia/registry/model_key.h"

#include <utility>

#include "remotemedia/registry/model_slot.h"
#include "remotemedia/registry/slot_table.h"

namespace remotemedia {

ModelKey::ModelKey(std::string_view text) : text_(text), hash_(detail::SlotTable::hash(text)) {}

ModelKey::ModelKey(const ModelKey& other) : text_(other.text_), hash_(other.hash_), slot_(other.slot_.load()) {
  if (detail::ModelSlot* slot = slot_.load()) slot->add_reference();
}

ModelKey& ModelKey::operator=(const ModelKey& other) {
  if (this == &other) return *this;
  ModelKey copy(other);
  text_.swap(copy.text_);
  std::swap(hash_, copy.hash_);
  copy.slot_.store(slot_.exchange(copy.slot_.load()));
  return *this;
}

ModelKey::~ModelKey() {
  if (detail::ModelSlot* slot = slot_.load()) slot->drop_reference();
}

}  // namespace remotemedia

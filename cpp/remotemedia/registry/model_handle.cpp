// SPDX-License-Identifier: Apache-2.0

#include "remotemedia/registry/model_handle.h"

#include "remotemedia/registry/model_slot.h"
#include "remotemedia/registry/registry_core.h"

namespace remotemedia::detail {

namespace {

// Not try_hold(): a model whose registry is gone can still be held once more.
ModelSlot* hold_again(ModelSlot* slot) {
  if (slot == nullptr) return nullptr;
  const std::uint64_t before = slot->word.fetch_add(ModelSlot::kHold, std::memory_order_relaxed);
  if ((before & ModelSlot::kTooManyHolds) != 0) {
    slot->word.fetch_sub(ModelSlot::kHold);
    slot->refuse_hold();
  }
  return slot;
}

}  // namespace

Hold::Hold(const Hold& other) : Hold(hold_again(other.slot_)) {
  if (other.holder_ != nullptr) holder_ = slot_->core.load()->label(*slot_, other.holder_->label);
}

void Hold::release_labelled(ModelSlot* slot) noexcept {
  slot->core.load()->release_labelled(*slot, std::exchange(holder_, nullptr));
}

}  // namespace remotemedia::detail

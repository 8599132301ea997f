// SPDX-License-Identifier: Apache-2.0

#include "remotemedia/registry/model_handle.h"

#include "remotemedia/registry/model_slot.h"
#include "remotemedia/registry/registry_core.h"

namespace remotemedia::detail {

Hold::Hold(const Hold& other) {
  if (other.slot_ == nullptr) return;
  ModelSlot& slot = *other.slot_;
  // Not try_hold(): a model whose registry is gone can still be held once more.
  const std::uint64_t before = slot.word.fetch_add(ModelSlot::kHold, std::memory_order_relaxed);
  if ((before & ModelSlot::kTooManyHolds) != 0) {
    slot.word.fetch_sub(ModelSlot::kHold);
    throw Error(ErrorCode::rejected, "model '" + slot.key + "' has more holds than can be counted");
  }
  slot_ = other.slot_;
  if (other.holder_ != nullptr) holder_ = slot.core.load()->label(slot, other.holder_->label);
}

void Hold::release() noexcept {
  ModelSlot& slot = *std::exchange(slot_, nullptr);
  if (holder_ != nullptr) {
    slot.core.load()->release_labelled(slot, std::exchange(holder_, nullptr));
  } else {
    slot.release();
  }
}

void* Hold::object() const noexcept { return slot_->object; }
const std::string& Hold::key() const noexcept { return slot_->key; }
const std::string& Hold::model_id() const noexcept { return slot_->model_id; }

}  // namespace remotemedia::detail

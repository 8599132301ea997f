// SPDX-License-Identifier: Apache-2.0

#include "remotemedia/registry/model_slot.h"

#include <exception>
#include <utility>

#include "remotemedia/base/error.h"
#include "remotemedia/registry/janitor_alarm.h"
#include "remotemedia/registry/registry_core.h"

namespace remotemedia::detail {

ModelSlot::ModelSlot(RegistryCore* registry, JanitorAlarm* registry_alarm) noexcept
    : core(registry), alarm(registry_alarm) {}

ModelSlot::~ModelSlot() = default;

void ModelSlot::take_back_hold() noexcept {
  // A release meanwhile may have found this hold beside its own and left what is to be done to us.
  const std::uint64_t before = word.fetch_sub(kHold + kAccess);
  if ((before & kHoldMask) != kHold) return;
  if ((before & kOrphan) != 0) {
    destroy_orphan();
  } else if ((before & kReady) != 0) {
    alarm->ring();
  }
}

void ModelSlot::refuse_hold() const {
  throw Error(ErrorCode::rejected, "model '" + key + "' has more holds than can be counted");
}

std::optional<std::uint64_t> ModelSlot::withdraw() noexcept {
  std::uint64_t before = word.load();
  do {
    if (holds_of(before) != 0) return std::nullopt;
  } while (!word.compare_exchange_weak(before, 0));
  return before;
}

void ModelSlot::release() noexcept {
  RegistryCore& registry = *core.load(std::memory_order_relaxed);
  const TimePoint now = registry.stamp(*this);
  const Duration keep = expires_after.load(std::memory_order_relaxed);
  JanitorAlarm* const its_alarm = alarm;
  if (registry.observed_.load(std::memory_order_relaxed)) [[unlikely]]
    registry.note(RegistryEvent::Kind::released, *this);

  const std::uint64_t before = word.fetch_sub(kHold);
  if ((before & kHoldMask) != kHold) return;
  if ((before & kOrphan) != 0) [[unlikely]] {
    destroy_orphan();
  } else if (keep != Duration::max()) {
    its_alarm->ring_before(later(now, keep));
  }
}

void ModelSlot::destroy_orphan() noexcept {
  const std::shared_ptr<RegistryCore> registry = std::move(orphan_of);
  core.store(nullptr);
  model.reset();
  drop_reference();
}

bool ModelSlot::become_orphan() noexcept {
  std::uint64_t before = word.load();
  do {
    if (holds_of(before) == 0) return false;
  } while (!word.compare_exchange_weak(before, (before & ~kReady) | kOrphan));
  return true;
}

void ModelSlot::enter(ModelState next) noexcept {
  if (!is_legal_transition(state, next)) std::terminate();
  state = next;
}

}  // namespace remotemedia::detail

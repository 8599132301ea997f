// SPDX-License-Identifier: Apache-2.0

#include "remotemedia/tensor/tensor_exports.h"

#include <cstdint>
#include <memory>
#include <utility>
#include <vector>

#include "remotemedia/base/mutex.h"

namespace remotemedia {

struct TensorExports::Ledger {
  std::atomic<std::uint32_t> holds{1};
  Mutex mutex;
  Export in_place REMOTEMEDIA_GUARDED_BY(mutex);
  std::vector<Export> snapshots REMOTEMEDIA_GUARDED_BY(mutex);
};

void TensorExports::hold() noexcept {
  ledger_.load(std::memory_order_relaxed)->holds.fetch_add(1, std::memory_order_relaxed);
}

void TensorExports::let_go() noexcept {
  Ledger* const ledger = ledger_.load(std::memory_order_relaxed);
  if (ledger->holds.fetch_sub(1, std::memory_order_acq_rel) == 1) delete ledger;
}

TensorExports::Ledger& TensorExports::ledger() const {
  Ledger* present = ledger_.load(std::memory_order_acquire);
  if (present != nullptr) return *present;
  auto made = std::make_unique<Ledger>();
  if (ledger_.compare_exchange_strong(present, made.get(), std::memory_order_acq_rel)) return *made.release();
  return *present;
}

Export TensorExports::kept() const {
  Ledger* const present = ledger_.load(std::memory_order_acquire);
  if (present == nullptr) return {};
  MutexLock lock(present->mutex);
  return present->in_place;
}

std::string TensorExports::in_place() const {
  const Export found = kept();
  return found.openable() ? found.id() : std::string();
}

std::string TensorExports::lend_in_place(Duration lease) const {
  const Export found = kept();
  if (!found.openable()) return {};
  await_importer(found, lease);
  return found.id();
}

std::string TensorExports::keep_in_place(Export made) const {
  const Export found = kept();
  if (found.openable()) return found.id();
  Ledger& ledger = this->ledger();
  MutexLock lock(ledger.mutex);
  if (ledger.in_place.id() == found.id()) std::swap(ledger.in_place, made);  // else another thread was quicker
  return ledger.in_place.id();  // the other one goes with `made`, after the lock
}

std::string TensorExports::keep_snapshot(Export made) const {
  Ledger& ledger = this->ledger();
  MutexLock lock(ledger.mutex);
  ledger.snapshots.push_back(std::move(made));
  return ledger.snapshots.back().id();
}

}  // namespace remotemedia

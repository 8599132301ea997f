// SPDX-License-Identifier: Apache-2.0
//
// LockedMap: the control, what one writes without a registry: std::unordered_map under a lock.

#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <mutex>
#include <shared_mutex>
#include <string>
#include <type_traits>
#include <unordered_map>
#include <vector>

#include "models.h"

namespace remotemedia::bench {

/// A model that counts its holds itself.
struct CountedModel : Model {
  std::atomic<std::uint64_t> holds{0};
};

/// The cheapest hold: one addition now, one subtraction when it goes.
class CountedHold {
 public:
  explicit CountedHold(CountedModel& model) noexcept : model_(&model) {
    model_->holds.fetch_add(1, std::memory_order_relaxed);
  }
  CountedHold(const CountedHold&) = delete;
  CountedHold& operator=(const CountedHold&) = delete;
  ~CountedHold() { model_->holds.fetch_sub(1, std::memory_order_acq_rel); }
  const Model& operator*() const noexcept { return *model_; }

 private:
  CountedModel* model_;
};

template <class Lock, class Key>
class LockedMap {
 public:
  LockedMap() {
    for (std::size_t i = 0; i < kModels; ++i) {
      keys.push_back(make_key(i));
      counted_.emplace(keys.back(), std::make_unique<CountedModel>());
      shared_.emplace(keys.back(), std::make_shared<Model>());
    }
  }

  CountedHold counted(const Key& key) {
    const Guard guard(lock_);
    return CountedHold(*counted_.find(key)->second);
  }
  std::shared_ptr<Model> shared(const Key& key) {
    const Guard guard(lock_);
    return shared_.find(key)->second;
  }

  std::vector<Key> keys;

 private:
  using Guard =
      std::conditional_t<std::is_same_v<Lock, std::shared_mutex>, std::shared_lock<Lock>, std::unique_lock<Lock>>;

  static Key make_key(std::size_t index) {
    if constexpr (std::is_same_v<Key, std::string>) {
      return key_text(index);
    } else {
      return static_cast<Key>(index);
    }
  }

  alignas(64) Lock lock_;
  alignas(64) std::unordered_map<Key, std::unique_ptr<CountedModel>> counted_;
  std::unordered_map<Key, std::shared_ptr<Model>> shared_;
};

}  // namespace remotemedia::bench

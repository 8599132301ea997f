// SPDX-License-Identifier: Apache-2.0
//
// ModelHandle: a counted hold on a model. While one exists the model is neither evicted nor destroyed.

#pragma once

#include <string>
#include <utility>

#include "remotemedia/base/error.h"
#include "remotemedia/base/export.h"
#include "remotemedia/registry/model_slot.h"

namespace remotemedia {

namespace detail {

/// The part of a handle that needs no type.
class REMOTEMEDIA_API Hold {
 public:
  Hold() noexcept = default;
  explicit Hold(ModelSlot* slot, Holder* holder = nullptr) noexcept : slot_(slot), holder_(holder) {}
  Hold(const Hold& other);
  Hold(Hold&& other) noexcept
      : slot_(std::exchange(other.slot_, nullptr)), holder_(std::exchange(other.holder_, nullptr)) {}
  Hold& operator=(Hold other) noexcept {
    std::swap(slot_, other.slot_);
    std::swap(holder_, other.holder_);
    return *this;
  }
  ~Hold() {
    if (slot_ != nullptr) release();
  }

  void release() noexcept {
    ModelSlot* const slot = std::exchange(slot_, nullptr);
    if (holder_ == nullptr) [[likely]] {
      slot->release();
    } else {
      release_labelled(slot);
    }
  }
  explicit operator bool() const noexcept { return slot_ != nullptr; }

  /// Forgets the hold without giving it back.
  ModelSlot* detach() noexcept {
    holder_ = nullptr;
    return std::exchange(slot_, nullptr);
  }

  /// Not of a released hold.
  void* object() const noexcept { return slot_->object; }
  const std::string& key() const noexcept { return slot_->key; }
  const std::string& model_id() const noexcept { return slot_->model_id; }

 private:
  void release_labelled(ModelSlot* slot) noexcept;

  ModelSlot* slot_ = nullptr;
  Holder* holder_ = nullptr;
};

}  // namespace detail

/// Copying takes another hold, destroying or release() gives one back. The last one given back starts the
/// model's time to live; the model is destroyed later, by the registry's own thread. Once the registry is
/// gone there is no such thread: handles stay valid and the last one destroys the model where it is released.
///
/// Errors:   rejected from copying when one model has more than two million holds.
/// Threads:  as std::shared_ptr: handles of one model may be used, copied and released concurrently,
///           one handle needs outside ordering.
/// Cost:     copy and release are one atomic addition each, on a cache line of the model.
template <class T>
class ModelHandle {
 public:
  /// Holds nothing, like a released one.
  ModelHandle() noexcept = default;
  ModelHandle(const ModelHandle&) = default;
  ModelHandle(ModelHandle&& other) noexcept
      : hold_(std::move(other.hold_)), model_(std::exchange(other.model_, nullptr)) {}
  ModelHandle& operator=(ModelHandle other) noexcept {
    std::swap(hold_, other.hold_);
    std::swap(model_, other.model_);
    return *this;
  }
  ~ModelHandle() = default;

  /// Errors:  invalid_argument if this handle was released or moved from.
  T& operator*() const { return *checked(); }
  T* operator->() const { return checked(); }

  /// What the model was asked for by.
  ///
  /// Errors:    as operator*.
  /// Lifetime:  while the model is held.
  const std::string& key() const { return checked(), hold_.key(); }

  /// What the model calls itself, else the key. Errors and lifetime as key().
  const std::string& model_id() const { return checked(), hold_.model_id(); }

  /// Gives the hold back. Twice is once.
  void release() noexcept {
    model_ = nullptr;
    if (hold_) hold_.release();
  }

  explicit operator bool() const noexcept { return model_ != nullptr; }

 private:
  friend class ModelRegistry;

  explicit ModelHandle(detail::ModelSlot* slot) noexcept : hold_(slot), model_(static_cast<T*>(hold_.object())) {}
  explicit ModelHandle(detail::Hold&& hold) noexcept
      : hold_(std::move(hold)), model_(static_cast<T*>(hold_.object())) {}

  T* checked() const {
    if (model_ == nullptr) [[unlikely]]
      refuse();
    return model_;
  }
  [[noreturn]] static void refuse() {
    throw Error(ErrorCode::invalid_argument, "this ModelHandle was released: ask the registry for the model again");
  }

  detail::Hold hold_;
  T* model_ = nullptr;
};

}  // namespace remotemedia

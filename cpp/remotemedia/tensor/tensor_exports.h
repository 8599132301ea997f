// SPDX-License-Identifier: Apache-2.0
//
// TensorExports: the ids that a tensor has given away and keeps open. Made with the first of them; copies made of the
// tensor from then on share it.

#pragma once

#include <atomic>
#include <string>

#include "remotemedia/base/export.h"
#include "remotemedia/memory/exports.h"

namespace remotemedia {

/// Threads:  const functions, copying from included, may run concurrently.
class REMOTEMEDIA_API TensorExports {
 public:
  TensorExports() noexcept = default;
  TensorExports(const TensorExports& other) noexcept : ledger_(other.ledger_.load(std::memory_order_acquire)) {
    if (ledger_.load(std::memory_order_relaxed) != nullptr) hold();
  }
  TensorExports(TensorExports&& other) noexcept : ledger_(other.ledger_.load(std::memory_order_acquire)) {
    other.ledger_.store(nullptr, std::memory_order_relaxed);
  }
  TensorExports& operator=(TensorExports other) noexcept {
    Ledger* const ours = ledger_.load(std::memory_order_relaxed);
    ledger_.store(other.ledger_.load(std::memory_order_relaxed), std::memory_order_release);
    other.ledger_.store(ours, std::memory_order_relaxed);
    return *this;
  }
  ~TensorExports() {
    if (ledger_.load(std::memory_order_acquire) != nullptr) let_go();
  }

  /// The id of the elements themselves; empty while there is none, or when it has ended.
  std::string in_place() const;

  /// The same, and an importer is awaited.
  std::string lend_in_place(Duration lease) const;

  /// Keeps an export of the elements themselves and returns its id, or that of the one that another thread kept first.
  std::string keep_in_place(Export made) const;

  /// Keeps an export of a copy, and returns its id.
  std::string keep_snapshot(Export made) const;

 private:
  struct Ledger;
  void hold() noexcept;
  void let_go() noexcept;
  Ledger& ledger() const;
  Export kept() const;

  mutable std::atomic<Ledger*> ledger_{nullptr};
};

}  // namespace remotemedia

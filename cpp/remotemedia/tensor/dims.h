// SPDX-License-Identifier: Apache-2.0
//
// Dims: the extents or the strides of a tensor, one number for each axis. A value: it is made whole and
// never changed; a moved from one is empty.

#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <initializer_list>
#include <memory>
#include <span>
#include <string>
#include <utility>

#include "remotemedia/base/export.h"

namespace remotemedia {

/// Axes that a tensor can have, at most: as many as in NumPy.
inline constexpr std::size_t kMaxRank = 64;

/// Threads:  as an int.
/// Cost:     up to 8 numbers lie in the object; more are shared by its copies, so that no copy can fail.
class REMOTEMEDIA_API Dims {
 public:
  using value_type = std::int64_t;
  using const_iterator = const std::int64_t*;

  Dims() noexcept = default;

  /// Errors:  invalid_tensor beyond kMaxRank.
  Dims(std::initializer_list<std::int64_t> values) : Dims(std::span(values.begin(), values.size())) {}
  explicit Dims(std::span<const std::int64_t> values) {
    if (values.size() > few_.size()) {
      share(values);
    } else {
      for (const std::int64_t value : values) few_[size_++] = value;
    }
  }

  Dims(const Dims&) noexcept = default;
  Dims(Dims&& other) noexcept : few_(other.few_), many_(std::move(other.many_)), size_(std::exchange(other.size_, 0)) {}
  Dims& operator=(const Dims&) noexcept = default;
  Dims& operator=(Dims&& other) noexcept {
    few_ = other.few_;
    many_ = std::move(other.many_);
    size_ = std::exchange(other.size_, 0);
    return *this;
  }
  ~Dims() = default;

  std::size_t size() const noexcept { return size_; }
  bool empty() const noexcept { return size_ == 0; }
  const std::int64_t* data() const noexcept { return many_ != nullptr ? many_.get() : few_.data(); }
  const_iterator begin() const noexcept { return data(); }
  const_iterator end() const noexcept { return data() + size_; }
  std::int64_t operator[](std::size_t axis) const noexcept { return data()[axis]; }

  /// The same with another number at `axis`; without it; with one more before it.
  Dims with(std::size_t axis, std::int64_t value) const;
  Dims without(std::size_t axis) const;
  Dims with_inserted(std::size_t axis, std::int64_t value) const;

  friend bool operator==(const Dims& a, const Dims& b) noexcept { return std::ranges::equal(a, b); }

 private:
  void share(std::span<const std::int64_t> values);

  std::array<std::int64_t, 8> few_{};
  std::shared_ptr<const std::int64_t[]> many_;
  std::size_t size_ = 0;
};

/// "(2, 3)", "(2,)", "()", as Python writes a tuple.
REMOTEMEDIA_API std::string to_string(const Dims& dims);

}  // namespace remotemedia

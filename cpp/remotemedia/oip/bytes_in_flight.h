// SPDX-License-Identifier: Apache-2.0
//
// BytesInFlight: how much the requests under way may hold together.

#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <utility>

namespace remotemedia::detail {

/// Threads:  any.
class BytesInFlight : public std::enable_shared_from_this<BytesInFlight> {
 public:
  explicit BytesInFlight(std::uint64_t most) noexcept : most_(most) {}

  /// Given back when it ends.
  class Share {
   public:
    Share() = default;
    Share(std::shared_ptr<BytesInFlight> of, std::uint64_t bytes) noexcept : of_(std::move(of)), bytes_(bytes) {}
    Share(Share&& other) noexcept : of_(std::move(other.of_)), bytes_(other.bytes_) {}
    Share& operator=(Share other) noexcept {
      std::swap(of_, other.of_);
      std::swap(bytes_, other.bytes_);
      return *this;
    }
    ~Share() {
      if (of_ != nullptr) of_->bytes_ -= bytes_;
    }
    explicit operator bool() const noexcept { return of_ != nullptr; }

    /// Takes over another one of the same.
    void join(Share other) noexcept {
      if (of_ == nullptr) return std::swap(*this, other);
      bytes_ += std::exchange(other.bytes_, 0);
    }

   private:
    std::shared_ptr<BytesInFlight> of_;
    std::uint64_t bytes_ = 0;
  };

  /// None where there is no room.
  Share take(std::uint64_t bytes) noexcept {
    if (bytes_.fetch_add(bytes) + bytes <= most_) return {shared_from_this(), bytes};
    bytes_ -= bytes;
    return {};
  }

 private:
  const std::uint64_t most_;
  std::atomic<std::uint64_t> bytes_{0};
};

}  // namespace remotemedia::detail

// SPDX-License-Identifier: Apache-2.0
//
// Wide: integers of 768 bits, in which the products and sums of a few 64-bit numbers always fit. Slow and obvious: what
// checked arithmetic is compared with.

#pragma once

#include <array>
#include <compare>
#include <cstddef>
#include <cstdint>

namespace remotemedia::testing {

class Wide {
 public:
  Wide() = default;
  Wide(std::int64_t value) {  // NOLINT(google-explicit-constructor): numbers mix
    words_.fill(value < 0 ? 0xffffffffU : 0);
    words_[0] = static_cast<std::uint32_t>(value);
    words_[1] = static_cast<std::uint32_t>(static_cast<std::uint64_t>(value) >> 32);
  }

  static Wide of_unsigned(std::uint64_t value) {
    Wide wide;
    wide.words_[0] = static_cast<std::uint32_t>(value);
    wide.words_[1] = static_cast<std::uint32_t>(value >> 32);
    return wide;
  }

  bool negative() const { return (words_.back() >> 31) != 0; }

  friend Wide operator+(const Wide& a, const Wide& b) {
    Wide sum;
    std::uint64_t carry = 0;
    for (std::size_t i = 0; i < kWords; ++i) {
      carry += std::uint64_t{a.words_[i]} + b.words_[i];
      sum.words_[i] = static_cast<std::uint32_t>(carry);
      carry >>= 32;
    }
    return sum;
  }

  Wide operator-() const {
    Wide flipped;
    for (std::size_t i = 0; i < kWords; ++i) flipped.words_[i] = ~words_[i];
    return flipped + Wide(1);
  }
  friend Wide operator-(const Wide& a, const Wide& b) { return a + -b; }

  /// By a number of 64 bits.
  friend Wide operator*(const Wide& a, std::int64_t b) {
    if (b < 0) return -(a.times(std::uint64_t{0} - static_cast<std::uint64_t>(b)));
    return a.times(static_cast<std::uint64_t>(b));
  }

  friend bool operator==(const Wide&, const Wide&) = default;
  friend std::strong_ordering operator<=>(const Wide& a, const Wide& b) {
    if (a.negative() != b.negative()) return b.negative() <=> a.negative();
    for (std::size_t i = kWords; i-- > 0;) {
      if (a.words_[i] != b.words_[i]) return a.words_[i] <=> b.words_[i];
    }
    return std::strong_ordering::equal;
  }

  bool fits_64() const { return *this >= Wide(INT64_MIN) && *this <= Wide(INT64_MAX); }

 private:
  static constexpr std::size_t kWords = 24;

  // Two's complement multiplies without regard to the sign of *this.
  Wide times(std::uint64_t b) const {
    return times_word(static_cast<std::uint32_t>(b), 0) + times_word(static_cast<std::uint32_t>(b >> 32), 1);
  }

  Wide times_word(std::uint32_t b, std::size_t shift) const {
    Wide product;
    std::uint64_t carry = 0;
    for (std::size_t i = 0; i + shift < kWords; ++i) {
      carry += std::uint64_t{words_[i]} * b;
      product.words_[i + shift] = static_cast<std::uint32_t>(carry);
      carry >>= 32;
    }
    return product;
  }

  std::array<std::uint32_t, kWords> words_{};  // two's complement, lowest first
};

}  // namespace remotemedia::testing

// SPDX-License-Identifier: Apache-2.0
//
// The numbers by which values travel. They are the protocol's: an enum may be sorted anew, a number never changes its
// meaning and is never used again.

#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>

#include "remotemedia/base/error.h"
#include "remotemedia/worker/worker_state.h"

namespace remotemedia::detail {

template <class E, std::size_t N>
struct Codes {
  struct Row {
    E value;
    std::uint16_t code;
  };
  std::array<Row, N> rows;

  constexpr std::optional<std::uint16_t> code_of(E value) const noexcept {
    for (const Row& row : rows) {
      if (row.value == value) return row.code;
    }
    return std::nullopt;
  }

  constexpr std::optional<E> value_of(std::uint16_t code) const noexcept {
    for (const Row& row : rows) {
      if (row.code == code) return row.value;
    }
    return std::nullopt;
  }
};

inline constexpr Codes<ErrorCode, 16> kErrorCodes{{{
    {ErrorCode::model_not_found, 1},
    {ErrorCode::load_failed, 2},
    {ErrorCode::type_mismatch, 3},
    {ErrorCode::out_of_memory, 4},
    {ErrorCode::quota_exceeded, 5},
    {ErrorCode::invalid_tensor, 6},
    {ErrorCode::shared_memory_unavailable, 7},
    {ErrorCode::zero_copy_unavailable, 8},
    {ErrorCode::worker_unavailable, 9},
    {ErrorCode::rejected, 10},
    {ErrorCode::deadline_exceeded, 11},
    {ErrorCode::cancelled, 12},
    {ErrorCode::inference_failed, 13},
    {ErrorCode::protocol_error, 14},
    {ErrorCode::platform_not_supported, 15},
    {ErrorCode::invalid_argument, 16},
}}};

inline constexpr Codes<WorkerState, 5> kWorkerStateCodes{{{
    {WorkerState::starting, 1},
    {WorkerState::ready, 2},
    {WorkerState::busy, 3},
    {WorkerState::stopping, 4},
    {WorkerState::terminated, 5},
}}};

}  // namespace remotemedia::detail

// SPDX-License-Identifier: Apache-2.0
//
// Error: the one exception class of remotemedia. Its code says what a caller can do about it,
// its text names what was asked, what was found and what to do.

#pragma once

#include <cstddef>
#include <stdexcept>
#include <string>
#include <string_view>
#include <vector>

#include "remotemedia/base/export.h"

namespace remotemedia {

enum class ErrorCode {
  model_not_found,
  load_failed,
  type_mismatch,
  out_of_memory,
  quota_exceeded,
  invalid_tensor,
  shared_memory_unavailable,
  zero_copy_unavailable,
  worker_unavailable,
  rejected,
  deadline_exceeded,
  cancelled,
  inference_failed,
  protocol_error,
  platform_not_supported,
  invalid_argument,
};

/// The name of a code as it is written in C++, for logs.
REMOTEMEDIA_API std::string_view to_string(ErrorCode code) noexcept;

/// What every function of remotemedia throws. Where another exception is the cause (a loader's), it is
/// attached as std::nested_exception.
class REMOTEMEDIA_API Error : public std::runtime_error {
 public:
  Error(ErrorCode code, const std::string& message);
  ~Error() override;
  Error(const Error&) = default;
  Error& operator=(const Error&) = default;

  ErrorCode code() const noexcept { return code_; }

 private:
  ErrorCode code_;
};

/// A model does not fit: nothing that may go makes enough room. Nothing was evicted on the way.
class REMOTEMEDIA_API OutOfMemory : public Error {
 public:
  /// What `needed` and `available` count.
  enum class Unit { bytes, models };

  OutOfMemory(const std::string& message, Unit unit, std::size_t needed, std::size_t available,
              std::vector<std::string> holders);
  ~OutOfMemory() override;
  OutOfMemory(const OutOfMemory&) = default;
  OutOfMemory& operator=(const OutOfMemory&) = default;

  Unit unit = Unit::bytes;
  std::size_t needed = 0;
  std::size_t available = 0;         ///< Free now plus what could be evicted.
  std::vector<std::string> holders;  ///< Keys of the models that stand in the way.
};

}  // namespace remotemedia

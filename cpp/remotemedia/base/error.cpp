// SPDX-License-Identifier: Apache-2.0

#include "remotemedia/base/error.h"

#include <utility>

namespace remotemedia {

std::string_view to_string(ErrorCode code) noexcept {
  switch (code) {
    case ErrorCode::model_not_found:
      return "model_not_found";
    case ErrorCode::load_failed:
      return "load_failed";
    case ErrorCode::type_mismatch:
      return "type_mismatch";
    case ErrorCode::out_of_memory:
      return "out_of_memory";
    case ErrorCode::quota_exceeded:
      return "quota_exceeded";
    case ErrorCode::invalid_tensor:
      return "invalid_tensor";
    case ErrorCode::shared_memory_unavailable:
      return "shared_memory_unavailable";
    case ErrorCode::zero_copy_unavailable:
      return "zero_copy_unavailable";
    case ErrorCode::worker_unavailable:
      return "worker_unavailable";
    case ErrorCode::rejected:
      return "rejected";
    case ErrorCode::deadline_exceeded:
      return "deadline_exceeded";
    case ErrorCode::cancelled:
      return "cancelled";
    case ErrorCode::inference_failed:
      return "inference_failed";
    case ErrorCode::protocol_error:
      return "protocol_error";
    case ErrorCode::platform_not_supported:
      return "platform_not_supported";
    case ErrorCode::invalid_argument:
      return "invalid_argument";
  }
  return "unknown";
}

Error::Error(ErrorCode code, const std::string& message) : std::runtime_error(message), code_(code) {}
Error::~Error() = default;

OutOfMemory::OutOfMemory(const std::string& message, Unit what, std::size_t needed_amount, std::size_t available_amount,
                         std::vector<std::string> holding_keys)
    : Error(ErrorCode::out_of_memory, message),
      unit(what),
      needed(needed_amount),
      available(available_amount),
      holders(std::move(holding_keys)) {}
OutOfMemory::~OutOfMemory() = default;

}  // namespace remotemedia

// SPDX-License-Identifier: Apache-2.0

#include "remotemedia/grpc/status_of.h"

#include <array>
#include <new>

#include "remotemedia/base/error.h"

namespace remotemedia::detail {
namespace {

grpc::StatusCode code_of(ErrorCode code) noexcept {
  switch (code) {
    case ErrorCode::model_not_found:
      return grpc::StatusCode::NOT_FOUND;
    case ErrorCode::invalid_tensor:
    case ErrorCode::invalid_argument:
    case ErrorCode::type_mismatch:
    case ErrorCode::protocol_error:
      return grpc::StatusCode::INVALID_ARGUMENT;
    case ErrorCode::out_of_memory:
    case ErrorCode::quota_exceeded:
    case ErrorCode::rejected:
      return grpc::StatusCode::RESOURCE_EXHAUSTED;
    case ErrorCode::deadline_exceeded:
      return grpc::StatusCode::DEADLINE_EXCEEDED;
    case ErrorCode::cancelled:
      return grpc::StatusCode::CANCELLED;
    case ErrorCode::worker_unavailable:
      return grpc::StatusCode::UNAVAILABLE;
    case ErrorCode::platform_not_supported:
      return grpc::StatusCode::UNIMPLEMENTED;
    case ErrorCode::load_failed:
      return grpc::StatusCode::FAILED_PRECONDITION;
    case ErrorCode::inference_failed:
    case ErrorCode::shared_memory_unavailable:
    case ErrorCode::zero_copy_unavailable:
      return grpc::StatusCode::INTERNAL;
  }
  return grpc::StatusCode::UNKNOWN;
}

constexpr std::array kCodes{ErrorCode::model_not_found,
                            ErrorCode::load_failed,
                            ErrorCode::type_mismatch,
                            ErrorCode::out_of_memory,
                            ErrorCode::quota_exceeded,
                            ErrorCode::invalid_tensor,
                            ErrorCode::shared_memory_unavailable,
                            ErrorCode::zero_copy_unavailable,
                            ErrorCode::worker_unavailable,
                            ErrorCode::rejected,
                            ErrorCode::deadline_exceeded,
                            ErrorCode::cancelled,
                            ErrorCode::inference_failed,
                            ErrorCode::protocol_error,
                            ErrorCode::platform_not_supported,
                            ErrorCode::invalid_argument};

ErrorCode code_of_status(grpc::StatusCode code) noexcept {
  switch (code) {
    case grpc::StatusCode::NOT_FOUND:
      return ErrorCode::model_not_found;
    case grpc::StatusCode::INVALID_ARGUMENT:
    case grpc::StatusCode::UNAUTHENTICATED:
      return ErrorCode::invalid_argument;
    case grpc::StatusCode::RESOURCE_EXHAUSTED:
      return ErrorCode::rejected;
    case grpc::StatusCode::DEADLINE_EXCEEDED:
      return ErrorCode::deadline_exceeded;
    case grpc::StatusCode::CANCELLED:
      return ErrorCode::cancelled;
    case grpc::StatusCode::UNAVAILABLE:
      return ErrorCode::worker_unavailable;
    default:
      return ErrorCode::protocol_error;
  }
}

}  // namespace

std::string error_name(const std::exception_ptr& error) {
  try {
    std::rethrow_exception(error);
  } catch (const Error& known) {
    return std::string(to_string(known.code()));
  } catch (const std::bad_alloc&) {
    return std::string(to_string(ErrorCode::out_of_memory));
  } catch (const std::exception&) {
    return std::string(to_string(ErrorCode::inference_failed));
  }
}

std::string_view error_name(const grpc::ClientContext& context) {
  const auto& metadata = context.GetServerTrailingMetadata();
  const auto name = metadata.find(kErrorKey);
  return name == metadata.end() ? std::string_view() : std::string_view(name->second.data(), name->second.size());
}

Error error_of(const grpc::Status& status, std::string_view name, const std::string& transport) {
  for (const ErrorCode code : kCodes) {
    if (to_string(code) == name) return {code, status.error_message()};
  }
  return {code_of_status(status.error_code()), transport + ": " + status.error_message()};
}

grpc::Status status_of(const std::exception_ptr& error) noexcept {
  try {
    std::rethrow_exception(error);
  } catch (const Error& known) {
    return {code_of(known.code()), known.what()};
  } catch (const std::bad_alloc&) {
    return {grpc::StatusCode::RESOURCE_EXHAUSTED, "the worker has no memory left for this call"};
  } catch (const std::exception& other) {
    return {grpc::StatusCode::INTERNAL, other.what()};
  } catch (...) {
    return {grpc::StatusCode::INTERNAL, "something that is no exception was thrown"};
  }
}

}  // namespace remotemedia::detail

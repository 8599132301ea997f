// SPDX-License-Identifier: Apache-2.0

#include "remotemedia/http/error_response.h"

#include <new>
#include <nlohmann/json.hpp>

#include "remotemedia/base/error.h"

namespace remotemedia::detail {
namespace {

using nlohmann::json;

unsigned status_of(ErrorCode code) noexcept {
  switch (code) {
    case ErrorCode::model_not_found:
      return 404;
    case ErrorCode::invalid_tensor:
    case ErrorCode::invalid_argument:
    case ErrorCode::type_mismatch:
    case ErrorCode::protocol_error:
      return 400;
    case ErrorCode::out_of_memory:
    case ErrorCode::quota_exceeded:
    case ErrorCode::rejected:
      return 429;
    case ErrorCode::deadline_exceeded:
      return 504;
    case ErrorCode::cancelled:
      return 499;
    case ErrorCode::worker_unavailable:
      return 503;
    case ErrorCode::platform_not_supported:
      return 501;
    case ErrorCode::load_failed:
    case ErrorCode::inference_failed:
    case ErrorCode::shared_memory_unavailable:
    case ErrorCode::zero_copy_unavailable:
      return 500;
  }
  return 500;
}

}  // namespace

HttpResponse error_response(unsigned status, const std::string& why) {
  // The text may be a model's, and anything.
  return {status, "application/json", json{{"error", why}}.dump(-1, ' ', false, json::error_handler_t::replace)};
}

HttpResponse error_response(const std::exception_ptr& error) {
  try {
    std::rethrow_exception(error);
  } catch (const Error& known) {
    HttpResponse response = error_response(status_of(known.code()), known.what());
    if (response.status == 429 || response.status == 503) response.retry_after_seconds = 1;
    return response;
  } catch (const std::bad_alloc&) {
    return error_response(429, "the worker has no memory left for this call");
  } catch (const std::exception& other) {
    return error_response(500, other.what());
  } catch (...) {
    return error_response(500, "something that is no exception was thrown");
  }
}

}  // namespace remotemedia::detail

// SPDX-License-Identifier: Apache-2.0
//
// What a caller over gRPC is told of an exception.

#pragma once

#include <grpcpp/client_context.h>
#include <grpcpp/support/status.h>

#include <exception>
#include <string>
#include <string_view>

#include "remotemedia/base/error.h"

namespace remotemedia::detail {

/// Of what is thrown by us: the code of gRPC that says the same, and its text.
grpc::Status status_of(const std::exception_ptr& error) noexcept;

/// Where the name of an error's code travels: in the trailing metadata of a call, in the parameters of a stream's
/// answer.
inline constexpr const char* kErrorKey = "remotemedia-error";

/// "invalid_tensor".
std::string error_name(const std::exception_ptr& error);

/// What a call that is over was told of it; empty: nothing.
///
/// Lifetime:  that of `context`.
std::string_view error_name(const grpc::ClientContext& context);

/// What a client makes of it. name: as above; empty where the code of gRPC is all there is.
///
/// transport: what is said of the worker where nothing of it was heard.
Error error_of(const grpc::Status& status, std::string_view name, const std::string& transport);

}  // namespace remotemedia::detail

// SPDX-License-Identifier: Apache-2.0
//
// What a server shows and asks for, and a client.

#pragma once

#include <grpcpp/security/credentials.h>
#include <grpcpp/security/server_credentials.h>
#include <grpcpp/server_context.h>
#include <grpcpp/support/status.h>

#include <memory>
#include <optional>

#include "remotemedia/worker/wire_access.h"

namespace remotemedia::detail {

/// Errors:  invalid_argument that names the file, for one that cannot be read.
std::shared_ptr<grpc::ServerCredentials> credentials_of(const WireAccess& access);

/// Errors:  the same.
std::shared_ptr<grpc::ChannelCredentials> credentials_of_client(const std::optional<TlsConfig>& tls);

/// UNAUTHENTICATED unless the call brings the token.
grpc::Status authorization(const WireAccess& access, const grpc::ServerContextBase& context);

}  // namespace remotemedia::detail

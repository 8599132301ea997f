// SPDX-License-Identifier: Apache-2.0

#include "remotemedia/worker/transport.h"

namespace remotemedia {

std::string_view to_string(Transport transport) noexcept {
  return transport == Transport::shared_memory ? "shared_memory" : "grpc";
}

namespace detail {

WorkerListener::~WorkerListener() = default;
WorkerConnection::~WorkerConnection() = default;

}  // namespace detail
}  // namespace remotemedia

// SPDX-License-Identifier: Apache-2.0
//
// WireAccess: who may call a worker at the endpoints of the wire, such as grpc://. Those of the machine's own channel
// are of one user and need none of it.

#pragma once

#include <optional>
#include <string>

namespace remotemedia {

/// Files in PEM. A worker has certificate and key, and ca where clients must show a certificate of it. A client has ca,
/// or trusts whom its machine trusts, and certificate and key where the worker asks for them.
struct TlsConfig {
  std::string certificate = {};
  std::string key = {};
  std::string ca = {};

  bool operator==(const TlsConfig&) const = default;
};

struct WireAccess {
  std::optional<TlsConfig> tls = std::nullopt;

  /// What a call has to bring as "authorization: Bearer TOKEN". Empty: nothing.
  std::string token = {};

  /// Listens beyond loopback without any of both.
  bool insecure = false;

  /// Inputs may lie in, and outputs go to, shared memory of this user that clients name.
  bool allow_client_shared_memory = false;

  bool operator==(const WireAccess&) const = default;
};

}  // namespace remotemedia

// SPDX-License-Identifier: Apache-2.0
//
// ServersByAddress: the servers of this process of one protocol. Workers that name the same address share one.

#pragma once

#include <functional>
#include <map>
#include <memory>
#include <string>
#include <utility>

#include "remotemedia/base/mutex.h"
#include "remotemedia/oip/wire_address.h"

namespace remotemedia::detail {

/// Server: has access(), the WireAccess that it was made with.
///
/// Threads:  any.
template <class Server>
class ServersByAddress {
 public:
  /// A server, and the address that it has, where that says more than what it was asked for.
  using Made = std::pair<std::shared_ptr<Server>, std::string>;

  /// The one at `address`, or what `make` makes.
  ///
  /// Errors:  invalid_argument where it is there with another access; those of make.
  Made at(const std::string& endpoint, const std::string& address, const WireAccess& access,
          const std::function<Made()>& make) {
    MutexLock lock(mutex_);
    if (const auto found = servers_.find(address); found != servers_.end()) {
      if (auto server = found->second.lock()) {
        if (server->access() != access) refuse_endpoint(endpoint, "is served with another tls, token or insecure");
        return {server, address};
      }
    }
    Made made = make();
    servers_[made.second] = made.first;
    return made;
  }

 private:
  Mutex mutex_;
  std::map<std::string, std::weak_ptr<Server>> servers_ REMOTEMEDIA_GUARDED_BY(mutex_);
};

}  // namespace remotemedia::detail

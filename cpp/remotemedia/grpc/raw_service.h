// SPDX-License-Identifier: Apache-2.0
//
// RawService: a service of which each method is answered by handlers that get bytes.

#pragma once

#include <grpcpp/impl/codegen/service_type.h>
#include <grpcpp/server_builder.h>

#include <cstddef>
#include <functional>
#include <memory>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "remotemedia/base/mutex.h"
#include "remotemedia/grpc/incoming_call.h"
#include "remotemedia/worker/wire_access.h"

namespace remotemedia::detail {

using UnaryHandler = std::function<std::shared_ptr<CallHandler>(UnaryCall&)>;
using StreamHandler = std::function<std::shared_ptr<CallHandler>(StreamingCall&)>;

struct Method {
  std::string name;
  std::variant<UnaryHandler, StreamHandler> handler;
};

/// Lifetime:  longer than the server that it is registered with, and than its queue.
class RawService final : public grpc::Service {
 public:
  /// access: whom it answers; it outlives this.
  RawService(const std::string& name, std::vector<Method> methods, const WireAccess& access);

  /// Takes calls of all its methods from now on, as long as the server does.
  void accept(grpc::ServerCompletionQueue& queue);

  /// After the server was shut down, which does not wait for calls to be done with its queue.
  void wait_for_last_call();

 private:
  template <class Call>
  class Accepted;
  void accept(int method, grpc::ServerCompletionQueue& queue);

  const std::vector<Method> methods_;
  std::vector<std::string> paths_;
  const WireAccess& access_;

  Mutex mutex_;
  CondVar gone_;
  std::size_t calls_ REMOTEMEDIA_GUARDED_BY(mutex_) = 0;  ///< That are under way, or waited for.
};

}  // namespace remotemedia::detail

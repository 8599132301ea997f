// SPDX-License-Identifier: Apache-2.0
//
// ModelsClient: RemoteModels over gRPC.

#pragma once

#include <grpcpp/client_context.h>

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "remotemedia/base/error.h"
#include "remotemedia/grpc/client_channel.h"
#include "remotemedia/worker/models_connection.h"

namespace remotemedia::detail {

class ModelsClient final : public ModelsConnection, public std::enable_shared_from_this<ModelsClient> {
 public:
  /// target: as gRPC takes it. Waits until somebody answers there.
  static std::shared_ptr<ModelsClient> connect(const std::string& endpoint, const std::string& target,
                                               const ConnectOptions& options);

  ModelsClient(const std::string& endpoint, const std::string& target, const ConnectOptions& options);

  std::vector<RemoteModel> list() override;
  RemoteModel get(const std::string& name) override;
  EvictionResult evict(const std::string& name, bool by_force) override;
  RemoteModelHandle get_or_load(const std::string& name, const RemoteLoadOptions& options) override;

  /// Of a lease that this process had when it was forked.
  bool is_inherited() const noexcept { return channel_.is_inherited(); }

  void release(std::uint64_t lease) noexcept;

 private:
  template <class Response, class Request>
  Response ask(const char* method, const Request& request, const std::function<bool()>& given_up = {});
  void check_not_inherited() const;
  Error error_of(const grpc::Status& status, const grpc::ClientContext& context) const;

  const Duration timeout_;
  ClientChannel channel_;
};

}  // namespace remotemedia::detail

// SPDX-License-Identifier: Apache-2.0

#include "remotemedia/grpc/attach_service.h"

#include <utility>

#include "remotemedia/base/error.h"
#include "remotemedia/grpc/attached_client.h"
#include "remotemedia/grpc/call_origin.h"
#include "remotemedia/grpc/message_handler.h"
#include "remotemedia/grpc/protocol/worker.pb.h"
#include "remotemedia/grpc/worker_messages.h"

namespace remotemedia::detail {

std::vector<Method> AttachService::methods() {
  return {
      {"Attach", StreamHandler([this](StreamingCall& call) { return std::make_shared<AttachedClient>(call, *this); })},
      message_method<v1::StatusRequest, v1::StatusResponse>("Status",
                                                            [this](auto&, const auto& request, auto& response) {
                                                              describe(model_of(request.model())->status(), response);
                                                            }),
      message_method<v1::HealthRequest, v1::HealthResponse>("Health",
                                                            [this](auto&, const auto& request, auto& response) {
                                                              const ServedModels::Use model = model_of(request.model());
                                                              response.set_healthy(model->core.healthy());
                                                              if (!response.healthy())
                                                                response.set_reason(model->status().reason);
                                                            }),
      message_method<v1::CloseSessionRequest, v1::CloseSessionResponse>(
          "CloseSession",
          [this](auto& context, const auto& request, auto& /*response*/) {
            const CallOrigin origin = call_origin(context, callers_);
            if (origin.attached == nullptr) {
              throw Error(ErrorCode::invalid_argument, "only an attached client has sessions");
            }
            model_of(request.model())->core.close_session({origin.attached->client_id(), request.session_id()});
          }),
  };
}

void AttachService::offer(const std::string& model_id, const std::string& shared_memory_endpoint) {
  MutexLock lock(mutex_);
  offers_[model_id] = shared_memory_endpoint;
}

std::string AttachService::offered(const std::string& model_id) const {
  MutexLock lock(mutex_);
  const auto found = offers_.find(model_id);
  return found == offers_.end() ? std::string() : found->second;
}

void AttachService::announce_drain(const std::string& model_id) {
  for (const auto& client : clients_of(model_id)) client->drain();
}

void AttachService::end(const std::string& model_id) {
  offer(model_id, "");
  for (const auto& client : clients_of(model_id)) client->let_go();
}

void AttachService::add(std::shared_ptr<AttachedClient> client) {
  MutexLock lock(mutex_);
  const AttachedClient* const key = client.get();
  clients_.emplace(key, std::move(client));
}

void AttachService::forget(const AttachedClient& client) noexcept {
  std::shared_ptr<AttachedClient> forgotten;
  MutexLock lock(mutex_);
  const auto found = clients_.find(&client);
  if (found == clients_.end()) return;
  forgotten = std::move(found->second);
  clients_.erase(found);
}

std::vector<std::shared_ptr<AttachedClient>> AttachService::clients_of(const std::string& model_id) const {
  std::vector<std::shared_ptr<AttachedClient>> clients;
  MutexLock lock(mutex_);
  for (const auto& [key, client] : clients_) {
    if (client->model_id() == model_id) clients.push_back(client);
  }
  return clients;
}

ServedModels::Use AttachService::model_of(const std::string& name) const {
  if (!name.empty()) return models_.find(name, "");
  const std::vector<ServedModels::Use> all = models_.all();
  if (all.size() == 1) return all.front();
  if (all.empty()) throw Error(ErrorCode::worker_unavailable, "the worker ends");
  std::string names;
  for (const auto& model : all) names += (names.empty() ? "" : ", ") + model->core.model_id();
  throw Error(ErrorCode::model_not_found, "this endpoint serves several models, name one: " + names);
}

}  // namespace remotemedia::detail

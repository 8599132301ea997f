// SPDX-License-Identifier: Apache-2.0

#include "remotemedia/grpc/model_service.h"

#include <algorithm>
#include <utility>

#include "remotemedia/base/error.h"
#include "remotemedia/grpc/get_or_load_call.h"
#include "remotemedia/grpc/message_handler.h"
#include "remotemedia/grpc/model_messages.h"

namespace remotemedia::detail {
namespace {

[[noreturn]] void reject(std::size_t limit, const char* where) {
  throw Error(ErrorCode::rejected,
              "there are " + std::to_string(limit) + " open calls of GetOrLoad " + where + ", which is the limit");
}

/// Of a file system's socket all clients have the same.
bool is_of_one_connection(const std::string& peer) { return !peer.starts_with("unix:"); }

}  // namespace

std::vector<Method> ModelService::methods() {
  return {
      message_method<v1::ListModelsRequest, v1::ListModelsResponse>(
          "ListModels",
          [this](auto&, const auto& /*request*/, auto& response) {
            for (const auto& model : models_.all()) describe(models_, *model, *response.add_models());
          }),
      message_method<v1::GetModelRequest, v1::Model>("GetModel",
                                                     [this](auto&, const auto& request, auto& response) {
                                                       describe(models_, *models_.known(request.name()), response);
                                                     }),
      {"GetOrLoad",
       StreamHandler([this](StreamingCall& call) { return std::make_shared<GetOrLoadCall>(call, *this); })},
      message_method<v1::ReleaseRequest, v1::ReleaseResponse>(
          "Release",
          [this](auto& context, const auto& request, auto& /*response*/) { release(request.lease(), context.peer()); }),
      message_method<v1::EvictRequest, v1::EvictResponse>("Evict",
                                                          [this](auto&, const auto& request, auto& response) {
                                                            const ServedModels::Use model =
                                                                models_.known(request.name());
                                                            const std::optional<std::size_t> bytes =
                                                                model->core.memory().leave(request.force());
                                                            response.set_evicted(bytes.has_value());
                                                            response.set_bytes(bytes.value_or(0));
                                                          }),
  };
}

std::uint64_t ModelService::enter(const std::shared_ptr<GetOrLoadCall>& call) {
  MutexLock lock(mutex_);
  if (calls_.size() >= kMostCalls) reject(kMostCalls, "at this endpoint");
  if (is_of_one_connection(call->peer())) {
    const auto same =
        std::ranges::count_if(calls_, [&](const auto& each) { return each.second->peer() == call->peer(); });
    if (static_cast<std::size_t>(same) >= kMostCallsOfAConnection)
      reject(kMostCallsOfAConnection, "by this connection");
  }
  calls_.emplace(++last_number_, call);
  return last_number_;
}

void ModelService::forget(std::uint64_t number) noexcept {
  decltype(calls_)::node_type forgotten;
  MutexLock lock(mutex_);
  forgotten = calls_.extract(number);
}

void ModelService::release(std::uint64_t number, const std::string& peer) {
  std::shared_ptr<GetOrLoadCall> call;
  {
    MutexLock lock(mutex_);
    const auto found = calls_.find(number);
    if (found != calls_.end() && found->second->peer() == peer) call = found->second;
  }
  if (call != nullptr) call->end(nullptr);
}

void ModelService::end(const std::string& model_id) {
  std::vector<std::shared_ptr<GetOrLoadCall>> calls;
  {
    MutexLock lock(mutex_);
    for (const auto& [number, call] : calls_) {
      if (call->model() == model_id) calls.push_back(call);
    }
  }
  const auto why = std::make_exception_ptr(Error(ErrorCode::worker_unavailable, "the worker ends"));
  for (const auto& call : calls) call->end(why);
}

}  // namespace remotemedia::detail

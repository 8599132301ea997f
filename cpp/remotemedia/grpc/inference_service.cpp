// SPDX-License-Identifier: Apache-2.0

#include "remotemedia/grpc/inference_service.h"

#include <string>

#include "remotemedia/grpc/infer_handlers.h"
#include "remotemedia/grpc/message_handler.h"
#include "remotemedia/grpc/model_description.h"
#include "remotemedia/grpc/protocol/open_inference.pb.h"

namespace remotemedia::detail {
namespace {

using namespace inference;  // NOLINT(google-build-using-namespace): the messages of one protocol

void tell_about_server(ServerMetadataResponse& response) {
  response.set_name("remotemedia");
  response.set_version(REMOTEMEDIA_VERSION);
  for (const char* extension : {"sequence", "schedule_policy", "model_configuration", "statistics"}) {
    response.add_extensions(extension);
  }
}

void list(const ServedModels& models, bool only_ready, RepositoryIndexResponse& response) {
  for (const auto& model : models.all()) {
    const bool ready = is_serving(*model);
    if (only_ready && !ready) continue;
    RepositoryIndexResponse::ModelIndex& entry = *response.add_models();
    entry.set_name(model->core.model_id());
    entry.set_version(std::string(kModelVersion));
    entry.set_state(ready ? "READY" : "UNAVAILABLE");
    if (!ready) entry.set_reason(model->core.status().reason);
  }
}

void count(const ServedModels& models, const ModelStatisticsRequest& request, ModelStatisticsResponse& response) {
  if (!request.name().empty()) {
    describe(*models.find(request.name(), request.version()), *response.add_model_stats());
    return;
  }
  for (const auto& model : models.all()) describe(*model, *response.add_model_stats());
}

}  // namespace

std::vector<Method> inference_methods(const ServedModels& models, Callers& callers) {
  return {
      {"ModelInfer", UnaryHandler([&](UnaryCall& call) { return infer_handler(call, models, callers); })},
      {"ModelStreamInfer",
       StreamHandler([&](StreamingCall& call) { return stream_infer_handler(call, models, callers); })},
      message_method<ServerLiveRequest, ServerLiveResponse>(
          "ServerLive", [](auto&, const auto& /*request*/, auto& response) { response.set_live(true); }),
      message_method<ServerReadyRequest, ServerReadyResponse>(
          "ServerReady",
          [&](auto&, const auto& /*request*/, auto& response) { response.set_ready(models.are_serving()); }),
      message_method<ModelReadyRequest, ModelReadyResponse>("ModelReady",
                                                            [&](auto&, const auto& request, auto& response) {
                                                              response.set_ready(
                                                                  models.is_serving(request.name(), request.version()));
                                                            }),
      message_method<ServerMetadataRequest, ServerMetadataResponse>(
          "ServerMetadata", [](auto&, const auto& /*request*/, auto& response) { tell_about_server(response); }),
      message_method<ModelMetadataRequest, ModelMetadataResponse>(
          "ModelMetadata",
          [&](auto&, const auto& request, auto& response) {
            describe(*models.find(request.name(), request.version()), response);
          }),
      message_method<ModelConfigRequest, ModelConfigResponse>(
          "ModelConfig",
          [&](auto&, const auto& request, auto& response) {
            describe(*models.find(request.name(), request.version()), *response.mutable_config());
          }),
      message_method<ModelStatisticsRequest, ModelStatisticsResponse>(
          "ModelStatistics", [&](auto&, const auto& request, auto& response) { count(models, request, response); }),
      message_method<RepositoryIndexRequest, RepositoryIndexResponse>(
          "RepositoryIndex",
          [&](auto&, const auto& request, auto& response) { list(models, request.ready(), response); }),
  };
}

}  // namespace remotemedia::detail

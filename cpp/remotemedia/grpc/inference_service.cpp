// SPDX-License-Identifier: Apache-2.0

#include "remotemedia/grpc/inference_service.h"

#include <exception>
#include <memory>
#include <string>

#include "remotemedia/base/error.h"
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
  for (const char* extension : {"sequence", "parameters", "schedule_policy", "model_configuration", "statistics",
                                "model_repository", "system_shared_memory"}) {
    response.add_extensions(extension);
  }
}

void list(const ServedModels& models, bool only_ready, RepositoryIndexResponse& response) {
  for (const auto& model : models.all()) {
    const std::string& name = model->core.model_id();
    const bool ready = models.is_serving(name, "");
    if (only_ready && !ready) continue;
    RepositoryIndexResponse::ModelIndex& entry = *response.add_models();
    entry.set_name(name);
    entry.set_version(std::string(kModelVersion));
    entry.set_state(ready ? "READY" : "UNAVAILABLE");
    if (!ready) entry.set_reason(models.is_unloaded(name) ? "unloaded" : model->core.status().reason);
  }
}

class LoadHandler final : public CallHandler {
 public:
  LoadHandler(UnaryCall& call, ModelLoads& loads) : call_(call), loads_(loads) {}

  void begin() noexcept override {
    try {
      const auto request = received_message<RepositoryModelLoadRequest>(call_.request());
      if (!request.parameters().empty()) {
        throw Error(ErrorCode::invalid_argument, "a model is loaded as its worker was told, without parameters");
      }
      loads_.begin(request.model_name(), {.done = [this](const auto& error, const auto& /*lease*/) { done(error); }});
    } catch (const std::exception&) {
      fail(call_, std::current_exception());
    }
  }

 private:
  void done(const std::exception_ptr& error) noexcept {
    if (error != nullptr) {
      fail(call_, error);
    } else {
      call_.finish(message_bytes(RepositoryModelLoadResponse()));
    }
  }

  UnaryCall& call_;
  ModelLoads& loads_;
};

void count(const ServedModels& models, const ModelStatisticsRequest& request, ModelStatisticsResponse& response) {
  if (!request.name().empty()) {
    describe(*models.find(request.name(), request.version()), *response.add_model_stats());
    return;
  }
  for (const auto& model : models.all()) describe(*model, *response.add_model_stats());
}

void list(const ClientRegions& regions, const std::string& name, SystemSharedMemoryStatusResponse& response) {
  for (const auto& [each, region] : regions.list(name)) {
    SystemSharedMemoryStatusResponse::RegionStatus& status = (*response.mutable_regions())[each];
    status.set_name(each);
    status.set_key(region.key);
    status.set_offset(region.offset);
    status.set_byte_size(region.size);
  }
}

}  // namespace

std::vector<Method> inference_methods(const InferService& service) {
  ServedModels& models = service.models;
  ClientRegions& regions = service.regions;
  return {
      {"ModelInfer", UnaryHandler([service](UnaryCall& call) { return infer_handler(call, service); })},
      {"ModelStreamInfer",
       StreamHandler([service](StreamingCall& call) { return stream_infer_handler(call, service); })},
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
      {"RepositoryModelLoad",
       UnaryHandler([service](UnaryCall& call) { return std::make_shared<LoadHandler>(call, service.loads); })},
      message_method<RepositoryModelUnloadRequest, RepositoryModelUnloadResponse>(
          "RepositoryModelUnload",
          [&](auto&, const auto& request, auto& /*response*/) { models.unload(request.model_name()); }),
      message_method<SystemSharedMemoryStatusRequest, SystemSharedMemoryStatusResponse>(
          "SystemSharedMemoryStatus",
          [&](auto&, const auto& request, auto& response) { list(regions, request.name(), response); }),
      message_method<SystemSharedMemoryRegisterRequest, SystemSharedMemoryRegisterResponse>(
          "SystemSharedMemoryRegister",
          [&](auto&, const auto& request, auto& /*response*/) {
            regions.add(request.name(), request.key(), request.offset(), request.byte_size());
          }),
      message_method<SystemSharedMemoryUnregisterRequest, SystemSharedMemoryUnregisterResponse>(
          "SystemSharedMemoryUnregister",
          [&](auto&, const auto& request, auto& /*response*/) { regions.remove(request.name()); }),
      // Clients ask for these two before they do anything.
      message_method<CudaSharedMemoryStatusRequest, CudaSharedMemoryStatusResponse>(
          "CudaSharedMemoryStatus", [](auto&, const auto& /*request*/, auto& /*response*/) {}),
      message_method<CudaSharedMemoryUnregisterRequest, CudaSharedMemoryUnregisterResponse>(
          "CudaSharedMemoryUnregister", [](auto&, const auto& /*request*/, auto& /*response*/) {}),
  };
}

}  // namespace remotemedia::detail

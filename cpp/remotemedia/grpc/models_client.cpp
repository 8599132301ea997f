// SPDX-License-Identifier: Apache-2.0

#include "remotemedia/grpc/models_client.h"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <optional>
#include <string_view>
#include <utility>

#include "remotemedia/grpc/client_queue.h"
#include "remotemedia/grpc/lease_stream.h"
#include "remotemedia/grpc/method_path.h"
#include "remotemedia/grpc/model_messages.h"
#include "remotemedia/grpc/received_message.h"
#include "remotemedia/grpc/status_of.h"
#include "remotemedia/platform/monotonic_clock.h"

namespace remotemedia::detail {
namespace {

/// How long nobody asks whether a call is still wanted.
constexpr Duration kAskTime = std::chrono::milliseconds{50};

TimePoint soon(TimePoint deadline) { return std::min(deadline, later(monotonic_clock().now(), kAskTime)); }

class Lease final : public RemoteLease {
 public:
  Lease(std::shared_ptr<ModelsClient> client, std::shared_ptr<LeaseStream> stream, std::uint64_t number)
      : client_(std::move(client)), stream_(std::move(stream)), number_(number) {}
  ~Lease() override {
    if (client_->is_inherited()) {
      static_cast<void>(new std::shared_ptr<LeaseStream>(std::move(stream_)));  // nothing of gRPC's is touched
    } else {
      stream_->cancel();
    }
  }

  bool is_held() const noexcept override { return !released_ && !client_->is_inherited() && !stream_->is_over(); }
  void release() noexcept override {
    if (!is_held() || released_.exchange(true)) return;
    client_->release(number_);
    stream_->cancel();
  }

 private:
  const std::shared_ptr<ModelsClient> client_;
  std::shared_ptr<LeaseStream> stream_;
  const std::uint64_t number_;
  std::atomic<bool> released_{false};
};

LoadProgress progress_of(const std::string& name, const v1::LoadProgress& message) {
  LoadProgress progress{name, std::nullopt, message.message()};
  if (message.has_fraction()) progress.fraction = message.fraction();
  return progress;
}

}  // namespace

std::shared_ptr<ModelsClient> ModelsClient::connect(const std::string& endpoint, const std::string& target,
                                                    const ConnectOptions& options) {
  auto client = std::make_shared<ModelsClient>(endpoint, target, options);
  client->ask<v1::ListModelsResponse>("ListModels", v1::ListModelsRequest(), options.given_up);
  return client;
}

ModelsClient::ModelsClient(const std::string& endpoint, const std::string& target, const ConnectOptions& options)
    : timeout_(options.timeout), channel_(endpoint, target, options, ClientChannel::Connects::again) {}

void ModelsClient::check_not_inherited() const {
  if (!is_inherited()) return;
  throw Error(ErrorCode::worker_unavailable,
              "what was connected with " + channel_.worker() + " is the parent's, and this is a forked child");
}

Error ModelsClient::error_of(const grpc::Status& status, const grpc::ClientContext& context) const {
  const std::string_view name = error_name(context);
  if (name.empty() && status.error_code() == grpc::StatusCode::DEADLINE_EXCEEDED) {
    return {ErrorCode::worker_unavailable, channel_.worker() + " cannot be reached, or does not answer"};
  }
  return detail::error_of(status, name, channel_.worker());
}

template <class Response, class Request>
Response ModelsClient::ask(const char* method, const Request& request, const std::function<bool()>& given_up) {
  check_not_inherited();
  grpc::ClientContext context;
  context.set_wait_for_ready(true);
  context.set_deadline(system_time_of(later(monotonic_clock().now(), timeout_)));
  grpc::ByteBuffer response;
  const grpc::Status status =
      channel_.ask(context, method_path(kModelService, method), message_bytes(request), response, given_up);
  if (!status.ok()) throw error_of(status, context);
  return received_message<Response>(response);
}

std::vector<RemoteModel> ModelsClient::list() {
  std::vector<RemoteModel> models;
  const auto response = ask<v1::ListModelsResponse>("ListModels", v1::ListModelsRequest());
  for (const v1::Model& model : response.models()) models.push_back(model_of(model));
  return models;
}

RemoteModel ModelsClient::get(const std::string& name) {
  v1::GetModelRequest request;
  request.set_name(name);
  return model_of(ask<v1::Model>("GetModel", request));
}

EvictionResult ModelsClient::evict(const std::string& name, bool by_force) {
  v1::EvictRequest request;
  request.set_name(name);
  request.set_force(by_force);
  const auto response = ask<v1::EvictResponse>("Evict", request);
  return {response.evicted() ? std::size_t{1} : 0, response.bytes()};
}

void ModelsClient::release(std::uint64_t lease) noexcept {
  try {
    v1::ReleaseRequest request;
    request.set_lease(lease);
    ask<v1::ReleaseResponse>("Release", request);
  } catch (const std::exception&) {
    return;  // its stream's end releases it as well
  }
}

RemoteModelHandle ModelsClient::get_or_load(const std::string& name, const RemoteLoadOptions& options) {
  check_not_inherited();
  const auto deadline = options.timeout ? later(monotonic_clock().now(), *options.timeout) : TimePoint::max();
  v1::GetOrLoadRequest request;
  request.set_name(name);
  request.set_hold(true);
  const auto stream = std::make_shared<LeaseStream>();
  stream->start(channel_, method_path(kModelService, "GetOrLoad"), message_bytes(request));
  try {
    for (;;) {
      const LeaseStream::News news = stream->next(soon(deadline));
      if (news.progress && options.progress) options.progress(progress_of(name, *news.progress));
      if (news.loaded) {
        auto lease = std::make_shared<Lease>(shared_from_this(), stream, news.loaded->lease());
        return handle(model_of(news.loaded->model()), std::move(lease));
      }
      if (news.status) throw error_of(*news.status, stream->context);
      if (options.given_up && options.given_up()) {
        throw Error(ErrorCode::cancelled, "whoever asked for the model '" + name + "' wants it no more");
      }
      if (monotonic_clock().now() >= deadline) {
        throw Error(ErrorCode::deadline_exceeded,
                    "the model '" + name + "' is still loading after the timeout; the load goes on for others");
      }
    }
  } catch (...) {
    stream->cancel();
    throw;
  }
}

}  // namespace remotemedia::detail

// SPDX-License-Identifier: Apache-2.0

#include "remotemedia/grpc/health_service.h"

#include <grpcpp/alarm.h>

#include <algorithm>
#include <chrono>
#include <memory>
#include <string>
#include <vector>

#include "remotemedia/base/error.h"
#include "remotemedia/grpc/message_handler.h"

namespace remotemedia::detail {
namespace {

using grpc::health::v1::HealthCheckRequest;
using grpc::health::v1::HealthCheckResponse;

constexpr std::chrono::milliseconds kBetweenLooks{250};

/// Looks again and again while somebody watches.
class WatchHandler final : public CallHandler {
 public:
  WatchHandler(StreamingCall& call, const Health& health) : call_(call), health_(health) {}

  void begin() noexcept override { call_.read(bytes_); }

  void read_done(bool ok) noexcept override {
    try {
      if (!ok) throw Error(ErrorCode::protocol_error, "there is no request");
      service_ = received_message<HealthCheckRequest>(bytes_).service();
    } catch (const std::exception&) {
      fail(call_, std::current_exception());
      return;
    }
    look();
  }

  void write_done(bool ok) noexcept override {
    if (ok && !said_all_) {
      wait();
    } else {
      call_.finish(grpc::Status::OK);
    }
  }
  void cancelled() noexcept override { cancelled_ = true; }

 private:
  void look() noexcept {
    said_all_ = health_.is_ending();
    HealthCheckResponse::ServingStatus status =
        said_all_ ? HealthCheckResponse::NOT_SERVING : health_.status_of(service_);
    if (status == HealthCheckResponse::UNKNOWN) status = HealthCheckResponse::SERVICE_UNKNOWN;
    if (cancelled_) {
      call_.finish(grpc::Status::CANCELLED);
    } else if (response_.status() != status) {
      response_.set_status(status);
      bytes_ = message_bytes(response_);
      call_.write(bytes_);
    } else if (said_all_) {
      call_.finish(grpc::Status::OK);
    } else {
      wait();
    }
  }

  void wait() {
    alarm_.Set(std::chrono::system_clock::now() + kBetweenLooks, [this](bool /*rang*/) { look(); });
  }

  StreamingCall& call_;
  const Health& health_;
  grpc::ByteBuffer bytes_;
  std::string service_;
  HealthCheckResponse response_;  // UNKNOWN: nothing was said
  bool said_all_ = false;
  std::atomic<bool> cancelled_{false};
  grpc::Alarm alarm_;
};

}  // namespace

HealthCheckResponse::ServingStatus Health::status_of(const std::string& service) const {
  if (service.empty()) return models_.are_serving() ? HealthCheckResponse::SERVING : HealthCheckResponse::NOT_SERVING;
  const std::vector<ServedModels::Use> all = models_.all();
  const auto found = std::ranges::find(all, service, [](const auto& model) { return model->core.model_id(); });
  if (found == all.end()) return HealthCheckResponse::UNKNOWN;
  return models_.is_serving(service, "") ? HealthCheckResponse::SERVING : HealthCheckResponse::NOT_SERVING;
}

std::vector<Method> Health::methods() {
  return {
      message_method<HealthCheckRequest, HealthCheckResponse>(
          "Check",
          [this](auto&, const auto& request, auto& response) {
            response.set_status(status_of(request.service()));
            if (response.status() != HealthCheckResponse::UNKNOWN) return;
            throw Error(ErrorCode::model_not_found, "no model '" + request.service() + "' is served here");
          }),
      {"Watch", StreamHandler([this](StreamingCall& call) { return std::make_shared<WatchHandler>(call, *this); })}};
}

}  // namespace remotemedia::detail

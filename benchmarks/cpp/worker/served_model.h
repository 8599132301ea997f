// SPDX-License-Identifier: Apache-2.0
//
// ServedModel: a worker in a process of its own, whose model the measuring process calls.
//
//     const ServedModel model("touch");
//     ModelWorkerClient client = ModelWorkerClient::connect(model.endpoint());
//
// Models, one float32 input x and one output y of the same shape:
//
//     touch      y is allocated where the caller reads it, its first element is x's; nobody touches the rest
//     copy       y is a copy of x
//     echo       y is x
//     large      the same as touch, with kLargeModelBytes of weights
//     batched    the same as copy, in batches; each takes kBatchTime and kRowTime for each of its rows, without CPU

#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <string_view>

#include "peer.h"
#include "remotemedia/worker/inference_model.h"
#include "remotemedia/worker/worker_config.h"
#include "sizes.h"

namespace remotemedia::bench {

inline constexpr std::chrono::microseconds kBatchTime{1000};
inline constexpr std::chrono::microseconds kRowTime{10};

inline constexpr std::size_t kLargeModelBytes = 150 * kMiB;

/// Errors: std::out_of_range if there is no such model.
std::shared_ptr<InferenceModel> make_model(std::string_view name);

struct Serving {
  std::string endpoint = "unix:";  ///< A scheme alone is a private address of it.
  std::chrono::microseconds spin{50};
  std::int64_t max_batch_size = 8;
};

WorkerConfig worker_config(const Serving& serving);

class ServedModel {
 public:
  explicit ServedModel(std::string_view model, const Serving& serving = {});
  ServedModel(const ServedModel&) = delete;
  ServedModel& operator=(const ServedModel&) = delete;

  /// Stops the worker.
  ~ServedModel();

  const std::string& endpoint() const noexcept { return endpoint_; }
  const Peer& peer() const noexcept { return peer_; }

 private:
  Peer peer_;
  std::string endpoint_;
};

}  // namespace remotemedia::bench

// SPDX-License-Identifier: Apache-2.0
//
// RequestPool: the requests of one compiled network, one for each call that runs.

#pragma once

#include <cstddef>
#include <mutex>
#include <openvino/openvino.hpp>
#include <utility>
#include <vector>

#include "bound_request.h"
#include "openvino_model.h"

namespace remotemedia::openvino_plugin {

/// Lifetime:  `model` and `network` outlive it.
/// Threads:   any.
class RequestPool {
 public:
  RequestPool(const OpenvinoModel& model, ov::CompiledModel& network, std::size_t instances)
      : model_(model), network_(network) {
    for (std::size_t instance = 0; instance < instances; ++instance) {
      idle_.emplace_back(model_, network_);
    }
  }

  /// Calls `action` with one that nobody else has. Not used again where that throws.
  template <class Action>
  void run(const Action& action) {
    BoundRequest request = take();
    action(request);
    const std::lock_guard lock(mutex_);
    idle_.push_back(std::move(request));
  }

 private:
  BoundRequest take() {
    const std::lock_guard lock(mutex_);
    if (idle_.empty()) {
      return {model_, network_};
    }
    BoundRequest request = std::move(idle_.back());
    idle_.pop_back();
    return request;
  }

  const OpenvinoModel& model_;
  ov::CompiledModel& network_;
  std::mutex mutex_;
  std::vector<BoundRequest> idle_;
};

}  // namespace remotemedia::openvino_plugin

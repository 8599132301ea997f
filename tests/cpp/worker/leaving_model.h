// SPDX-License-Identifier: Apache-2.0
//
// LeavingModel: a model that leaves memory when nobody wants it to stay, and comes back as it is told.

#pragma once

#include <atomic>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <string>
#include <utility>

#include "worker/served_model.h"

namespace remotemedia::testing {

class LeavingModel final : public ServedModel {
 public:
  static constexpr std::size_t kBytes = 1000;

  explicit LeavingModel(std::string name) : ServedModel(rows_of_numbers(8)), name_(std::move(name)) {}

  std::string model_id() const override { return name_; }
  ModelResidence residence() const override {
    return {in_memory ? ModelState::ready : ModelState::absent, std::nullopt};
  }
  std::shared_ptr<void> stay_in_memory(const ReportProgress& report) override {
    loads.add();
    if (load) load(report);
    const std::lock_guard lock(mutex_);
    in_memory = true;
    return stays_;
  }
  std::optional<std::size_t> leave_memory() override {
    const std::lock_guard lock(mutex_);
    if (stayers() > 0 || !in_memory.exchange(false)) return std::nullopt;
    return kBytes;
  }

  long stayers() const { return stays_.use_count() - 1; }

  std::atomic<bool> in_memory{true};
  EventCount loads;
  std::function<void(const ReportProgress&)> load;  ///< Set while nothing loads.

 private:
  const std::string name_;
  std::mutex mutex_;
  const std::shared_ptr<int> stays_ = std::make_shared<int>();
};

}  // namespace remotemedia::testing

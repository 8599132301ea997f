// SPDX-License-Identifier: Apache-2.0
//
// BackendModel: a model that an engine has loaded from a file.

#pragma once

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>

#include "remotemedia/base/export.h"
#include "remotemedia/worker/inference_model.h"

struct remotemedia_backend_functions;
struct remotemedia_model;

namespace remotemedia {

/// Errors:   infer: inference_failed with what the engine said, or what allocating an output threw.
/// Threads:  infer() from as many at once as ModelFile::instances says.
class REMOTEMEDIA_API BackendModel final : public InferenceModel {
 public:
  /// Takes `model`, which ends with this object, or here if what it says of itself is refused. `engine`: for errors.
  ///
  /// Errors:  load_failed.
  BackendModel(const remotemedia_backend_functions& functions, remotemedia_model* model, std::string engine,
               std::string model_id);
  ~BackendModel() override;

  std::string model_id() const override { return model_id_; }
  std::string device() const override { return device_; }
  ModelSignature signature() const override { return signature_; }
  std::size_t memory_usage() const override { return memory_bytes_; }
  void warm_up() override;
  TensorMap infer(const TensorMap& inputs, InferenceContext& context) override;

  /// Of inputs and outputs that the engine would not take where they lay, since it was loaded.
  std::uint64_t copied_bytes() const noexcept { return copied_bytes_.load(std::memory_order_relaxed); }

 private:
  /// Why it did not go as it should, if so.
  std::optional<std::string> unload();

  const remotemedia_backend_functions& functions_;
  remotemedia_model* model_;
  std::string engine_;
  std::string model_id_;
  std::string device_;
  ModelSignature signature_;
  std::size_t memory_bytes_ = 0;
  std::atomic<std::uint64_t> copied_bytes_{0};
};

}  // namespace remotemedia

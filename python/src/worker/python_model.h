// SPDX-License-Identifier: Apache-2.0
//
// PythonModel: a model in Python as a worker runs it.
//
// The GIL is taken by the threads that run the model, while they do. What a worker knows without running it was asked
// when the model was handed over.

#pragma once

#include <nanobind/nanobind.h>

#include <any>
#include <cstddef>
#include <memory>
#include <string>

#include "../gil_object.h"
#include "remotemedia/worker/inference_model.h"

namespace remotemedia::python {

class PythonModel final : public InferenceModel {
 public:
  /// What remotemedia/worker/model_worker.py has found out about it.
  struct Description {
    std::string model_id;
    std::string device;
    ModelSignature signature;
    std::size_t memory_usage = 0;
    bool infer_takes_context = true;
    bool streams = false;  ///< It has an infer_stream of its own,
    bool stream_takes_context = true;
  };

  /// model: has all methods of remotemedia.InferenceModel. With the GIL.
  PythonModel(nanobind::object model, Description description);
  ~PythonModel() override;

  std::string model_id() const override { return description_.model_id; }
  std::string device() const override { return description_.device; }
  ModelSignature signature() const override { return description_.signature; }
  std::size_t memory_usage() const override { return description_.memory_usage; }

  std::shared_ptr<void> enter_thread() override;
  void warm_up() override;
  TensorMap infer(const TensorMap& inputs, InferenceContext& context) override;
  std::unique_ptr<AnswerStream> infer_stream(const TensorMap& inputs, InferenceContext& context) override;
  std::any open_session(const std::string& session_id) override;
  void close_session(const std::string& session_id, const std::any& state) override;
  bool is_healthy() override;
  void close() override;

 private:
  bool batches() const noexcept { return description_.signature.max_batch_size > 0; }

  Description description_;
  GilObject infer_;
  GilObject model_;
};

}  // namespace remotemedia::python

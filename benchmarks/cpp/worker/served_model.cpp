// SPDX-License-Identifier: Apache-2.0

#include "served_model.h"

#include <map>
#include <thread>
#include <vector>

#include "kept_memory.h"
#include "remotemedia/worker/model_worker.h"

namespace remotemedia::bench {
namespace {

constexpr std::size_t kMostInFlight = 1024;

class Touch : public InferenceModel {
 public:
  std::string model_id() const override { return "touch"; }
  ModelSignature signature() const override {
    return {.inputs = {{"x", DataType::float32, {-1}}}, .outputs = {{"y", DataType::float32, {-1}}}};
  }
  std::size_t memory_usage() const override { return 0; }

  TensorMap infer(const TensorMap& inputs, InferenceContext& context) override {
    const TensorBuffer& x = inputs.at("x");
    TensorBuffer y = context.allocate(x.shape(), DataType::float32);
    if (y.nbytes() > 0) y.span<float>().front() = x.span<const float>().front();
    return {{"y", std::move(y)}};
  }
};

class Copy : public Touch {
 public:
  std::string model_id() const override { return "copy"; }

  TensorMap infer(const TensorMap& inputs, InferenceContext& context) override {
    const TensorBuffer& x = inputs.at("x");
    TensorBuffer y = context.allocate(x.shape(), DataType::float32);
    y.assign(x);
    return {{"y", std::move(y)}};
  }
};

class Echo final : public Touch {
 public:
  std::string model_id() const override { return "echo"; }
  TensorMap infer(const TensorMap& inputs, InferenceContext& /*context*/) override { return {{"y", inputs.at("x")}}; }
};

class Large final : public Touch {
 public:
  std::string model_id() const override { return "large"; }
  std::size_t memory_usage() const override { return weights_.size(); }

 private:
  std::vector<std::byte> weights_ = std::vector<std::byte>(kLargeModelBytes, std::byte{1});
};

/// As one on an accelerator: its time is mostly the same for each batch.
class Batched final : public Copy {
 public:
  std::string model_id() const override { return "batched"; }
  ModelSignature signature() const override {
    ModelSignature batched = Copy::signature();
    batched.max_batch_size = 1024;
    return batched;
  }

  TensorMap infer(const TensorMap& inputs, InferenceContext& context) override {
    std::this_thread::sleep_for(kBatchTime + kRowTime * inputs.at("x").shape()[0]);
    return Copy::infer(inputs, context);
  }
};

void serve(Wire& wire) {
  const auto model = make_model(wire.receive_text());
  const std::chrono::microseconds spin(wire.receive_number());
  const auto max_batch_size = static_cast<std::int64_t>(wire.receive_number());
  const std::string endpoint = wire.receive_text();
  if (endpoint != "unix:") keep_memory();
  ModelWorker worker(model, worker_config({.spin = spin, .max_batch_size = max_batch_size}));
  wire.send(endpoint == "unix:" ? worker.start().front() : worker.start({endpoint}).front());
  wire.receive_number();
}
const PeerRole role("model", serve);

}  // namespace

std::shared_ptr<InferenceModel> make_model(std::string_view name) {
  using Make = std::shared_ptr<InferenceModel> (*)();
  static const std::map<std::string_view, Make> models{
      {"touch", [] { return std::shared_ptr<InferenceModel>(std::make_shared<Touch>()); }},
      {"copy", [] { return std::shared_ptr<InferenceModel>(std::make_shared<Copy>()); }},
      {"echo", [] { return std::shared_ptr<InferenceModel>(std::make_shared<Echo>()); }},
      {"large", [] { return std::shared_ptr<InferenceModel>(std::make_shared<Large>()); }},
      {"batched", [] { return std::shared_ptr<InferenceModel>(std::make_shared<Batched>()); }},
  };
  return models.at(name)();
}

WorkerConfig worker_config(const Serving& serving) {
  return {.max_batch_size = serving.max_batch_size,
          .max_queue = kMostInFlight,
          .max_concurrent_requests = kMostInFlight,
          .spin = serving.spin};
}

ServedModel::ServedModel(std::string_view model, const Serving& serving) : peer_("model", Peer::Cpu::any) {
  peer_.wire().send(model);
  peer_.wire().send(static_cast<std::uint64_t>(serving.spin.count()));
  peer_.wire().send(static_cast<std::uint64_t>(serving.max_batch_size));
  peer_.wire().send(serving.endpoint);
  endpoint_ = peer_.wire().receive_text();
}

ServedModel::~ServedModel() {
  try {
    peer_.wire().send(0);
    peer_.wait_for_its_end();
  } catch (const std::exception&) {
    return;  // it has gone
  }
}

}  // namespace remotemedia::bench

// SPDX-License-Identifier: Apache-2.0
//
// Whatever the body of a request to run a model, and wherever its JSON is said to end, it is a call whose inputs are
// what the body says, or invalid_tensor or invalid_argument; and elements that JSON can say it says exactly.

#include <algorithm>
#include <memory>
#include <nlohmann/json.hpp>
#include <string>
#include <utility>

#include "fuzzed_bytes.h"
#include "remotemedia/base/error.h"
#include "remotemedia/http/infer_request.h"
#include "remotemedia/http/json_elements.h"
#include "remotemedia/worker/inference_model.h"

using namespace remotemedia;

namespace {

class Anything final : public InferenceModel {
 public:
  std::string model_id() const override { return "anything"; }
  ModelSignature signature() const override { return {}; }
  std::size_t memory_usage() const override { return 0; }
  TensorMap infer(const TensorMap& inputs, InferenceContext& /*context*/) override { return inputs; }
};

detail::WorkerCore& core() {
  static detail::WorkerCore core(std::make_shared<Anything>(), {}, "worker");
  return core;
}

void check_json(const std::string& name, const TensorBuffer& tensor) {
  std::string text;
  try {
    detail::append_elements(text, name, tensor);
  } catch (const Error& error) {
    testing::require(error.code() == ErrorCode::invalid_tensor, "elements are refused with their code");
    return;
  }
  const std::vector<std::int64_t> shape(tensor.shape().begin(), tensor.shape().end());
  const TensorBuffer again =
      detail::tensor_of_json({name, tensor.dtype(), shape}, nlohmann::json::parse(text), text.size());
  testing::require(again.to_bytes() == tensor.to_bytes(), "what was written is read as it was");
}

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  testing::FuzzedBytes input(data, size);
  static const detail::ClientRegions regions(true);
  detail::HttpRequest request;
  const auto split = input.take<std::uint16_t>();
  const std::string_view body(reinterpret_cast<const char*>(input.rest().data()), input.rest().size());
  if (split % 4 == 1) request.json_bytes = std::to_string(split / 4);
  if (split % 4 == 2) request.json_bytes = body.substr(0, split / 4 % 24);
  const auto kept = std::make_shared<const std::string>(body);
  request.body = *kept;
  request.body_owner = kept;
  try {
    const detail::RestCall call = detail::rest_call(request, core(), regions);
    for (const auto& [name, tensor] : call.received.call.inputs) {
      testing::require(tensor.nbytes() == tensor.element_count() * itemsize(tensor.dtype()), "an input is whole");
      check_json(name, tensor);
    }
  } catch (const Error& error) {
    const bool known = error.code() == ErrorCode::invalid_tensor || error.code() == ErrorCode::invalid_argument;
    testing::require(known, "a request is refused with a code of the client's");
  }
  return 0;
}

// SPDX-License-Identifier: Apache-2.0

#include "remotemedia/worker/inference_model.h"

#include <utility>

namespace remotemedia {
namespace {

class OneAnswer final : public AnswerStream {
 public:
  explicit OneAnswer(TensorMap answer) : answer_(std::move(answer)) {}
  std::optional<TensorMap> next() override { return std::exchange(answer_, std::nullopt); }

 private:
  std::optional<TensorMap> answer_;
};

}  // namespace

AnswerStream::~AnswerStream() = default;
InferenceModel::~InferenceModel() = default;

std::unique_ptr<AnswerStream> InferenceModel::infer_stream(const TensorMap& inputs, InferenceContext& context) {
  return std::make_unique<OneAnswer>(infer(inputs, context));
}

std::shared_ptr<void> InferenceModel::stay_in_memory(const ReportProgress& /*report*/) { return nullptr; }

std::any InferenceModel::open_session(const std::string& /*session_id*/) { return {}; }
void InferenceModel::close_session(const std::string& /*session_id*/, const std::any& /*state*/) {}

}  // namespace remotemedia

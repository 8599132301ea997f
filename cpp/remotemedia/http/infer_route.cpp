// SPDX-License-Identifier: Apache-2.0

#include "remotemedia/http/infer_route.h"

#include <exception>
#include <nlohmann/json.hpp>
#include <utility>

#include "remotemedia/http/error_response.h"
#include "remotemedia/http/infer_request.h"
#include "remotemedia/http/json_elements.h"
#include "remotemedia/oip/data_type_names.h"
#include "remotemedia/oip/requested_outputs.h"

namespace remotemedia::detail {
namespace {

using nlohmann::json;

/// How the answer is to be written.
struct Form {
  AnswerHead head;
  ModelSignature signature;
  bool binary_outputs = false;
  std::set<std::string> binary_output_names;
  std::set<std::string> json_output_names;

  bool is_binary(const std::string& name, DataType dtype) const {
    if (binary_output_names.contains(name)) return true;
    return (binary_outputs || !has_json_elements(dtype)) && !json_output_names.contains(name);
  }
};

HttpResponse response_of(const Form& form, const Answer& answer) {
  if (answer.error != nullptr) return error_response(answer.error);
  HttpResponse response;
  std::string& text = response.text;
  const auto quoted = [](std::string_view words) {
    return json(words).dump(-1, ' ', false, json::error_handler_t::replace);
  };
  text = "{";
  if (!form.head.request_id.empty()) text += "\"id\":" + quoted(form.head.request_id) + ",";
  text +=
      "\"model_name\":" + quoted(form.head.model_id) + ",\"model_version\":" + quoted(kModelVersion) + ",\"outputs\":[";
  bool first = true;
  for (auto& [name, tensor] : in_requested_order(answer.outputs, form.head.requested, form.signature)) {
    if (!std::exchange(first, false)) text += ',';
    text += "{\"name\":" + quoted(name) + ",\"datatype\":" + quoted(checked_oip_name(tensor.dtype())) + ",\"shape\":";
    text += json(std::vector<std::int64_t>(tensor.shape().begin(), tensor.shape().end())).dump();
    if (const auto part = form.head.output_parts.find(name); part != form.head.output_parts.end()) {
      write_to_part(part->second, name, tensor);
      text += ",\"parameters\":{\"shared_memory_region\":" + quoted(part->second.region) +
              ",\"shared_memory_byte_size\":" + std::to_string(tensor.nbytes()) + "}}";
    } else if (form.is_binary(name, tensor.dtype())) {
      text += ",\"parameters\":{\"binary_data_size\":" + std::to_string(tensor.nbytes()) + "}}";
      response.elements.push_back(tensor.is_contiguous() ? std::move(tensor) : tensor.copy());
    } else {
      text += ",\"data\":";
      append_elements(text, name, tensor);
      text += '}';
    }
  }
  text += "]}";
  if (!response.elements.empty()) response.content_type = "application/octet-stream";
  return response;
}

class PendingInfer final : public PendingResponse {
 public:
  PendingInfer(const ServedModels::Use& model, RestCall&& call, const std::shared_ptr<Caller>& caller, Respond respond)
      : call_(std::make_shared<InferCall>(answerer(model, call, std::move(respond)))) {
    call_->begin({.model_id = model->core.model_id(), .request_id = std::move(call.request_id)});
    call_->submit(model, caller, std::move(call.received));
  }

  void cancel() noexcept override { call_->cancel(); }

 private:
  static InferCall::OnAnswer answerer(const ServedModels::Use& model, RestCall& call, Respond respond) {
    auto form = std::make_shared<Form>();
    form->signature = model->core.signature();
    form->binary_outputs = call.binary_outputs;
    form->binary_output_names = std::move(call.binary_output_names);
    form->json_output_names = std::move(call.json_output_names);
    return [form = std::move(form), respond = std::move(respond)](InferCall& of, Answer&& answer) {
      form->head = of.head();
      respond([form, answer = std::move(answer)] {
        try {
          return response_of(*form, answer);
        } catch (const std::exception&) {
          return error_response(std::current_exception());
        }
      });
    };
  }

  const std::shared_ptr<InferCall> call_;
};

}  // namespace

std::shared_ptr<PendingResponse> infer(const ServedModels::Use& model, const HttpRequest& request,
                                       const ClientRegions& regions, const std::shared_ptr<Caller>& of_connection,
                                       const std::shared_ptr<Caller>& of_sessions, Respond respond) {
  RestCall call = rest_call(request, model->core, regions);
  call.received.call.trace = trace_context(request.traceparent, request.tracestate);
  const std::shared_ptr<Caller>& caller = call.received.call.session_id ? of_sessions : of_connection;
  return std::make_shared<PendingInfer>(model, std::move(call), caller, std::move(respond));
}

}  // namespace remotemedia::detail

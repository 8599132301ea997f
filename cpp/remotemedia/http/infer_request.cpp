// SPDX-License-Identifier: Apache-2.0

#include "remotemedia/http/infer_request.h"

#include <cstdint>
#include <nlohmann/json.hpp>
#include <span>
#include <string_view>
#include <utility>
#include <vector>

#include "remotemedia/base/error.h"
#include "remotemedia/http/http_limits.h"
#include "remotemedia/http/json_elements.h"
#include "remotemedia/http/json_member.h"
#include "remotemedia/http/only_input.h"
#include "remotemedia/http/whole_number.h"
#include "remotemedia/oip/data_type_names.h"
#include "remotemedia/oip/raw_tensor.h"
#include "remotemedia/oip/requested_outputs.h"

namespace remotemedia::detail {
namespace {

using nlohmann::json;

[[noreturn]] void refuse(ErrorCode code, const std::string& why) { throw Error(code, why); }

const std::string& text_member(const json& object, const char* name, const std::string& of) {
  const json* const found = member(object, name);
  if (found == nullptr || !found->is_string()) {
    refuse(ErrorCode::invalid_argument, of + " has no text '" + name + "'");
  }
  return found->get_ref<const std::string&>();
}

std::vector<const json*> objects_in(const json& request, const char* name) {
  std::vector<const json*> objects;
  const json* const list = member(request, name);
  if (list == nullptr) return objects;
  if (!list->is_array()) refuse(ErrorCode::invalid_argument, std::string("'").append(name) + "' is no list");
  for (const json& each : *list) {
    if (!each.is_object())
      refuse(ErrorCode::invalid_argument, std::string("'").append(name) + "' has what is no object");
    objects.push_back(&each);
  }
  return objects;
}

Parameter parameter_of(const std::string& name, const json& value) {
  if (value.is_boolean()) return value.get<bool>();
  if (value.is_string()) return value.get<std::string>();
  if (value.is_number_float()) return value.get<double>();
  if (value.is_number_unsigned() && !std::in_range<std::int64_t>(value.get<std::uint64_t>()) && name != "sequence_id") {
    refuse(ErrorCode::invalid_argument, "the parameter '" + name + "' is a number above 2^63 - 1");
  }
  if (value.is_number()) return value.get<std::int64_t>();
  refuse(ErrorCode::invalid_argument, "the parameter '" + name + "' is no truth value, number or text");
}

Parameters parameters_of(const json& object) {
  Parameters parameters;
  const json* const given = member(object, "parameters");
  if (given == nullptr) return parameters;
  if (!given->is_object()) refuse(ErrorCode::invalid_argument, "'parameters' is no object");
  for (const auto& [name, value] : given->items()) parameters.emplace(name, parameter_of(name, value));
  return parameters;
}

bool flag(Parameters& parameters, const char* name) {
  const auto found = parameters.find(std::string_view(name));
  if (found == parameters.end()) return false;
  const bool* const value = std::get_if<bool>(&found->second);
  if (value == nullptr) {
    refuse(ErrorCode::invalid_argument, std::string("the parameter '").append(name) + "' is neither true nor false");
  }
  const bool is_set = *value;
  parameters.erase(found);
  return is_set;
}

/// The body as it lies: JSON, then the elements of binary inputs, one after the other.
class Body {
 public:
  explicit Body(const HttpRequest& request) : bytes_(request.body), owner_(request.body_owner), at_(bytes_.size()) {
    if (!request.json_bytes.empty()) {
      const auto said = whole_number(request.json_bytes);
      if (!said || *said > bytes_.size()) {
        refuse(ErrorCode::invalid_argument, "Inference-Header-Content-Length is no length within the body");
      }
      at_ = static_cast<std::size_t>(*said);
      says_length_ = true;
    }
    json_ = bytes_.substr(0, at_);
    if (json_.size() > kMostJsonBytes) {
      refuse(ErrorCode::invalid_argument, "the JSON of the request is larger than " + std::to_string(kMostJsonBytes) +
                                              " bytes: send the elements as binary data");
    }
  }

  std::string_view json_text() const noexcept { return json_; }

  /// And nothing else, as its sender says.
  bool is_elements() const noexcept { return says_length_ && json_.empty(); }

  std::span<const std::byte> rest() const { return std::as_bytes(std::span(bytes_)).subspan(at_); }

  const std::shared_ptr<const void>& owner() const noexcept { return owner_; }

  std::span<const std::byte> next(const std::string& name, std::int64_t size) {
    if (size < 0 || static_cast<std::uint64_t>(size) > bytes_.size() - at_) {
      refuse(ErrorCode::invalid_tensor, "the tensor '" + name + "' has a binary_data_size of " + std::to_string(size) +
                                            " where " + std::to_string(bytes_.size() - at_) + " bytes are left");
    }
    const auto bytes = std::as_bytes(std::span(bytes_)).subspan(at_, static_cast<std::size_t>(size));
    at_ += static_cast<std::size_t>(size);
    return bytes;
  }

  void check_taken() const {
    if (at_ == bytes_.size()) return;
    refuse(ErrorCode::invalid_tensor,
           std::to_string(bytes_.size() - at_) + " bytes of the body belong to no input: see binary_data_size");
  }

 private:
  std::string_view bytes_;
  std::shared_ptr<const void> owner_;
  std::string_view json_;
  bool says_length_ = false;
  std::size_t at_;
};

json parsed(std::string_view text) {
  json request = json::parse(text, nullptr, false);
  if (request.is_discarded()) refuse(ErrorCode::invalid_argument, "the request is no JSON");
  if (!request.is_object()) refuse(ErrorCode::invalid_argument, "the request is no JSON object");
  return request;
}

std::vector<std::int64_t> shape_of(const json& input, const std::string& name) {
  const json* const given = member(input, "shape");
  std::vector<std::int64_t> shape;
  bool sound = given != nullptr && given->is_array() && given->size() <= kMaxRank;
  for (std::size_t i = 0; sound && i < given->size(); ++i) {
    const json& extent = (*given)[i];
    sound = extent.is_number_unsigned() && std::in_range<std::int64_t>(extent.get<std::uint64_t>());
    if (sound) shape.push_back(static_cast<std::int64_t>(extent.get<std::uint64_t>()));
  }
  if (sound) return shape;
  refuse(ErrorCode::invalid_tensor, "the tensor '" + name + "' has no shape, a list of at most " +
                                        std::to_string(kMaxRank) + " whole numbers from 0");
}

TensorBuffer input_of(const json& input, const std::string& name, Body& body, const ClientRegions& regions) {
  Parameters parameters = parameters_of(input);
  const std::vector<std::int64_t> shape = shape_of(input, name);
  const AnnouncedTensor announced{name, data_type_of_oip(text_member(input, "datatype", "the tensor '" + name + "'")),
                                  shape};
  if (const auto part = regions.part_of(name, parameters)) return tensor_of_part(announced, *part);
  const json* const data = member(input, "data");
  const auto size = parameters.find("binary_data_size");
  if (size == parameters.end()) {
    if (data == nullptr) refuse(ErrorCode::invalid_tensor, "the tensor '" + name + "' has no data");
    return tensor_of_json(announced, *data, body.json_text().size());
  }
  const auto* const bytes = std::get_if<std::int64_t>(&size->second);
  if (bytes == nullptr || data != nullptr) {
    refuse(ErrorCode::invalid_tensor,
           "the tensor '" + name + "' has a binary_data_size that is no number, or data too");
  }
  return tensor_of_raw(announced, body.next(name, *bytes), body.owner());
}

void take_output(const json& output, const ClientRegions& regions, RestCall& call) {
  const std::string& name = text_member(output, "name", "an output");
  Parameters parameters = parameters_of(output);
  if (parameters.contains(std::string_view("classification"))) {
    refuse(ErrorCode::invalid_argument, "the output '" + name + "' asks for 'classification', which is not done here");
  }
  if (auto part = regions.part_of(name, parameters)) call.received.output_parts.emplace(name, std::move(*part));
  const bool says = parameters.contains("binary_data");
  if (flag(parameters, "binary_data")) {
    call.binary_output_names.insert(name);
  } else if (says) {
    call.json_output_names.insert(name);
  }
  call.received.requested.push_back(name);
}

RestCall call_of_elements(Body& body, const WorkerCore& core) {
  RestCall call;
  call.binary_outputs = true;
  call.received.call.inputs = only_input(core.signature(), body.rest(), body.owner());
  return call;
}

}  // namespace

RestCall rest_call(const HttpRequest& request, const WorkerCore& core, const ClientRegions& regions) {
  if (!request.content_encoding.empty() && request.content_encoding != "identity") {
    refuse(ErrorCode::invalid_argument,
           "the body is encoded as '" + request.content_encoding.substr(0, 40) + "': send it as it is");
  }
  Body body(request);
  if (body.is_elements()) return call_of_elements(body, core);
  const json parts = parsed(body.json_text());
  RestCall call;
  if (member(parts, "id") != nullptr) call.request_id = text_member(parts, "id", "the request");
  Parameters parameters = parameters_of(parts);
  call.binary_outputs = flag(parameters, "binary_data_output");
  take_parameters(std::move(parameters), call.received);
  for (const json* const output : objects_in(parts, "outputs")) take_output(*output, regions, call);
  check_requested(call.received.requested, core.signature(), core.model_id());
  for (const json* const input : objects_in(parts, "inputs")) {
    const std::string& name = text_member(*input, "name", "an input");
    if (call.received.call.inputs.contains(name)) {
      refuse(ErrorCode::invalid_tensor, "the input '" + name + "' is there twice");
    }
    call.received.call.inputs.emplace(name, input_of(*input, name, body, regions));
  }
  body.check_taken();
  return call;
}

}  // namespace remotemedia::detail

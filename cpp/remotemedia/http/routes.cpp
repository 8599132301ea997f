// SPDX-License-Identifier: Apache-2.0

#include "remotemedia/http/routes.h"

#include <exception>
#include <nlohmann/json.hpp>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "remotemedia/base/error.h"
#include "remotemedia/http/error_response.h"
#include "remotemedia/http/infer_route.h"
#include "remotemedia/http/json_member.h"
#include "remotemedia/http/metrics_text.h"
#include "remotemedia/http/model_json.h"
#include "remotemedia/http/status_page.h"
#include "remotemedia/oip/access_token.h"
#include "remotemedia/oip/heap_caller.h"

namespace remotemedia::detail {
namespace {

using nlohmann::json;
using Parts = std::vector<std::string>;

int digit_of(char hex) noexcept {
  if (hex >= '0' && hex <= '9') return hex - '0';
  const char lower = static_cast<char>(hex | 0x20);
  return lower >= 'a' && lower <= 'f' ? lower - 'a' + 10 : -1;
}

/// %41 is an A; what is no such sign stays as it is.
std::string decoded(std::string_view part) {
  std::string text;
  for (std::size_t i = 0; i < part.size(); ++i) {
    const int high = part[i] == '%' && i + 2 < part.size() ? digit_of(part[i + 1]) : -1;
    const int low = high < 0 ? -1 : digit_of(part[i + 2]);
    if (low < 0) {
      text += part[i];
    } else {
      text += static_cast<char>(high * 16 + low);
      i += 2;
    }
  }
  return text;
}

/// Between the slashes, the empty ones left out.
Parts parts_of(std::string_view path) {
  Parts parts;
  while (!path.empty()) {
    const std::size_t slash = std::min(path.find('/'), path.size());
    if (slash > 0) parts.push_back(decoded(path.substr(0, slash)));
    path.remove_prefix(std::min(slash + 1, path.size()));
  }
  return parts;
}

HttpResponse said(const json& value) {
  return {200, "application/json", value.dump(-1, ' ', false, json::error_handler_t::replace)};
}

/// A worker that is not ready says so by the status too.
HttpResponse readiness(bool is_ready, json about = json::object()) {
  about["ready"] = is_ready;
  HttpResponse response = said(about);
  if (!is_ready) response.status = 503;
  return response;
}

HttpResponse done() { return {200, "application/json", ""}; }

HttpResponse wrong_method(const char* right) {
  return error_response(405, std::string("this address takes ").append(right));
}

[[noreturn]] void nothing_here(const HttpRequest& request) {
  throw Error(ErrorCode::model_not_found,
              "nothing is at '" + request.path.substr(0, 200) + "': see / for people and /v2 for programs");
}

HttpResponse statistics(const ServedModels& models, const std::string& name, const std::string& version) {
  json list = json::array();
  if (!name.empty()) {
    list.push_back(model_statistics(*models.find(name, version)));
  } else {
    for (const auto& model : models.all()) list.push_back(model_statistics(*model));
  }
  return said({{"model_stats", std::move(list)}});
}

/// Of /v2/models/NAME[/versions/VERSION]/..., what stands behind.
struct ModelPath {
  std::string name;
  std::string version;
  std::string rest;
};

ModelPath model_path(const HttpRequest& request, std::span<const std::string> parts) {
  ModelPath path;
  path.name = parts[2];
  parts = parts.subspan(3);
  if (parts.size() >= 2 && parts[0] == "versions") {
    path.version = parts[1];
    parts = parts.subspan(2);
  }
  if (parts.size() > 1) nothing_here(request);
  if (!parts.empty()) path.rest = parts[0];
  return path;
}

HttpResponse about_model(const ServedModels& models, const HttpRequest& request, const ModelPath& path) {
  if (path.rest == "ready") {
    return readiness(models.is_serving(path.name, path.version), {{"name", path.name}});
  }
  if (path.rest == "stats") return statistics(models, path.name, path.version);
  const ServedModels::Use model = models.find(path.name, path.version);
  if (path.rest.empty()) return said(model_metadata(*model));
  if (path.rest == "config") return said(model_config(*model));
  nothing_here(request);
}

bool is_about_loads(const Parts& parts) {
  return parts.size() == 5 && parts[0] == "v2" && parts[1] == "repository" && parts[2] == "models" &&
         (parts[4] == "load" || parts[4] == "unload");
}

/// /v2/repository/models/NAME/load or unload; the first responds when it is done.
void about_loads(ServedModels& models, ModelLoads& loads, const HttpRequest& request, const Parts& parts,
                 const Respond& respond) {
  if (request.method != "POST") {
    respond([] { return wrong_method("POST"); });
  } else if (parts[4] == "unload") {
    models.unload(parts[3]);
    respond(&done);
  } else {
    const json wanted = json::parse(request.body, nullptr, false);
    const json* const parameters = member(wanted, "parameters");
    if (parameters != nullptr && !parameters->empty()) {
      throw Error(ErrorCode::invalid_argument, "a model is loaded as its worker was told, without parameters");
    }
    loads.begin(parts[3], {.done = [respond](const std::exception_ptr& error, const auto& /*lease*/) {
                  respond([error] { return error != nullptr ? error_response(error) : done(); });
                }});
  }
}

HttpResponse about_repository(const ServedModels& models, const HttpRequest& request, const Parts& parts) {
  if (parts.size() != 3 || parts[2] != "index") nothing_here(request);
  if (request.method != "POST") return wrong_method("POST");
  const json wanted = json::parse(request.body, nullptr, false);
  const json* const ready = member(wanted, "ready");
  return said(repository_index(models, ready != nullptr && ready->is_boolean() && ready->get<bool>()));
}

bool is_about_regions(const Parts& parts) {
  return parts.size() >= 3 && parts[0] == "v2" && parts[1] == "systemsharedmemory";
}

std::uint64_t number_in(const json& object, const char* name) {
  if (!object.contains(name)) return 0;
  const json* const value = member(object, name);
  if (value != nullptr && value->is_number_unsigned()) return value->get<std::uint64_t>();
  throw Error(ErrorCode::invalid_argument, std::string("'").append(name) + "' of a region is a whole number from 0");
}

void register_region(ClientRegions& regions, const std::string& name, std::string_view body) {
  const json said = json::parse(body, nullptr, false);
  const json* const key = member(said, "key");
  if (key == nullptr || !key->is_string()) throw Error(ErrorCode::invalid_argument, "a region has a 'key', a text");
  regions.add(name, key->get<std::string>(), number_in(said, "offset"), number_in(said, "byte_size"));
}

HttpResponse list_regions(const ClientRegions& regions, const std::string& name) {
  json list = json::array();
  for (const auto& [each, region] : regions.list(name)) {
    list.push_back({{"name", each}, {"key", region.key}, {"offset", region.offset}, {"byte_size", region.size}});
  }
  return said(list);
}

/// /v2/systemsharedmemory[/region/NAME]/WHAT.
HttpResponse about_regions(ClientRegions& regions, const HttpRequest& request, const Parts& parts) {
  const bool of_one = parts.size() == 5 && parts[2] == "region";
  if (!of_one && parts.size() != 3) nothing_here(request);
  const std::string name = of_one ? parts[3] : "";
  if (parts.back() == "status") {
    return request.method == "GET" ? list_regions(regions, name) : wrong_method("GET");
  }
  if (parts.back() != "unregister" && (parts.back() != "register" || !of_one)) nothing_here(request);
  if (request.method != "POST") return wrong_method("POST");
  if (parts.back() == "register") {
    register_region(regions, name, request.body);
  } else {
    regions.remove(name);
  }
  return done();
}

/// /v2/cudasharedmemory[/region/NAME]/unregister: clients ask for it before they do anything, and there is none.
bool is_cuda_unregister(const Parts& parts) {
  return parts.size() >= 3 && parts[0] == "v2" && parts[1] == "cudasharedmemory" && parts.back() == "unregister" &&
         (parts.size() == 3 || (parts.size() == 5 && parts[2] == "region"));
}

/// All that is answered at once.
HttpResponse answer_of(const ServedModels& models, const HttpRequest& request, const Parts& parts) {
  const bool of_repository = parts.size() >= 2 && parts[0] == "v2" && parts[1] == "repository";
  if (of_repository) return about_repository(models, request, parts);
  if (is_cuda_unregister(parts)) return request.method == "POST" ? done() : wrong_method("POST");
  if (request.method != "GET") return wrong_method("GET");
  if (parts.empty()) return {200, "text/html; charset=utf-8", status_page(models)};
  if (parts == Parts{"metrics"}) {
    const bool of_triton = request.query == "names=triton";
    return {200, kMetricsType, of_triton ? triton_metrics_text(models) : metrics_text(models)};
  }
  if (parts[0] != "v2") nothing_here(request);
  if (parts.size() == 1) return said(server_metadata());
  if (parts == Parts{"v2", "health", "live"}) return said({{"live", true}});
  if (parts == Parts{"v2", "health", "ready"}) return readiness(models.are_serving());
  if (parts == Parts{"v2", "models", "stats"}) return statistics(models, "", "");
  if (parts == Parts{"v2", "cudasharedmemory", "status"}) return said(json::array());
  if (parts[1] == "models" && parts.size() >= 3) return about_model(models, request, model_path(request, parts));
  nothing_here(request);
}

bool is_infer(const Parts& parts) {
  return parts.size() >= 4 && parts[0] == "v2" && parts[1] == "models" && parts.back() == "infer";
}

}  // namespace

Routes::Routes(ServedModels& models, const WireAccess& access)
    : models_(models),
      access_(access),
      loads_(std::make_shared<ModelLoads>(models)),
      of_sessions_(std::make_shared<HeapCaller>("http")),
      regions_(std::make_shared<ClientRegions>(access.allow_client_shared_memory)) {}

std::optional<HttpResponse> Routes::refusal(const HttpRequest& head) const {
  if (is_authorized(access_.token, head.authorization)) return std::nullopt;
  const Parts parts = parts_of(head.path);
  if (parts.size() == 3 && parts[0] == "v2" && parts[1] == "health") return std::nullopt;
  return error_response(401, "this worker wants a token: authorization: Bearer TOKEN");
}

std::shared_ptr<PendingResponse> Routes::answer(const HttpRequest& request, const std::shared_ptr<Caller>& caller,
                                                const Respond& respond) const {
  HttpResponse response;
  try {
    const Parts parts = parts_of(request.path);
    if (is_about_loads(parts)) {
      about_loads(models_, *loads_, request, parts, respond);
      return nullptr;
    }
    if (!is_infer(parts)) {
      response =
          is_about_regions(parts) ? about_regions(*regions_, request, parts) : answer_of(models_, request, parts);
    } else if (request.method != "POST") {
      response = wrong_method("POST");
    } else {
      const ModelPath path = model_path(request, parts);
      return infer(models_.find(path.name, path.version), request, *regions_, caller, of_sessions_, respond);
    }
  } catch (const std::exception&) {
    response = error_response(std::current_exception());
  }
  respond([response = std::move(response)] { return response; });
  return nullptr;
}

}  // namespace remotemedia::detail

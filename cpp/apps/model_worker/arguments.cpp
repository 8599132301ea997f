// SPDX-License-Identifier: Apache-2.0

#include "arguments.h"

#include <CLI/CLI.hpp>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <map>
#include <optional>
#include <string_view>
#include <utility>

#include "exit_code.h"
#include "per_model.h"
#include "remotemedia/base/error.h"
#include "remotemedia/platform/supervisor.h"
#include "remotemedia/registry/keep_alive.h"

namespace remotemedia::model_worker {
namespace {

constexpr const char* kModelInEndpoint = "{model}";
constexpr const char* kOneModel = "unix:";  // endpoints that begin otherwise serve many, by name

/// NAME=VALUE.
std::pair<std::string, std::string> named(const std::string& option, const std::string& word) {
  const std::size_t sign = word.find('=');
  if (sign == std::string::npos || sign == 0) throw CLI::ValidationError(option, "'" + word + "' is not NAME=VALUE");
  return {word.substr(0, sign), word.substr(sign + 1)};
}

std::vector<ServedModel> models_of(const std::string& path, const std::string& model_id,
                                   const std::vector<std::string>& named_models) {
  if (path.empty() == named_models.empty()) {
    throw CLI::ValidationError(path.empty() ? "--model-path is required, or --model"
                                            : "--model-path is for a single model, --model for each of several");
  }
  std::vector<ServedModel> models;
  if (!path.empty()) {
    ServedModel& model = models.emplace_back();
    model.file.path = path;
    model.file.model_id = model_id.empty() ? std::filesystem::path(path).stem().string() : model_id;
    return models;
  }
  for (const std::string& word : named_models) {
    auto [name, file] = named("--model", word);
    for (const ServedModel& other : models) {
      if (other.file.model_id == name) throw CLI::ValidationError("--model", "'" + name + "' is there twice");
    }
    ServedModel& model = models.emplace_back();
    model.file.model_id = std::move(name);
    model.file.path = std::move(file);
  }
  return models;
}

void add_endpoint(ServedModel& model, std::string endpoint) {
  const std::size_t place = endpoint.find(kModelInEndpoint);
  if (place != std::string::npos) {
    endpoint.replace(place, std::string_view(kModelInEndpoint).size(), model.file.model_id);
  }
  model.endpoints.push_back(std::move(endpoint));
}

void check_endpoints(const std::vector<ServedModel>& models) {
  std::map<std::string, std::string> served;
  for (const ServedModel& model : models) {
    for (const std::string& endpoint : model.endpoints) {
      const auto [other, is_free] = served.emplace(endpoint, model.file.model_id);
      if (is_free || !endpoint.starts_with(kOneModel)) continue;
      std::string wrong = "'" + endpoint;
      wrong.append("' is for '").append(other->second).append("' and '").append(model.file.model_id);
      throw CLI::ValidationError("--endpoint", wrong.append("': write {model} into it, or MODEL:ENDPOINT"));
    }
  }
}

void add_options_of_models(PerModel& options) {
  options.add(
      "--endpoint",
      "where to serve it, unix:PATH, grpc://HOST:PORT, grpc+unix:PATH or http://HOST:PORT, {model} in it is the "
      "model's name; may "
      "be given several times; a private one unless given",
      "ENDPOINT", add_endpoint);
  options.add("--backend", "the engine: a plug-in's path or name; the first that reads the file unless given",
              "NAME|PATH", [](ServedModel& model, const std::string& name) { model.backend = name; });
  options.add("--option", "one of the engine's own options; may be given several times", "NAME=VALUE",
              [](ServedModel& model, const std::string& word) {
                auto [name, value] = named("--option", word);
                model.file.options[name] = std::move(value);
              });
  options.add("--device", "where it runs (cpu)", "DEVICE",
              [](ServedModel& model, const std::string& device) { model.file.device = device; });
  options.add_number("--instances", "batches that run at once", 1, 1, 1024, [](ServedModel& model, std::int64_t n) {
    model.config.instances = model.file.instances = static_cast<std::size_t>(n);
  });
  options.add_number("--max-batch-size", "rows that run together; 0: the model's tensors have no batch dimension", 8, 0,
                     65536, [](ServedModel& model, std::int64_t n) { model.file.max_batch_size = n; });
  options.add_number(
      "--batch-delay-us", "how long a batch that is not full waits for more", 0, 0, 60'000'000,
      [](ServedModel& model, std::int64_t n) { model.config.batch_delay = std::chrono::microseconds(n); });
  options.add_number("--max-queue", "requests that wait; beyond, they are rejected",
                     static_cast<std::int64_t>(WorkerConfig().max_queue), 1, 1 << 24,
                     [](ServedModel& model, std::int64_t n) { model.config.max_queue = static_cast<std::size_t>(n); });
  options.add_number(
      "--max-concurrent-requests", "unanswered requests of one client; beyond, they are rejected",
      static_cast<std::int64_t>(WorkerConfig().max_concurrent_requests), 1, 1 << 24,
      [](ServedModel& model, std::int64_t n) { model.config.max_concurrent_requests = static_cast<std::size_t>(n); });
}

/// Of a file that others cannot read, rather than a word, which everybody sees in the list of processes.
std::string token_in(const std::string& file) {
  std::ifstream stream(file);
  std::string token;
  if (!std::getline(stream, token) || token.empty()) {
    throw CLI::ValidationError("--token-file", "'" + file + "' cannot be read, or its first line is empty");
  }
  return token;
}

void add_access(CLI::App& app, TlsConfig& tls, std::string& token_file, WireAccess& access) {
  constexpr const char* kGroup = "Who may call at grpc:// and http:// endpoints";
  auto* const certificate = app.add_option("--tls-certificate", tls.certificate, "encrypt, and show this certificate");
  auto* const key = app.add_option("--tls-key", tls.key, "its key");
  auto* const ca = app.add_option("--tls-ca", tls.ca, "serve only clients with a certificate of this authority");
  for (CLI::Option* const file : {certificate, key, ca}) file->type_name("FILE")->group(kGroup);
  certificate->needs(key);
  key->needs(certificate);
  ca->needs(certificate);
  app.add_option("--token-file", token_file, "each call brings the first line of this file, as a bearer token")
      ->type_name("FILE")
      ->group(kGroup);
  app.add_flag("--insecure", access.insecure, "listen beyond this machine without any of these")->group(kGroup);
  app.add_flag("--allow-client-shared-memory", access.allow_client_shared_memory,
               "take inputs from, and give outputs to, shared memory of this user that clients name")
      ->group(kGroup);
}

std::optional<Duration> keep_alive_of(const std::string& text) {
  try {
    return parse_keep_alive(text);
  } catch (const Error& wrong) {
    throw CLI::ValidationError("--keep-alive", wrong.what());
  }
}

}  // namespace

std::variant<Arguments, int> read_arguments(int count, char** words) {
  Arguments arguments;
  std::string path;
  std::string model_id;
  std::vector<std::string> named_models;
  std::uint64_t max_memory = 0;
  std::string keep_alive = "-1";
  double drain_timeout = 30;
  TlsConfig tls;
  std::string token_file;
  WireAccess access;

  CLI::App app("Serves model files to the processes of this machine, until SIGTERM or SIGINT.",
               "remotemedia-model-worker");
  app.set_version_flag("--version", std::string("remotemedia-model-worker ") + REMOTEMEDIA_VERSION);
  app.add_option("--model-path", path, "the model's file")->type_name("FILE");
  app.add_option("--model-id", model_id, "its name; the file's without its end unless given");
  app.add_option("--model", named_models,
                 "one of several models, instead of --model-path; what is said below is for all of them, or as "
                 "MODEL:VALUE for one")
      ->type_name("NAME=FILE")
      ->expected(1)
      ->take_all();
  PerModel of_models(app);
  add_options_of_models(of_models);
  app.add_option("--max-memory", max_memory,
                 "bytes for all models together, 500MB and 2GiB mean what they say; beyond, the one that was idle for "
                 "longest leaves, and is loaded again by its next call; no limit unless given")
      ->transform(CLI::AsSizeValue(true))
      ->option_text("BYTES");
  app.add_option("--keep-alive", keep_alive, "how long a model that nobody calls stays in memory: 90, 5m; -1: for ever")
      ->type_name("TIME")
      ->capture_default_str();
  app.add_option("--drain-timeout", drain_timeout, "seconds for accepted requests after SIGTERM or SIGINT")
      ->check(CLI::Range(0.0, 86400.0))
      ->capture_default_str();
  add_access(app, tls, token_file, access);
  app.add_option("--log-format", arguments.log_format, "text or json")
      ->transform(CLI::CheckedTransformer(
          std::map<std::string, LogFormat>{{"text", LogFormat::text}, {"json", LogFormat::json}}))
      ->option_text("text|json");
  app.add_option("--log-level", arguments.log_level, "debug, info, warning or error")
      ->check(CLI::IsMember({"debug", "info", "warning", "error"}))
      ->capture_default_str();
  app.add_flag("--systemd-notify", arguments.notifies_supervisor,
               "tell systemd when it is ready (Type=notify), by NOTIFY_SOCKET");
  try {
    app.parse(count, words);
    arguments.models = models_of(path, model_id, named_models);
    for (ServedModel& model : arguments.models) model.file.max_batch_size = 8;
    of_models.apply(arguments.models);
    check_endpoints(arguments.models);
    if (arguments.notifies_supervisor && !platform::has_supervisor()) {
      throw CLI::ValidationError("--systemd-notify", "no supervisor listens: NOTIFY_SOCKET is not set");
    }
    if (!tls.certificate.empty()) access.tls = tls;
    if (!token_file.empty()) access.token = token_in(token_file);
    arguments.memory.ttl = keep_alive_of(keep_alive);
    if (max_memory > 0) arguments.memory.max_memory_bytes = max_memory;
  } catch (const CLI::Success& asked) {
    return app.exit(asked);
  } catch (const CLI::ParseError& wrong) {
    std::cerr << "remotemedia-model-worker: " << wrong.what() << "; see --help\n";
    return kWrongArguments;
  }
  for (ServedModel& model : arguments.models) {
    if (model.file.max_batch_size > 0) model.config.max_batch_size = model.file.max_batch_size;
    model.config.access = access;
    model.config.drain_timeout = std::chrono::duration_cast<Duration>(std::chrono::duration<double>(drain_timeout));
  }
  return arguments;
}

}  // namespace remotemedia::model_worker

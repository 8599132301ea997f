// SPDX-License-Identifier: Apache-2.0
//
// remotemedia-model-worker: serves a model file. Says on standard output when it is ready, and where; everything else
// goes to the log.

#include <chrono>
#include <exception>
#include <iostream>
#include <memory>
#include <optional>
#include <sstream>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "arguments.h"
#include "exit_code.h"
#include "logging.h"
#include "remotemedia/backends/backend_search.h"
#include "remotemedia/base/error.h"
#include "remotemedia/base/log.h"
#include "remotemedia/worker/model_worker.h"

namespace remotemedia::model_worker {

namespace {

using Seconds = std::chrono::duration<double>;

/// One line for each tenth.
ReportProgress told_in_tenths(const std::string& path) {
  return [path, tenth = -1](std::optional<double> fraction, std::string_view stage) mutable {
    const int now = fraction ? static_cast<int>(*fraction * 10) : -1;
    if (now == tenth) return;
    tenth = now;
    log(LogLevel::info,
        "'" + path + "': " + std::string(stage) + (now < 0 ? "" : ", " + std::to_string(now * 10) + " %"));
  };
}

std::shared_ptr<BackendModel> load(Arguments& arguments) {
  const auto begin = std::chrono::steady_clock::now();
  const Backend backend = find_backend(arguments.file.path, arguments.backend);
  arguments.file.progress = told_in_tenths(arguments.file.path);
  std::shared_ptr<BackendModel> model = backend.load(arguments.file);
  std::ostringstream said;
  said << "loaded '" << model->model_id() << "' on " << model->device() << " with " << backend.name() << ' '
       << backend.version() << ": " << model->memory_usage() << " bytes of weights, in "
       << Seconds(std::chrono::steady_clock::now() - begin).count() << " s";
  log(LogLevel::info, said.str());
  return model;
}

void say_ready(LogFormat format, const std::string& model_id, const std::vector<std::string>& endpoints) {
  if (format == LogFormat::text) {
    std::cout << "ready";
    for (const std::string& endpoint : endpoints) std::cout << ' ' << endpoint;
    std::cout << std::endl;
    return;
  }
  std::cout << R"({"event":"ready","model":)" << json_text(model_id) << R"(,"endpoints":[)";
  for (std::size_t index = 0; index < endpoints.size(); ++index) {
    std::cout << (index > 0 ? "," : "") << json_text(endpoints[index]);
  }
  std::cout << "]}" << std::endl;
}

int serve(Arguments& arguments) {
  std::shared_ptr<BackendModel> model;
  try {
    model = load(arguments);
  } catch (const std::exception& failed) {
    log(LogLevel::error, failed.what());
    return kLoadFailed;
  }
  try {
    ModelWorker worker(model, arguments.config);
    const bool finished = worker.serve(arguments.endpoints, [&](const std::vector<std::string>& endpoints) {
      say_ready(arguments.log_format, model->model_id(), endpoints);
    });
    log(LogLevel::info, finished ? "ended, all accepted requests answered" : "ended, with requests cut off");
    return finished ? kFinished : kStoppedInBetween;
  } catch (const Error& failed) {
    log(LogLevel::error, failed.what());
    return failed.code() == ErrorCode::load_failed ? kLoadFailed : kEndpointFailed;
  }
}

}  // namespace
}  // namespace remotemedia::model_worker

int main(int count, char** words) {
  using namespace remotemedia::model_worker;
  try {
    auto read = read_arguments(count, words);
    if (const int* code = std::get_if<int>(&read)) return *code;
    auto arguments = std::get<Arguments>(std::move(read));
    start_log(arguments.log_format, arguments.log_level);
    return serve(arguments);
  } catch (const std::exception& failed) {
    std::cerr << "remotemedia-model-worker: " << failed.what() << '\n';
    return kFailed;
  }
}

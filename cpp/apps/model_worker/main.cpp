// SPDX-License-Identifier: Apache-2.0
//
// remotemedia-model-worker: serves model files. Says on standard output when it is ready, and where; everything else
// goes to the log.

#include <cstddef>
#include <cstdint>
#include <exception>
#include <iostream>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <variant>
#include <vector>

#include "arguments.h"
#include "exit_code.h"
#include "logging.h"
#include "ready.h"
#include "remotemedia/backends/model_repository.h"
#include "remotemedia/base/error.h"
#include "remotemedia/base/log.h"
#include "remotemedia/platform/supervisor.h"
#include "remotemedia/worker/model_worker.h"

namespace remotemedia::model_worker {

namespace {

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

std::vector<std::unique_ptr<ModelWorker>> load_all(ModelRepository& repository, Arguments& arguments) {
  std::vector<std::unique_ptr<ModelWorker>> workers;
  for (ServedModel& model : arguments.models) {
    model.file.progress = told_in_tenths(model.file.path);
    workers.push_back(std::make_unique<ModelWorker>(repository.add(model.file, model.backend), model.config));
  }
  return workers;
}

void say_ready(const Arguments& arguments, const std::vector<std::vector<std::string>>& endpoints) {
  for (std::size_t i = 0; i < endpoints.size(); ++i) {
    const std::string& model_id = arguments.models[i].file.model_id;
    std::cout << (arguments.log_format == LogFormat::text ? ready_text(endpoints[i])
                                                          : ready_json(model_id, endpoints[i]))
              << '\n';
  }
  std::cout.flush();
  if (arguments.notifies_supervisor) platform::notify_supervisor("READY=1");
}

struct Ending {
  int code = kFailed;
  std::uint64_t requests = 0;  ///< That were accepted.
};

Ending serve(Arguments& arguments) {
  ModelRepository repository(arguments.memory);
  std::vector<std::unique_ptr<ModelWorker>> workers;
  try {
    workers = load_all(repository, arguments);
  } catch (const std::exception& failed) {
    log(LogLevel::error, failed.what());
    return {kLoadFailed};
  }
  std::vector<ModelWorker::Serving> servings;
  for (std::size_t i = 0; i < workers.size(); ++i) {
    servings.push_back({workers[i].get(), arguments.models[i].endpoints});
  }
  try {
    const bool finished =
        ModelWorker::serve_all(servings, [&](const auto& endpoints) { say_ready(arguments, endpoints); });
    Ending ending{finished ? kFinished : kStoppedInBetween};
    for (const auto& worker : workers) ending.requests += worker->status().total_requests;
    return ending;
  } catch (const Error& failed) {
    log(LogLevel::error, failed.what());
    return {failed.code() == ErrorCode::load_failed ? kLoadFailed : kEndpointFailed};
  }
}

int run(Arguments& arguments) {
  const Ending ending = serve(arguments);
  const std::string accepted = std::to_string(ending.requests) + " accepted requests";
  if (ending.code == kFinished) log(LogLevel::info, "ended, all " + accepted + " answered");
  if (ending.code == kStoppedInBetween) log(LogLevel::warning, "ended, some of " + accepted + " cut off");
  return ending.code;
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
    return run(arguments);
  } catch (const std::exception& failed) {
    std::cerr << "remotemedia-model-worker: " << failed.what() << '\n';
    return kFailed;
  }
}

// SPDX-License-Identifier: Apache-2.0

#include "arguments.h"

#include <CLI/CLI.hpp>
#include <chrono>
#include <cstdint>
#include <iostream>
#include <map>

#include "exit_code.h"

namespace remotemedia::model_worker {

namespace {

/// NAME=VALUE in a row.
std::map<std::string, std::string> options_of(const std::vector<std::string>& words) {
  std::map<std::string, std::string> options;
  for (const std::string& word : words) {
    const std::size_t sign = word.find('=');
    if (sign == std::string::npos || sign == 0) {
      throw CLI::ValidationError("--option", "'" + word + "' is not NAME=VALUE");
    }
    options[word.substr(0, sign)] = word.substr(sign + 1);
  }
  return options;
}

}  // namespace

std::variant<Arguments, int> read_arguments(int count, char** words) {
  Arguments arguments;
  std::vector<std::string> options;
  std::int64_t batch_delay_us = 0;
  double drain_timeout = 30;

  CLI::App app("Serves a model file to the processes of this machine, until SIGTERM or SIGINT.",
               "remotemedia-model-worker");
  app.set_version_flag("--version", std::string("remotemedia-model-worker ") + REMOTEMEDIA_VERSION);
  app.add_option("--model-path", arguments.file.path, "the model's file")->required()->type_name("FILE");
  app.add_option("--model-id", arguments.file.model_id, "its name; the file's without its end unless given");
  app.add_option("--endpoint", arguments.endpoints,
                 "where to serve it, unix:PATH; may be given several times; a private one unless given")
      ->type_name("ENDPOINT");
  app.add_option("--backend", arguments.backend,
                 "the engine: a plug-in's path or name; the first that reads the file unless given")
      ->type_name("NAME|PATH");
  app.add_option("--option", options, "one of the engine's own options; may be given several times")
      ->type_name("NAME=VALUE");
  app.add_option("--device", arguments.file.device, "where it runs")->capture_default_str();
  app.add_option("--instances", arguments.file.instances, "batches that run at once")
      ->check(CLI::Range(1, 1024))
      ->capture_default_str();
  arguments.file.max_batch_size = 8;
  app.add_option("--max-batch-size", arguments.file.max_batch_size,
                 "rows that run together; 0: the model's tensors have no batch dimension")
      ->check(CLI::Range(std::int64_t{0}, std::int64_t{65536}))
      ->capture_default_str();
  app.add_option("--batch-delay-us", batch_delay_us, "how long a batch that is not full waits for more")
      ->check(CLI::Range(std::int64_t{0}, std::int64_t{60'000'000}))
      ->capture_default_str();
  app.add_option("--max-queue", arguments.config.max_queue, "requests that wait; beyond, they are rejected")
      ->check(CLI::Range(1, 1 << 24))
      ->capture_default_str();
  app.add_option("--max-concurrent-requests", arguments.config.max_concurrent_requests,
                 "unanswered requests of one client; beyond, they are rejected")
      ->check(CLI::Range(1, 1 << 24))
      ->capture_default_str();
  app.add_option("--drain-timeout", drain_timeout, "seconds for accepted requests after SIGTERM or SIGINT")
      ->check(CLI::Range(0.0, 86400.0))
      ->capture_default_str();
  app.add_option("--log-format", arguments.log_format, "text or json")
      ->transform(CLI::CheckedTransformer(
          std::map<std::string, LogFormat>{{"text", LogFormat::text}, {"json", LogFormat::json}}))
      ->option_text("text|json");
  app.add_option("--log-level", arguments.log_level, "debug, info, warning or error")
      ->check(CLI::IsMember({"debug", "info", "warning", "error"}))
      ->capture_default_str();
  try {
    app.parse(count, words);
    arguments.file.options = options_of(options);
  } catch (const CLI::Success& asked) {
    return app.exit(asked);
  } catch (const CLI::ParseError& wrong) {
    std::cerr << "remotemedia-model-worker: " << wrong.what() << "; see --help\n";
    return kWrongArguments;
  }
  arguments.config.instances = arguments.file.instances;
  if (arguments.file.max_batch_size > 0) {
    arguments.config.max_batch_size = arguments.file.max_batch_size;
  }
  arguments.config.batch_delay = std::chrono::microseconds(batch_delay_us);
  arguments.config.drain_timeout = std::chrono::duration_cast<Duration>(std::chrono::duration<double>(drain_timeout));
  return arguments;
}

}  // namespace remotemedia::model_worker

// SPDX-License-Identifier: Apache-2.0
//
// What the program was asked for.

#pragma once

#include <string>
#include <variant>
#include <vector>

#include "logging.h"
#include "remotemedia/backends/backend.h"
#include "remotemedia/registry/registry_config.h"
#include "remotemedia/worker/worker_config.h"

namespace remotemedia::model_worker {

struct ServedModel {
  ModelFile file;
  std::string backend;  ///< A plug-in's path or name; empty: whichever reads the file.
  std::vector<std::string> endpoints;
  WorkerConfig config;
};

struct Arguments {
  std::vector<ServedModel> models;
  RegistryConfig memory;  ///< Of all models.
  LogFormat log_format = LogFormat::text;
  std::string log_level = "info";
  bool notifies_supervisor = false;
};

/// The exit code where the arguments leave nothing to do: help, or what is wrong with them, is printed.
std::variant<Arguments, int> read_arguments(int count, char** words);

}  // namespace remotemedia::model_worker

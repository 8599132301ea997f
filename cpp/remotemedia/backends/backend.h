// SPDX-License-Identifier: Apache-2.0
//
// Backend: an engine that runs models from files, loaded from a plug-in.
//
//     Backend engine = Backend::open("/usr/lib/remotemedia/backends/openvino.so");
//     std::shared_ptr<BackendModel> vad = engine.load({.path = "silero_vad.onnx", .max_batch_size = 16});
//     ModelWorker worker(vad, {.max_batch_size = 16});
//
// Writing one: backend_plugin.h.

#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "remotemedia/backends/backend_model.h"
#include "remotemedia/base/export.h"
#include "remotemedia/registry/load_options.h"

struct remotemedia_backend_functions;

namespace remotemedia {

struct ModelFile {
  std::string path;
  std::string model_id = {};  ///< Empty: the file's name without its end.
  std::string device = "cpu";
  std::int64_t max_batch_size = 1;  ///< What the model is asked to take at once; its signature says what it does.
  std::size_t instances = 1;        ///< Calls that it must be able to run at once.

  /// The engine's own ones, by name.
  std::map<std::string, std::string> options = {};
  ReportProgress progress = {};
};

/// Threads:  any. Its code stays until the process ends.
class REMOTEMEDIA_API Backend {
 public:
  /// Errors:  load_failed that names the path, for a file that is not there, is no library, is no plug-in, or one of
  ///          another version of the interface.
  static Backend open(const std::string& path);

  const std::string& name() const noexcept { return name_; }
  const std::string& version() const noexcept { return version_; }

  /// ".onnx", …
  const std::vector<std::string>& file_kinds() const noexcept { return file_kinds_; }

  /// Whether the file's name ends with one of file_kinds(), in small letters or capitals.
  bool reads(const std::string& path) const;

  /// Takes as long as the engine does.
  ///
  /// Errors:  load_failed that names the file and the engine, with what it said; whatever `progress` throws.
  std::shared_ptr<BackendModel> load(const ModelFile& file) const;

 private:
  Backend() = default;

  const remotemedia_backend_functions* functions_ = nullptr;
  std::string name_;
  std::string version_;
  std::vector<std::string> file_kinds_;
};

}  // namespace remotemedia

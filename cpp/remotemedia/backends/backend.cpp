// SPDX-License-Identifier: Apache-2.0

#include "remotemedia/backends/backend.h"

#include <algorithm>
#include <exception>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <system_error>
#include <utility>
#include <vector>

#include "remotemedia/backends/backend_abi.h"
#include "remotemedia/backends/model_file.h"
#include "remotemedia/backends/plugin_border.h"
#include "remotemedia/base/error.h"
#include "remotemedia/platform/shared_library.h"

namespace remotemedia {

namespace {

using Entry = const remotemedia_backend_functions* (*)();

[[noreturn]] void refuse(const std::string& path, const std::string& why) {
  throw Error(ErrorCode::load_failed, "the backend '" + path + "' cannot be used: " + why);
}

char lower(char letter) { return letter >= 'A' && letter <= 'Z' ? static_cast<char>(letter - 'A' + 'a') : letter; }

bool ends_with(std::string_view text, std::string_view end) {
  return text.size() >= end.size() && std::ranges::equal(text.substr(text.size() - end.size()), end, {}, lower, lower);
}

/// Names and values in turn, and nullptr at the end; they point into `options`.
std::vector<const char*> in_turn(const std::map<std::string, std::string>& options) {
  std::vector<const char*> words;
  for (const auto& [name, value] : options) {
    words.push_back(name.c_str());
    words.push_back(value.c_str());
  }
  words.push_back(nullptr);
  return words;
}

/// What a plug-in reports while it loads; what the reporting throws waits until the plug-in has returned.
struct Progress {
  const ReportProgress& report;
  std::exception_ptr thrown = nullptr;

  static void hear(void* host, double fraction, const char* stage) {
    auto& self = *static_cast<Progress*>(host);
    if (!self.report || self.thrown) {
      return;
    }
    try {
      self.report(fraction >= 0 ? std::optional(std::min(fraction, 1.0)) : std::nullopt, stage == nullptr ? "" : stage);
    } catch (...) {
      self.thrown = std::current_exception();
    }
  }
};

}  // namespace

Backend Backend::open(const std::string& path) {
  std::error_code error;
  if (!std::filesystem::exists(path, error)) {
    refuse(path, "there is no such file");
  }
  const auto library = platform::SharedLibrary::open(std::filesystem::absolute(path).string());
  const auto entry = reinterpret_cast<Entry>(library.find(REMOTEMEDIA_BACKEND_ENTRY));
  if (entry == nullptr) {
    refuse(path, "it has no function " REMOTEMEDIA_BACKEND_ENTRY);
  }
  Backend backend;
  const std::optional<std::string> failure =
      failure_of([&](remotemedia_error*) { return (backend.functions_ = entry()) != nullptr; });
  if (failure) {
    refuse(path, REMOTEMEDIA_BACKEND_ENTRY "() gave nothing: " + *failure);
  }
  const remotemedia_backend_functions& functions = *backend.functions_;
  if (functions.abi != REMOTEMEDIA_BACKEND_ABI) {
    refuse(path, "it was made for version " + std::to_string(functions.abi) + " of the interface, this is version " +
                     std::to_string(REMOTEMEDIA_BACKEND_ABI) + "; build it anew");
  }
  if (functions.name == nullptr || functions.version == nullptr || functions.file_kinds == nullptr ||
      functions.load == nullptr || functions.describe == nullptr || functions.infer == nullptr ||
      functions.unload == nullptr) {
    refuse(path, "its name, version, file kinds, or one of its functions is missing");
  }
  backend.name_ = functions.name;
  backend.version_ = functions.version;
  for (const char* const* kind = functions.file_kinds; *kind != nullptr; ++kind) {
    backend.file_kinds_.emplace_back(*kind);
  }
  return backend;
}

bool Backend::reads(const std::string& path) const {
  return std::ranges::any_of(file_kinds_, [&](const std::string& kind) { return ends_with(path, kind); });
}

std::shared_ptr<BackendModel> Backend::load(const ModelFile& file) const {
  check_model_file(file.path);
  const std::vector<const char*> options = in_turn(file.options);
  Progress progress{file.progress};
  const remotemedia_load request{file.path.c_str(), file.device.c_str(), file.max_batch_size, file.instances,
                                 options.data(),    &progress,           Progress::hear};
  remotemedia_model* model = nullptr;
  const std::optional<std::string> failure = failure_of([&](remotemedia_error* error) {
    model = functions_->load(&request, error);
    return model != nullptr;
  });
  const std::string engine = name_ + " " + version_;
  if (failure) {
    if (progress.thrown) {
      std::rethrow_exception(progress.thrown);
    }
    throw Error(ErrorCode::load_failed, engine + " cannot load the model file '" + file.path + "': " + *failure);
  }
  const std::string stem = std::filesystem::path(file.path).stem().string();
  auto loaded =
      std::make_shared<BackendModel>(*functions_, model, engine, file.model_id.empty() ? stem : file.model_id);
  if (progress.thrown) {
    std::rethrow_exception(progress.thrown);
  }
  return loaded;
}

}  // namespace remotemedia

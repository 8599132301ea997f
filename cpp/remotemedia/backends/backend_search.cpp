// SPDX-License-Identifier: Apache-2.0

#include "remotemedia/backends/backend_search.h"

#include <algorithm>
#include <cstdlib>
#include <system_error>

#include "remotemedia/backends/model_file.h"
#include "remotemedia/base/error.h"

namespace remotemedia {

namespace {

namespace fs = std::filesystem;

constexpr char kBetweenFolders = fs::path::preferred_separator == '/' ? ':' : ';';  // as in PATH

bool is_plugin(const fs::path& file) {
  return file.extension() == ".so" || file.extension() == ".dll" || file.extension() == ".dylib";
}

std::vector<fs::path> plugins_in(const std::vector<fs::path>& folders) {
  std::vector<fs::path> found;
  for (const fs::path& folder : folders) {
    std::error_code error;
    const auto first = static_cast<std::ptrdiff_t>(found.size());
    for (fs::directory_iterator entry(folder, error), end; !error && entry != end; entry.increment(error)) {
      if (is_plugin(entry->path())) found.push_back(entry->path());
    }
    std::sort(found.begin() + first, found.end());
  }
  return found;
}

std::string listed(const std::vector<fs::path>& folders) {
  std::string text;
  for (const fs::path& folder : folders) text += (text.empty() ? "" : ", ") + folder.string();
  return text.empty() ? "no folder" : text;
}

/// What to say of a plug-in that is not the one.
std::string kinds_of(const Backend& backend) {
  std::string text = backend.name() + " reads";
  for (const std::string& kind : backend.file_kinds()) text += " " + kind;
  return text;
}

}  // namespace

std::vector<fs::path> backend_folders() {
  std::vector<fs::path> folders;
  const char* const given = std::getenv("REMOTEMEDIA_BACKEND_PATH");  // NOLINT(concurrency-mt-unsafe)
  std::string rest = given == nullptr ? "" : given;
  while (!rest.empty()) {
    const std::size_t end = std::min(rest.find(kBetweenFolders), rest.size());
    if (end > 0) folders.emplace_back(rest.substr(0, end));
    rest.erase(0, end + 1);
  }
  folders.emplace_back(REMOTEMEDIA_BACKEND_FOLDER);
  return folders;
}

Backend find_backend(const std::string& model_path, const std::string& backend, const std::vector<fs::path>& folders) {
  check_model_file(model_path);
  if (is_plugin(backend) || fs::path(backend).has_parent_path()) return Backend::open(backend);
  std::string seen;
  for (const fs::path& plugin : plugins_in(folders)) {
    if (!backend.empty() && plugin.stem() != backend) continue;
    try {
      Backend opened = Backend::open(plugin.string());
      if (!backend.empty() || opened.reads(model_path)) return opened;
      seen += "; " + kinds_of(opened);
    } catch (const Error& refused) {
      if (!backend.empty()) throw;
      seen += std::string("; ") + refused.what();
    }
  }
  throw Error(ErrorCode::load_failed,
              (backend.empty() ? "no backend reads '" + model_path + "'" : "there is no backend '" + backend + "'") +
                  ": looked in " + listed(folders) + seen + "; name more folders in REMOTEMEDIA_BACKEND_PATH");
}

}  // namespace remotemedia

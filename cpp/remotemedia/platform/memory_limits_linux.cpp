// SPDX-License-Identifier: Apache-2.0

#include "remotemedia/platform/memory_limits_linux.h"

#include <algorithm>
#include <charconv>
#include <exception>
#include <fstream>
#include <sstream>
#include <string>
#include <string_view>
#include <system_error>
#include <vector>

namespace remotemedia::platform {
namespace {

using Bytes = std::optional<std::size_t>;

Bytes least(Bytes one, Bytes other) { return one && other ? std::min(one, other) : (one ? one : other); }

/// The number that a text begins with, whatever the locale; nothing for "max".
Bytes number_of(std::string_view text) {
  text.remove_prefix(std::min(text.find_first_not_of(' '), text.size()));
  std::size_t number = 0;
  const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), number);
  return error == std::errc() ? Bytes(number) : std::nullopt;
}

Bytes number_in(const std::filesystem::path& file) {
  std::ifstream lines(file);
  std::string line;
  return std::getline(lines, line) ? number_of(line) : std::nullopt;
}

/// The number after `word` and a space or more at the beginning of a line.
Bytes number_after(const std::filesystem::path& file, std::string_view word) {
  std::ifstream lines(file);
  for (std::string line; std::getline(lines, line);) {
    if (!line.starts_with(word) || line.size() == word.size() || line[word.size()] != ' ') continue;
    return number_of(std::string_view(line).substr(word.size()));
  }
  return std::nullopt;
}

/// The names of one version's files.
struct Version {
  int number;
  const char* limit;
  const char* use;
  const char* droppable;  // in memory.stat
};

constexpr Version kVersion1{1, "memory.limit_in_bytes", "memory.usage_in_bytes", "total_inactive_file"};
constexpr Version kVersion2{2, "memory.max", "memory.current", "inactive_file"};

/// A hierarchy of groups: where it is mounted, and which of its groups is seen there.
struct Hierarchy {
  std::filesystem::path mount;
  std::filesystem::path top;
  Version version;
};

bool has_word(const std::string& list, std::string_view word) {
  std::istringstream parts(list);
  for (std::string part; std::getline(parts, part, ',');) {
    if (part == word) return true;
  }
  return false;
}

/// "36 35 98:0 /top /mount options [tags] - type source super-options"
std::vector<Hierarchy> hierarchies(const std::filesystem::path& root) {
  std::vector<Hierarchy> found;
  std::ifstream lines(root / "proc/self/mountinfo");
  for (std::string line; std::getline(lines, line);) {
    const std::size_t dash = line.find(" - ");
    if (dash == std::string::npos) continue;
    std::istringstream left(line.substr(0, dash));
    std::istringstream right(line.substr(dash + 3));
    std::string skip;
    std::string top;
    std::string mount;
    std::string type;
    std::string options;
    if (!(left >> skip >> skip >> skip >> top >> mount) || !(right >> type >> skip >> options)) continue;
    const std::filesystem::path place = root / std::filesystem::path(mount).relative_path();
    if (type == "cgroup2") found.push_back({place, top, kVersion2});
    if (type == "cgroup" && has_word(options, "memory")) found.push_back({place, top, kVersion1});
  }
  return found;
}

/// This process's group in version 2, or in version 1's hierarchy of memory: "0::/path", "4:memory:/path".
std::optional<std::filesystem::path> group_in(const std::filesystem::path& root, const Version& version) {
  std::ifstream lines(root / "proc/self/cgroup");
  for (std::string line; std::getline(lines, line);) {
    const std::size_t first = line.find(':');
    const std::size_t second = line.find(':', first + 1);
    if (first == std::string::npos || second == std::string::npos) continue;
    const std::string controllers = line.substr(first + 1, second - first - 1);
    const bool ours = version.number == 2 ? controllers.empty() : has_word(controllers, "memory");
    if (ours) return line.substr(second + 1);
  }
  return std::nullopt;
}

Bytes left_in(const std::filesystem::path& group, const Version& version) {
  const Bytes limit = number_in(group / version.limit);
  const Bytes use = number_in(group / version.use);
  if (!limit || !use) return std::nullopt;
  const std::size_t droppable = number_after(group / "memory.stat", version.droppable).value_or(0);
  const std::size_t needed = *use - std::min(*use, droppable);
  return *limit - std::min(*limit, needed);
}

/// Of the process's group and of all above it that can be seen.
Bytes left_on_the_way(const Hierarchy& hierarchy, const std::filesystem::path& group) {
  std::filesystem::path way = group.lexically_relative(hierarchy.top);
  if (way.empty() || way == "." || *way.begin() == "..") way.clear();  // what is mounted is all there is to see
  Bytes left = left_in(hierarchy.mount, hierarchy.version);
  std::filesystem::path place = hierarchy.mount;
  for (const std::filesystem::path& part : way) {
    place /= part;
    left = least(left, left_in(place, hierarchy.version));
  }
  return left;
}

}  // namespace

std::optional<std::size_t> available_memory_below(const std::filesystem::path& root) noexcept {
  try {
    constexpr std::size_t kKilo = 1024;
    Bytes available = number_after(root / "proc/meminfo", "MemAvailable:");
    if (available) *available *= kKilo;
    for (const Hierarchy& hierarchy : hierarchies(root)) {
      const std::optional<std::filesystem::path> group = group_in(root, hierarchy.version);
      if (group) available = least(available, left_on_the_way(hierarchy, *group));
    }
    return available;
  } catch (const std::exception&) {
    return std::nullopt;
  }
}

}  // namespace remotemedia::platform

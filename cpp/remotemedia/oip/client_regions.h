// SPDX-License-Identifier: Apache-2.0
//
// ClientRegions: named shared memory in which clients put inputs and want outputs, as Triton's clients know it.

#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "remotemedia/base/export.h"
#include "remotemedia/base/mutex.h"
#include "remotemedia/oip/raw_tensor.h"
#include "remotemedia/platform/named_memory.h"
#include "remotemedia/worker/parameters.h"

namespace remotemedia::detail {

/// The place of one tensor. Stays when its region is removed.
struct RegionPart {
  std::shared_ptr<const platform::NamedMemory> memory;
  std::string region;
  std::uint64_t offset = 0;  ///< In the region, as the client said it,
  std::uint64_t begin = 0;   ///< and in the memory.
  std::uint64_t size = 0;
};

/// By tensor.
using RegionParts = std::map<std::string, RegionPart, std::less<>>;

/// What a client writes and reads may change or go at any time: elements are copied by system calls, and a region that
/// has become smaller is an error of that call.
///
/// Threads:  any.
class REMOTEMEDIA_API ClientRegions {
 public:
  struct Region {
    std::string key;
    std::uint64_t offset = 0;
    std::uint64_t size = 0;
    std::shared_ptr<const platform::NamedMemory> memory = nullptr;
  };

  /// allowed: whether there may be any.
  explicit ClientRegions(bool allowed) : allowed_(allowed) {}

  /// Errors:  invalid_argument where none are allowed, the name is taken, or it is not within the memory; rejected
  ///          beyond 1024; those of NamedMemory::open.
  void add(const std::string& name, const std::string& key, std::uint64_t offset, std::uint64_t size);

  /// Empty: all. Nothing where it is not there.
  void remove(const std::string& name);

  /// name: empty for all.
  ///
  /// Errors:  invalid_argument for one that is not there.
  std::map<std::string, Region> list(const std::string& name) const;

  /// What the parameters of a tensor say: taken out of them. None: it lies in no region.
  ///
  /// Errors:  invalid_argument for a region that is not there, and a part that is not within it.
  std::optional<RegionPart> part_of(const std::string& tensor, Parameters& parameters) const;

 private:
  const bool allowed_;
  mutable Mutex mutex_;
  std::map<std::string, Region> regions_ REMOTEMEDIA_GUARDED_BY(mutex_);
};

/// A copy of what lies there now.
///
/// Errors:  invalid_tensor as tensor_of_raw, and where the memory ends before.
REMOTEMEDIA_API TensorBuffer tensor_of_part(const AnnouncedTensor& tensor, const RegionPart& part);

/// Errors:  invalid_tensor where it has no room.
REMOTEMEDIA_API void write_to_part(const RegionPart& part, std::string_view name, const TensorBuffer& tensor);

}  // namespace remotemedia::detail

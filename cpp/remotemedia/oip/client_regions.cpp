// SPDX-License-Identifier: Apache-2.0

#include "remotemedia/oip/client_regions.h"

#include <span>
#include <utility>
#include <variant>

#include "remotemedia/base/error.h"

namespace remotemedia::detail {
namespace {

constexpr std::size_t kMostRegions = 1024;

[[noreturn]] void refuse(const std::string& why) { throw Error(ErrorCode::invalid_argument, why); }

std::string shown(const std::string& name) { return std::string("'").append(name.substr(0, 100)).append("'"); }

bool is_within(std::uint64_t offset, std::uint64_t size, std::uint64_t whole) {
  return size <= whole && offset <= whole - size;
}

std::optional<std::uint64_t> number(const std::string& tensor, Parameters& parameters, const char* name) {
  const auto found = parameters.find(std::string_view(name));
  if (found == parameters.end()) return std::nullopt;
  const auto* const value = std::get_if<std::int64_t>(&found->second);
  if (value == nullptr || *value < 0) {
    refuse("the tensor " + shown(tensor) + " has a " + name + " that is no whole number from 0");
  }
  const auto given = static_cast<std::uint64_t>(*value);
  parameters.erase(found);
  return given;
}

}  // namespace

void ClientRegions::add(const std::string& name, const std::string& key, std::uint64_t offset, std::uint64_t size) {
  if (!allowed_) {
    refuse("this worker takes no shared memory from clients: its WorkerConfig allows it by allow_client_shared_memory");
  }
  if (name.empty() || size == 0) refuse("a region has a name, and bytes");
  Region region{key, offset, size, platform::NamedMemory::open(key)};
  if (!is_within(offset, size, region.memory->size())) {
    refuse("the region " + shown(name) + " of " + std::to_string(size) + " bytes at " + std::to_string(offset) +
           " is not within its shared memory of " + std::to_string(region.memory->size()));
  }
  MutexLock lock(mutex_);
  if (regions_.contains(name)) refuse("the region " + shown(name) + " is registered already");
  if (regions_.size() >= kMostRegions) {
    throw Error(ErrorCode::rejected, std::to_string(kMostRegions) + " regions are registered: remove some first");
  }
  regions_.emplace(name, std::move(region));
}

void ClientRegions::remove(const std::string& name) {
  std::map<std::string, Region> removed;  // closed without the mutex
  MutexLock lock(mutex_);
  if (name.empty()) {
    removed.swap(regions_);
  } else if (auto found = regions_.extract(name); !found.empty()) {
    removed.insert(std::move(found));
  }
}

std::map<std::string, ClientRegions::Region> ClientRegions::list(const std::string& name) const {
  MutexLock lock(mutex_);
  if (name.empty()) return regions_;
  const auto found = regions_.find(name);
  if (found == regions_.end()) refuse("no region " + shown(name) + " is registered");
  return {*found};
}

std::optional<RegionPart> ClientRegions::part_of(const std::string& tensor, Parameters& parameters) const {
  const auto named = parameters.find(std::string_view("shared_memory_region"));
  if (named == parameters.end()) return std::nullopt;
  const auto* const name = std::get_if<std::string>(&named->second);
  if (name == nullptr) refuse("the tensor " + shown(tensor) + " has a shared_memory_region that is no text");
  RegionPart part;
  part.region = *name;
  parameters.erase(named);
  const std::optional<std::uint64_t> size = number(tensor, parameters, "shared_memory_byte_size");
  if (!size) refuse("the tensor " + shown(tensor) + " has a shared_memory_region without shared_memory_byte_size");
  part.size = *size;
  part.offset = number(tensor, parameters, "shared_memory_offset").value_or(0);
  if (!allowed_) {
    refuse("the tensor " + shown(tensor) + " is said to lie in shared memory, which this worker does not take from " +
           "clients");
  }
  MutexLock lock(mutex_);
  const auto found = regions_.find(part.region);
  if (found == regions_.end()) {
    refuse("the tensor " + shown(tensor) + " is said to lie in the region " + shown(part.region) +
           ", which is not registered");
  }
  if (!is_within(part.offset, part.size, found->second.size)) {
    refuse("the tensor " + shown(tensor) + " of " + std::to_string(part.size) + " bytes at " +
           std::to_string(part.offset) + " is not within the region " + shown(part.region) + " of " +
           std::to_string(found->second.size));
  }
  part.memory = found->second.memory;
  part.begin = found->second.offset + part.offset;
  return part;
}

TensorBuffer tensor_of_part(const AnnouncedTensor& tensor, const RegionPart& part) {
  check_bytes(tensor, part.size);
  const auto copied = std::make_shared<const TensorBuffer>(
      TensorBuffer::allocate({static_cast<std::int64_t>(part.size)}, DataType::uint8));
  part.memory->read(part.begin, {copied->mutable_data(), copied->nbytes()});
  return tensor_of_raw(tensor, {copied->data(), copied->nbytes()}, copied);
}

void write_to_part(const RegionPart& part, std::string_view name, const TensorBuffer& tensor) {
  if (tensor.nbytes() > part.size) {
    throw Error(ErrorCode::invalid_tensor, "the output '" + std::string(name) + "' has " +
                                               std::to_string(tensor.nbytes()) + " bytes, and room for " +
                                               std::to_string(part.size) + " in the region '" + part.region + "'");
  }
  const TensorBuffer whole = tensor.is_contiguous() ? tensor : tensor.copy();
  part.memory->write(part.begin, {whole.data(), whole.nbytes()});
}

}  // namespace remotemedia::detail

// SPDX-License-Identifier: Apache-2.0

#include <sys/mman.h>

#include <utility>

#include "remotemedia/platform/shared_memory.h"

namespace remotemedia::platform {

Mapping::Mapping(Mapping&& other) noexcept
    : data_(std::exchange(other.data_, nullptr)), size_(std::exchange(other.size_, 0)), access_(other.access_) {}

Mapping& Mapping::operator=(Mapping&& other) noexcept {
  Mapping taken(std::move(other));
  std::swap(data_, taken.data_);
  std::swap(size_, taken.size_);
  std::swap(access_, taken.access_);
  return *this;
}

Mapping::~Mapping() {
  if (data_ != nullptr) munmap(data_, size_);
}

}  // namespace remotemedia::platform

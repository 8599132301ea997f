// SPDX-License-Identifier: Apache-2.0
//
// What the machine has in total.

#pragma once

#include <cstddef>

namespace remotemedia::platform {

/// Bytes of main memory; as many as can be written down where the system does not say.
std::size_t memory_of_machine() noexcept;

}  // namespace remotemedia::platform

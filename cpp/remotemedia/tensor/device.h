// SPDX-License-Identifier: Apache-2.0
//
// Device: where a tensor's elements lie, numbered as DLPack does and written as torch does ("cpu", "cuda:0").

#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "remotemedia/base/export.h"

namespace remotemedia {

/// The values are DLPack's.
enum class DeviceType : std::int32_t {
  cpu = 1,
  cuda = 2,
  cuda_host = 3,
  opencl = 4,
  vulkan = 7,
  metal = 8,
  vpi = 9,
  rocm = 10,
  rocm_host = 11,
  ext_dev = 12,
  cuda_managed = 13,
  oneapi = 14,
  webgpu = 15,
  hexagon = 16,
  maia = 17,
  trainium = 18,
};

struct Device {
  DeviceType type = DeviceType::cpu;
  std::int32_t index = 0;

  friend bool operator==(const Device&, const Device&) = default;
};

/// Whether the processor reads its memory through ordinary addresses: cpu, and pinned or managed memory of a GPU.
constexpr bool is_host(DeviceType type) noexcept {
  return type == DeviceType::cpu || type == DeviceType::cuda_host || type == DeviceType::rocm_host ||
         type == DeviceType::cuda_managed;
}

/// "cpu", "cuda"; empty for a number that is not in DLPack.
REMOTEMEDIA_API std::string_view to_string(DeviceType type) noexcept;

/// With the index, but for a cpu of index 0: "cpu", "cuda:0".
REMOTEMEDIA_API std::string to_string(Device device);

/// "cuda:1", or "cuda" for index 0; "mps" is metal. Nothing for any other text.
REMOTEMEDIA_API std::optional<Device> device_from_text(std::string_view text) noexcept;

}  // namespace remotemedia

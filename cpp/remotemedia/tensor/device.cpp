// SPDX-License-Identifier: Apache-2.0

#include "remotemedia/tensor/device.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <utility>

namespace remotemedia {
namespace {

constexpr std::array kNames{
    std::pair{DeviceType::cpu, std::string_view("cpu")},
    std::pair{DeviceType::cuda, std::string_view("cuda")},
    std::pair{DeviceType::cuda_host, std::string_view("cuda_host")},
    std::pair{DeviceType::opencl, std::string_view("opencl")},
    std::pair{DeviceType::vulkan, std::string_view("vulkan")},
    std::pair{DeviceType::metal, std::string_view("metal")},
    std::pair{DeviceType::vpi, std::string_view("vpi")},
    std::pair{DeviceType::rocm, std::string_view("rocm")},
    std::pair{DeviceType::rocm_host, std::string_view("rocm_host")},
    std::pair{DeviceType::ext_dev, std::string_view("ext_dev")},
    std::pair{DeviceType::cuda_managed, std::string_view("cuda_managed")},
    std::pair{DeviceType::oneapi, std::string_view("oneapi")},
    std::pair{DeviceType::webgpu, std::string_view("webgpu")},
    std::pair{DeviceType::hexagon, std::string_view("hexagon")},
    std::pair{DeviceType::maia, std::string_view("maia")},
    std::pair{DeviceType::trainium, std::string_view("trainium")},
    std::pair{DeviceType::metal, std::string_view("mps")},  // torch's word; the first one is ours
};

}  // namespace

std::string_view to_string(DeviceType type) noexcept {
  const auto* const found = std::ranges::find(kNames, type, [](const auto& row) { return row.first; });
  return found == kNames.end() ? std::string_view() : found->second;
}

std::string to_string(Device device) {
  std::string text(to_string(device.type));
  if (device != Device{}) text.append(1, ':').append(std::to_string(device.index));
  return text;
}

std::optional<Device> device_from_text(std::string_view text) noexcept {
  const std::size_t colon = text.find(':');
  const auto* const found =
      std::ranges::find(kNames, text.substr(0, colon), [](const auto& row) { return row.second; });
  if (found == kNames.end()) return std::nullopt;
  Device device{found->first, 0};
  if (colon == std::string_view::npos) return device;
  const char* const end = text.data() + text.size();
  const auto [rest, error] = std::from_chars(text.data() + colon + 1, end, device.index);
  if (error != std::errc() || rest != end || device.index < 0) return std::nullopt;
  return device;
}

}  // namespace remotemedia

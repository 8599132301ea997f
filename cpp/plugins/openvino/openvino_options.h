// SPDX-License-Identifier: Apache-2.0
//
// What a model can be loaded with by the OpenVINO plug-in, beside the device.
//
//   threads            how many the engine may use; 0, the default: as many as there are cores
//   cache_dir          where compiled models are kept for the next start
//   batch_axis.NAME    which axis of an input or output is the batch, where it is not the first
//   fixed_batches      up to how many rows a batch has a network of its own, which costs its memory and time to
//   compile:
//                      the engine takes long to change from one number of rows to another. The default is 4 for
//                      networks of up to 4 MiB, otherwise 0
//   fix.NAME           a number that an input always has; callers do not see it

#pragma once

#include <cstddef>
#include <map>
#include <optional>
#include <string>

namespace remotemedia::openvino_plugin {

struct OpenvinoOptions {
  std::size_t threads = 0;
  std::string cache_dir;
  std::map<std::string, std::size_t> batch_axes;
  std::optional<std::size_t> fixed_batches;
  std::map<std::string, double> fixed;
};

/// Errors:  std::invalid_argument that names the option.
OpenvinoOptions read_options(const std::map<std::string, std::string>& options);

}  // namespace remotemedia::openvino_plugin

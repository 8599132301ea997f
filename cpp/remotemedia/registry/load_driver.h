// SPDX-License-Identifier: Apache-2.0
//
// Runs a loader for a call that waits, and waits: what the typed get_or_load comes down to on a miss.

#pragma once

#include <functional>
#include <optional>
#include <string_view>
#include <typeinfo>

#include "remotemedia/base/export.h"
#include "remotemedia/registry/load_options.h"
#include "remotemedia/registry/model_handle.h"
#include "remotemedia/registry/registry_core.h"

namespace remotemedia::detail {

using Loader = std::function<LoadedModel(const ReportProgress&)>;

/// With a timeout in `options` the loader runs on a thread of its own, otherwise on this one if this call is
/// the one that loads.
///
/// Errors:  load_failed with the loader's exception nested, out_of_memory, deadline_exceeded, type_mismatch,
///          invalid_argument.
REMOTEMEDIA_API Hold load(const std::shared_ptr<RegistryCore>& core, std::string_view key, const std::type_info& type,
                          const LoadOptions& options, const Loader& loader);

/// A hold that carries the label of `options`, if it has one.
REMOTEMEDIA_API Hold labelled(RegistryCore& core, ModelSlot* slot, const LoadOptions& options);

}  // namespace remotemedia::detail

// SPDX-License-Identifier: Apache-2.0
//
// What a person sees who opens the address in a browser.

#pragma once

#include <string>

#include "remotemedia/oip/served_models.h"

namespace remotemedia::detail {

/// HTML that needs nothing else and asks for itself anew.
std::string status_page(const ServedModels& models);

}  // namespace remotemedia::detail

// SPDX-License-Identifier: Apache-2.0
//
// Whether a call brings the token that a worker wants.

#pragma once

#include <string_view>

#include "remotemedia/base/export.h"

namespace remotemedia::detail {

/// authorization: the header as it came, "Bearer TOKEN". True for an empty `token`.
///
/// Cost:  the same for every token of a length, however much of it is right.
REMOTEMEDIA_API bool is_authorized(std::string_view token, std::string_view authorization) noexcept;

}  // namespace remotemedia::detail

// SPDX-License-Identifier: Apache-2.0
//
// Errors as HTTP tells them: a status, and {"error": "..."}.

#pragma once

#include <exception>
#include <string>

#include "remotemedia/http/http_message.h"

namespace remotemedia::detail {

HttpResponse error_response(unsigned status, const std::string& why);

/// With the status that stands for its code, and when to come again where that helps.
HttpResponse error_response(const std::exception_ptr& error);

}  // namespace remotemedia::detail

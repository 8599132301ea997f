// SPDX-License-Identifier: Apache-2.0
//
// Calls into a plug-in: what it throws and what it tells become text.

#pragma once

#include <cstddef>
#include <exception>
#include <new>
#include <optional>
#include <string>
#include <utility>

#include "remotemedia/backends/backend_abi.h"

namespace remotemedia {

/// `call` gets the struct to be filled in and says whether all is well. Nothing where it is, otherwise why not.
template <class Call>
std::optional<std::string> failure_of(Call&& call) {
  remotemedia_error error{};
  try {
    if (std::forward<Call>(call)(&error)) {
      return std::nullopt;
    }
  } catch (const std::bad_alloc&) {
    return "out of memory";
  } catch (const std::exception& thrown) {
    return thrown.what();
  } catch (...) {
    return "it threw what is no std::exception";
  }
  error.text[sizeof(error.text) - 1] = '\0';
  return error.text[0] == '\0' ? "it did not say why" : std::string(error.text);
}

}  // namespace remotemedia

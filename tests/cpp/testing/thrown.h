// SPDX-License-Identifier: Apache-2.0
//
// What a call throws, for tests that look at it.

#pragma once

#include <gtest/gtest.h>

#include <exception>
#include <stdexcept>
#include <string>

#include "remotemedia/base/error.h"

namespace remotemedia::testing {

/// The exception that `call` throws; none is a failure of the test and nullptr.
template <class F>
std::exception_ptr thrown_by(F&& call) {
  try {
    call();
  } catch (...) {
    return std::current_exception();
  }
  ADD_FAILURE() << "nothing was thrown";
  return nullptr;
}

/// The same, copied as an E. Any other type is a failure of the test.
template <class E = Error, class F>
E thrown(F&& call) {
  const std::exception_ptr error = thrown_by(call);
  if (error == nullptr) throw std::logic_error("nothing was thrown");
  try {
    std::rethrow_exception(error);
  } catch (const E& expected) {
    return expected;
  }
}

/// The code of the Error that `call` throws.
template <class F>
ErrorCode code_thrown(F&& call) {
  return thrown<Error>(call).code();
}

/// What() of `error`, then of its cause, then of that one's.
inline std::string chain_of(const std::exception_ptr& error) {
  try {
    std::rethrow_exception(error);
  } catch (const std::exception& one) {
    std::string text = one.what();
    try {
      std::rethrow_if_nested(one);
    } catch (...) {
      text += " <- " + chain_of(std::current_exception());
    }
    return text;
  } catch (...) {
    return "no std::exception";
  }
}

/// The cause of `error`, or nullptr.
inline std::exception_ptr cause_of(const std::exception_ptr& error) {
  try {
    std::rethrow_exception(error);
  } catch (const std::nested_exception& nested) {
    return nested.nested_ptr();
  } catch (...) {
    return nullptr;
  }
}

}  // namespace remotemedia::testing

// SPDX-License-Identifier: Apache-2.0
//
// LoadError: a Python loader's exception on its way through C++ to everybody who waited.

#pragma once

#include <memory>
#include <string>
#include <utility>

#include "../gil_object.h"
#include "remotemedia/base/error.h"

namespace remotemedia::python {

class LoadError final : public Error {
 public:
  LoadError(const std::string& message, nanobind::object cause)
      : Error(ErrorCode::load_failed, message), cause_(std::make_shared<GilObject>(std::move(cause))) {}
  ~LoadError() override;
  LoadError(const LoadError&) = default;
  LoadError& operator=(const LoadError&) = default;

  const nanobind::object& cause() const noexcept { return cause_->get(); }

 private:
  std::shared_ptr<GilObject> cause_;
};

}  // namespace remotemedia::python

// SPDX-License-Identifier: Apache-2.0
//
// Deliveries: answers on their way to Python. Those that come together take the GIL once.

#pragma once

#include <nanobind/nanobind.h>

#include <exception>
#include <functional>
#include <memory>
#include <vector>

#include "../gil_object.h"
#include "remotemedia/base/mutex.h"
#include "remotemedia/worker/tensor_map.h"

namespace remotemedia::python {

/// Of one client.
///
/// Threads:  any, without the GIL or with it.
class Deliveries : public std::enable_shared_from_this<Deliveries> {
 public:
  /// Calls done(outputs, None) or done(None, error), in the order in which the answers come; not once the interpreter
  /// goes. With the GIL.
  std::function<void(TensorMap, std::exception_ptr)> to(nanobind::object done, bool one_output);

 private:
  struct Delivery {
    std::shared_ptr<GilObject> done;
    bool one_output;
    TensorMap outputs;
    std::exception_ptr error;

    void make() const;
  };

  void add(Delivery delivery);
  void deliver();

  Mutex mutex_;
  std::vector<Delivery> waiting_ REMOTEMEDIA_GUARDED_BY(mutex_);
};

}  // namespace remotemedia::python

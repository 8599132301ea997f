// SPDX-License-Identifier: Apache-2.0
//
// Deliveries: answers on their way to Python. Those that come together take the GIL once.

#pragma once

#include <nanobind/nanobind.h>

#include <functional>
#include <memory>
#include <vector>

#include "remotemedia/base/mutex.h"

namespace remotemedia::python {

/// Of one client.
///
/// Threads:  any, without the GIL or with it.
class Deliveries : public std::enable_shared_from_this<Deliveries> {
 public:
  /// Calls done(), in the order in which the answers come; not once the interpreter goes. With the GIL.
  std::function<void()> of(nanobind::object done);

 private:
  void add(std::function<void()> delivery);
  void deliver();

  Mutex mutex_;
  std::vector<std::function<void()>> waiting_ REMOTEMEDIA_GUARDED_BY(mutex_);
};

}  // namespace remotemedia::python

// SPDX-License-Identifier: Apache-2.0
//
// A handle of one type is no handle of another, not even of its base.

#include "remotemedia/registry/model_handle.h"

struct Base {
  virtual ~Base() = default;
};
struct Derived : Base {};

void copy(const remotemedia::ModelHandle<Derived>& handle) {
  remotemedia::ModelHandle<Derived> same = handle;
  same.release();
#ifdef MUST_NOT_COMPILE
  remotemedia::ModelHandle<Base> other = handle;
#endif
}

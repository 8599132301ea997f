// SPDX-License-Identifier: Apache-2.0

#include "remotemedia/memory/not_inherited.h"

#include "remotemedia/base/mutex.h"
#include "remotemedia/platform/fork.h"

namespace remotemedia {
namespace {

struct List {
  Mutex mutex;
  NotInheritedObject* first REMOTEMEDIA_GUARDED_BY(mutex) = nullptr;
};

List& list() {
  static List* const instance = [] {
    auto* const made = new List;
    at_fork(&NotInheritedObject::lock_for_fork, &NotInheritedObject::unlock_in_parent,
            &NotInheritedObject::close_all_in_child);
    return made;
  }();
  return *instance;
}

}  // namespace

void NotInheritedObject::enlist() {
  MutexLock lock(list().mutex);
  after_ = list().first;
  if (after_ != nullptr) after_->before_ = this;
  list().first = this;
  listed_ = true;
}

void NotInheritedObject::unlist() noexcept {
  if (!listed_) return;
  MutexLock lock(list().mutex);
  if (before_ != nullptr) before_->after_ = after_;
  if (after_ != nullptr) after_->before_ = before_;
  if (list().first == this) list().first = after_;
  before_ = after_ = nullptr;
  listed_ = false;
}

void NotInheritedObject::lock_for_fork() REMOTEMEDIA_THREAD_ANNOTATION(no_thread_safety_analysis) {
  list().mutex.lock();
}

void NotInheritedObject::unlock_in_parent() REMOTEMEDIA_THREAD_ANNOTATION(no_thread_safety_analysis) {
  list().mutex.unlock();
}

void NotInheritedObject::close_all_in_child() REMOTEMEDIA_THREAD_ANNOTATION(no_thread_safety_analysis) {
  for (NotInheritedObject* object = list().first; object != nullptr;) {
    NotInheritedObject* const next = object->after_;
    object->close_in_child();
    object->before_ = object->after_ = nullptr;
    object->listed_ = false;
    object = next;
  }
  list().first = nullptr;
  list().mutex.unlock();
}

}  // namespace remotemedia

// SPDX-License-Identifier: Apache-2.0
//
// NotInherited: a channel, listener or doorbell that a forked child closes, so that the kernel tells the other side
// when this process dies, whatever children it has, and so that no child answers in its parent's name.
//
//     NotInherited<platform::DescriptorChannel> channel;
//     channel.set(platform::DescriptorChannel::connect(address, deadline));
//     if (*channel) …                                        // false in a forked child

#pragma once

#include <utility>

#include "remotemedia/base/export.h"

namespace remotemedia {

/// What the list of them knows.
class REMOTEMEDIA_API NotInheritedObject {
 public:
  NotInheritedObject(const NotInheritedObject&) = delete;
  NotInheritedObject& operator=(const NotInheritedObject&) = delete;

  static void lock_for_fork();
  static void unlock_in_parent();
  static void close_all_in_child();

 protected:
  NotInheritedObject() = default;
  ~NotInheritedObject() = default;

  /// From enlist() to unlist() a fork may call close_in_child().
  void enlist();
  void unlist() noexcept;
  virtual void close_in_child() noexcept = 0;

 private:
  NotInheritedObject* before_ = nullptr;
  NotInheritedObject* after_ = nullptr;
  bool listed_ = false;
};

/// Threads:  set() before others use it.
template <class T>
class NotInherited final : public NotInheritedObject {
 public:
  NotInherited() = default;
  ~NotInherited() { unlist(); }
  NotInherited(const NotInherited&) = delete;
  NotInherited& operator=(const NotInherited&) = delete;

  /// Once.
  ///
  /// Errors:  std::bad_alloc, the first time in a process.
  void set(T value) {
    value_ = std::move(value);
    enlist();
  }

  /// Closes it here.
  void reset() noexcept {
    unlist();
    value_ = T{};
  }

  T& operator*() noexcept { return value_; }
  T* operator->() noexcept { return &value_; }

 private:
  void close_in_child() noexcept override { value_ = T{}; }

  T value_;
};

}  // namespace remotemedia

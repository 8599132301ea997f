// SPDX-License-Identifier: Apache-2.0
//
// Mutex, MutexLock and CondVar: the standard ones with clang's thread-safety annotations, so that the
// compiler checks which lock guards what.

#pragma once

#include <chrono>
#include <condition_variable>
#include <mutex>
#include <new>

#if defined(__clang__)
#define REMOTEMEDIA_THREAD_ANNOTATION(x) __attribute__((x))
#else
#define REMOTEMEDIA_THREAD_ANNOTATION(x)
#endif

#define REMOTEMEDIA_GUARDED_BY(x) REMOTEMEDIA_THREAD_ANNOTATION(guarded_by(x))
#define REMOTEMEDIA_REQUIRES(...) REMOTEMEDIA_THREAD_ANNOTATION(requires_capability(__VA_ARGS__))
#define REMOTEMEDIA_EXCLUDES(...) REMOTEMEDIA_THREAD_ANNOTATION(locks_excluded(__VA_ARGS__))

namespace remotemedia {

class REMOTEMEDIA_THREAD_ANNOTATION(capability("mutex")) Mutex {
 public:
  Mutex() = default;
  Mutex(const Mutex&) = delete;
  Mutex& operator=(const Mutex&) = delete;

  void lock() REMOTEMEDIA_THREAD_ANNOTATION(acquire_capability()) { mutex_.lock(); }
  void unlock() REMOTEMEDIA_THREAD_ANNOTATION(release_capability()) { mutex_.unlock(); }

 private:
  friend class CondVar;
  std::mutex mutex_;
};

class REMOTEMEDIA_THREAD_ANNOTATION(scoped_lockable) MutexLock {
 public:
  explicit MutexLock(Mutex& mutex) REMOTEMEDIA_THREAD_ANNOTATION(acquire_capability(mutex)) : mutex_(mutex) {
    mutex_.lock();
  }
  ~MutexLock() REMOTEMEDIA_THREAD_ANNOTATION(release_capability()) { mutex_.unlock(); }
  MutexLock(const MutexLock&) = delete;
  MutexLock& operator=(const MutexLock&) = delete;

 private:
  Mutex& mutex_;
};

class CondVar {
 public:
  void wait(Mutex& mutex) REMOTEMEDIA_REQUIRES(mutex) {
    std::unique_lock<std::mutex> lock(mutex.mutex_, std::adopt_lock);
    condition_.wait(lock);
    lock.release();
  }

  /// Returns when notified, when `deadline` has passed, or without a reason.
  void wait_until(Mutex& mutex, std::chrono::steady_clock::time_point deadline) REMOTEMEDIA_REQUIRES(mutex) {
    std::unique_lock<std::mutex> lock(mutex.mutex_, std::adopt_lock);
    condition_.wait_until(lock, deadline);
    lock.release();
  }

  void notify_all() noexcept { condition_.notify_all(); }

  /// In a forked child: forgets the waiters, whose threads are gone.
  void forget_waiters() noexcept { new (&condition_) std::condition_variable; }

 private:
  std::condition_variable condition_;
};

}  // namespace remotemedia

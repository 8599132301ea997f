// SPDX-License-Identifier: Apache-2.0
//
// What ThreadSanitizer must know. Other builds do not call these.

extern "C" const char* __tsan_default_options();       // NOLINT: its name
extern "C" const char* __tsan_default_suppressions();  // NOLINT: its name

/// A forked child may start threads.
const char* __tsan_default_options() { return "die_after_fork=0"; }  // NOLINT

/// libstdc++.so counts who shares an exception in code that the sanitizer does not see.
const char* __tsan_default_suppressions() {
  return "race:std::__exception_ptr::exception_ptr::_M_release\n";
}  // NOLINT

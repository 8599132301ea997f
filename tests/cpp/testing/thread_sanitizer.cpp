// SPDX-License-Identifier: Apache-2.0
//
// What ThreadSanitizer must know. Other builds do not call this.

extern "C" const char* __tsan_default_suppressions();  // NOLINT: its name

/// libstdc++.so counts who shares an exception in code that the sanitizer does not see.
const char* __tsan_default_suppressions() {
  return "race:std::__exception_ptr::exception_ptr::_M_release\n";
}  // NOLINT

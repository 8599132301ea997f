// SPDX-License-Identifier: Apache-2.0
//
// Who the user is and what others may do: security descriptors and user ids (SIDs) as text.

#pragma once

#include <string>

#include "remotemedia/platform/handle_windows.h"

namespace remotemedia::platform {

/// A security descriptor from its text (SDDL).
class SecurityDescriptor {
 public:
  /// Errors:  OsError.
  explicit SecurityDescriptor(const std::wstring& text);
  ~SecurityDescriptor();
  SecurityDescriptor(const SecurityDescriptor&) = delete;
  SecurityDescriptor& operator=(const SecurityDescriptor&) = delete;

  /// For the functions that make things; children do not inherit the handle.
  ///
  /// Lifetime:  as this object.
  SECURITY_ATTRIBUTES attributes() const noexcept;

 private:
  PSECURITY_DESCRIPTOR descriptor_ = nullptr;
};

/// The SID of the user that `process` runs as.
///
/// Errors:  OsError.
std::wstring user_of(HANDLE process);

/// Everything to this user and nothing to others; what is made inside a folder inherits it.
///
/// Errors:  OsError.
std::wstring only_this_user();

}  // namespace remotemedia::platform

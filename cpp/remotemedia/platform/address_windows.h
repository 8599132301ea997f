// SPDX-License-Identifier: Apache-2.0
//
// An address on Windows is a file with the name of a pipe in it: pipes stand in a folder of the whole machine, the file
// in one of the user's own. The name is random, so that nobody can take it before.

#pragma once

#include <filesystem>
#include <optional>
#include <string>

#include "remotemedia/platform/handle_windows.h"

namespace remotemedia::platform {

/// Errors:  invalid_argument for a path that is empty or longer than Windows takes.
void check_address(const std::filesystem::path& address);

/// The file at `address` with `pipe_name` in it, all at once, in place of one where nobody listens. While the handle is
/// open nobody can remove it.
///
/// Errors:  OsError, with ERROR_ALREADY_EXISTS if something else is there.
OwnedHandle publish_address(const std::filesystem::path& address, const std::wstring& pipe_name);

/// Takes away what publish_address() made.
void withdraw_address(OwnedHandle file) noexcept;

/// The pipe's name; nothing if no address is there.
std::optional<std::wstring> read_address(const std::filesystem::path& address);

/// Removes `address` if it is one, and nobody listens there; whether it did.
bool remove_address_if_dead(const std::filesystem::path& address) noexcept;

}  // namespace remotemedia::platform

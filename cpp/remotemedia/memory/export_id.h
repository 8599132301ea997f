// SPDX-License-Identifier: Apache-2.0
//
// ExportId: what stands in the text that users pass around. Which broker, which of its exports, and a secret.
//
//     rm1-<broker: 16 digits>-<number: 32>-<secret: 64>            hexadecimal, 118 characters in all
//
// The text names no path of the machine: a broker is looked for in the reader's own run directory.

#pragma once

#include <array>
#include <cstddef>
#include <filesystem>
#include <span>
#include <string>
#include <string_view>

namespace remotemedia {

using BrokerName = std::array<std::byte, 8>;
using ExportNumber = std::array<std::byte, 16>;
using ExportSecret = std::array<std::byte, 32>;

struct ExportId {
  BrokerName broker{};
  ExportNumber number{};
  ExportSecret secret{};

  friend bool operator==(const ExportId&, const ExportId&) = default;
};

std::string to_text(const ExportId& id);

/// Errors:  shared_memory_unavailable unless `text` is what to_text() writes, to the letter. Never repeats the text,
/// which may
///          be a secret.
ExportId read_export_id(std::string_view text);

/// Where the broker of that name listens, if it is one of this user's.
///
/// Errors:  those of platform::run_directory().
std::filesystem::path broker_address(const BrokerName& broker);

/// Whether two secrets are equal, in a time that does not depend on where they differ.
bool equal_secrets(const ExportSecret& one, const ExportSecret& other) noexcept;

}  // namespace remotemedia

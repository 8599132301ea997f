// SPDX-License-Identifier: Apache-2.0

#include "remotemedia/memory/export_id.h"

#include "remotemedia/base/error.h"
#include "remotemedia/base/hexadecimal.h"
#include "remotemedia/platform/machine.h"

namespace remotemedia {
namespace {

constexpr std::string_view kTag = "rm1";
constexpr std::size_t kTextLength =
    kTag.size() + 3 + 2 * (sizeof(BrokerName) + sizeof(ExportNumber) + sizeof(ExportSecret));
static_assert(kTextLength == 118);

[[noreturn]] void refuse(const std::string& why) {
  throw Error(ErrorCode::shared_memory_unavailable,
              "this is not the id of an export: " + why + "; pass it on as it was printed");
}

/// Reads "-" and two digits for each of `bytes`, and takes them off `rest`.
void read_part(std::string_view& rest, std::span<std::byte> bytes) {
  if (rest.front() != '-') refuse("its parts are not where they should be");
  rest.remove_prefix(1);
  for (std::byte& byte : bytes) {
    const std::size_t high = kHexadecimalDigits.find(rest[0]);
    const std::size_t low = kHexadecimalDigits.find(rest[1]);
    if (high == std::string_view::npos || low == std::string_view::npos) {
      refuse("it has characters other than 0-9 and a-f");
    }
    byte = static_cast<std::byte>(high << 4 | low);
    rest.remove_prefix(2);
  }
}

}  // namespace

std::string to_text(const ExportId& id) {
  return std::string(kTag) + '-' + hexadecimal(id.broker) + '-' + hexadecimal(id.number) + '-' + hexadecimal(id.secret);
}

ExportId read_export_id(std::string_view text) {
  if (text.size() != kTextLength) {
    refuse("it has " + std::to_string(text.size()) + " characters and not " + std::to_string(kTextLength));
  }
  if (!text.starts_with(kTag)) refuse("it does not begin with " + std::string(kTag));
  text.remove_prefix(kTag.size());
  ExportId id;
  read_part(text, id.broker);
  read_part(text, id.number);
  read_part(text, id.secret);
  return id;
}

std::filesystem::path broker_address(const BrokerName& broker) {
  return platform::run_directory() / ("exports-" + hexadecimal(broker));
}

bool equal_secrets(const ExportSecret& one, const ExportSecret& other) noexcept {
  volatile unsigned different = 0;
  for (std::size_t i = 0; i < one.size(); ++i) different = different | std::to_integer<unsigned>(one[i] ^ other[i]);
  return different == 0;
}

}  // namespace remotemedia

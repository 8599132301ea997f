// SPDX-License-Identifier: Apache-2.0
//
// Sections of the paging file, without a name. Their size is fixed and their memory is promised when they are made, so
// that no touch fails later. What a handle permits is all that counts: nobody can ask the section for more.

#include <winternl.h>

#include <limits>
#include <string>
#include <utility>

#include "remotemedia/platform/handle_windows.h"
#include "remotemedia/platform/machine.h"
#include "remotemedia/platform/os_error.h"
#include "remotemedia/platform/security_windows.h"
#include "remotemedia/platform/shared_memory.h"

extern "C" NTSTATUS NTAPI NtQuerySection(HANDLE section, int kind, void* facts, SIZE_T size, SIZE_T* used);

namespace remotemedia::platform {
namespace {

struct SectionFacts {
  void* base;
  ULONG attributes;
  LARGE_INTEGER size;
};

constexpr DWORD kReadRights = SECTION_MAP_READ | SECTION_QUERY;
constexpr DWORD kWriteRights = kReadRights | SECTION_MAP_WRITE;

constexpr DWORD rights_for(Access access) noexcept { return access == Access::read_write ? kWriteRights : kReadRights; }

/// Nobody may have the section opened anew, not even its owner, who otherwise could give himself rights.
constexpr const wchar_t* kNoRights = L"D:P(D;;GA;;;OW)";

std::size_t whole_pages(std::size_t bytes) noexcept {
  const std::size_t page = page_bytes();
  return (bytes + page - 1) / page * page;
}

std::string bytes_text(std::size_t bytes) { return std::to_string(bytes) + " bytes of shared memory"; }

bool can_be(std::size_t bytes) noexcept {
  return bytes > 0 && bytes <= static_cast<std::size_t>(std::numeric_limits<LONGLONG>::max()) - page_bytes();
}

[[noreturn]] void refuse(const std::string& found) {
  throw Error(ErrorCode::protocol_error, "asked to map what a peer sent, found " + found + ": it is not used");
}

}  // namespace

Mapping::Mapping(Mapping&& other) noexcept
    : data_(std::exchange(other.data_, nullptr)), size_(std::exchange(other.size_, 0)), access_(other.access_) {}

Mapping& Mapping::operator=(Mapping&& other) noexcept {
  if (this != &other) {
    if (data_ != nullptr) UnmapViewOfFile(data_);
    data_ = std::exchange(other.data_, nullptr);
    size_ = std::exchange(other.size_, 0);
    access_ = other.access_;
  }
  return *this;
}

Mapping::~Mapping() {
  if (data_ != nullptr) UnmapViewOfFile(data_);
}

// Reading a page of a section makes it present; there is room for it since the section was made.
void Mapping::populate() {
  const std::size_t page = page_bytes();
  for (std::size_t at = 0; at < size_; at += page) static_cast<void>(*static_cast<volatile std::byte*>(data_ + at));
}

// Large pages of a section are chosen when it is made, and need a privilege that users do not have.
bool Mapping::use_huge_pages() noexcept { return false; }

SharedMemory::SharedMemory(OwnedHandle handle, std::size_t size, Access access) noexcept
    : handle_(std::move(handle)), size_(size), access_(access) {}

SharedMemory SharedMemory::create(std::size_t bytes) {
  if (!can_be(bytes)) {
    throw Error(ErrorCode::invalid_argument,
                "asked for " + bytes_text(bytes) + ": at least 1 and no more than a file has");
  }
  const ULARGE_INTEGER size{.QuadPart = whole_pages(bytes)};
  const SecurityDescriptor no_rights(kNoRights);
  SECURITY_ATTRIBUTES security = no_rights.attributes();
  const OwnedHandle all_rights = made(CreateFileMappingW(INVALID_HANDLE_VALUE, &security, PAGE_READWRITE | SEC_COMMIT,
                                                         size.HighPart, size.LowPart, nullptr),
                                      "CreateFileMapping", "make " + bytes_text(size.QuadPart));
  return SharedMemory(duplicate_of(all_rights.get(), kWriteRights, "reduce the rights of a section"), size.QuadPart,
                      Access::read_write);
}

SharedMemory SharedMemory::adopt(OwnedHandle handle, std::size_t bytes, Access access) {
  if (!can_be(bytes)) refuse(std::to_string(bytes) + " bytes announced, which no memory has");
  const std::optional<HandleFacts> facts = facts_of(handle.get());
  if (!facts || facts->type != L"Section") refuse("a handle that is not of a section");
  const DWORD needed = rights_for(access);
  if ((facts->rights & needed) != needed) {
    refuse(access == Access::read_write ? "a section that may not be written" : "a section that may not be read");
  }
  SectionFacts section{};
  if (NtQuerySection(raw(handle), 0, &section, sizeof section, nullptr) < 0) refuse("a section without facts");
  if ((section.attributes & SEC_COMMIT) == 0 || (section.attributes & (SEC_FILE | SEC_IMAGE | SEC_RESERVE)) != 0) {
    refuse("a section of a file, a program or memory that is only reserved");
  }
  const std::size_t size = whole_pages(bytes);
  if (section.size.QuadPart <= 0 || whole_pages(static_cast<std::size_t>(section.size.QuadPart)) != size) {
    refuse(std::to_string(section.size.QuadPart) + " bytes where " + std::to_string(size) + " were said to be");
  }
  return SharedMemory(std::move(handle), size, access);
}

Mapping SharedMemory::map(Access access) const {
  if (access == Access::read_write && (access_ == Access::read_only || new_writers_forbidden_)) {
    throw Error(ErrorCode::invalid_argument,
                "asked to map " + bytes_text(size_) + " to write: only reading is permitted");
  }
  void* const data = MapViewOfFile(
      raw(handle_), access == Access::read_write ? FILE_MAP_READ | FILE_MAP_WRITE : FILE_MAP_READ, 0, 0, size_);
  if (data == nullptr) throw OsError("MapViewOfFile", last_error(), "map " + bytes_text(size_));
  return Mapping(static_cast<std::byte*>(data), size_, access);
}

// The rights are in the handles: this one gives its own up. Whoever was sent a writable one before keeps that.
void SharedMemory::forbid_new_writers() {
  handle_ = duplicate_of(handle_.get(), kReadRights, "give up writing to shared memory");
  new_writers_forbidden_ = true;
}

OwnedHandle SharedMemory::handle_for(Access access) const {
  if (access == Access::read_write && (access_ == Access::read_only || new_writers_forbidden_)) {
    throw Error(ErrorCode::invalid_argument,
                "asked to share " + bytes_text(size_) + " to write: only reading is permitted");
  }
  return duplicate_of(handle_.get(), rights_for(access), "share " + bytes_text(size_));
}

}  // namespace remotemedia::platform

// SPDX-License-Identifier: Apache-2.0
//
// What only Windows can show of shared memory: what a handle of a section permits is all that its holder can do.

#include <gtest/gtest.h>
#include <windows.h>
#include <winternl.h>

#include <array>
#include <string>

#include "platform/windows/handle_count.h"
#include "remotemedia/platform/handle_windows.h"
#include "remotemedia/platform/machine.h"
#include "remotemedia/platform/os_error.h"
#include "remotemedia/platform/shared_memory.h"
#include "testing/thrown.h"

namespace remotemedia::platform {
namespace {

using remotemedia::testing::code_thrown;
using remotemedia::testing::thrown;

constexpr std::size_t kBytes = 64 * 1024;

/// Whether a duplicate of `handle` with `rights` can be had.
bool can_get(const OwnedHandle& handle, DWORD rights) {
  HANDLE duplicate = nullptr;
  if (DuplicateHandle(GetCurrentProcess(), raw(handle), GetCurrentProcess(), &duplicate, rights, FALSE, 0) == FALSE) {
    return false;
  }
  CloseHandle(duplicate);
  return true;
}

OwnedHandle section_of(HANDLE file, DWORD protection) {
  return made(CreateFileMappingW(file, nullptr, protection, 0, kBytes, nullptr), "CreateFileMapping", "make a section");
}

TEST(SectionTest, AReadOnlyHandleCannotBeMappedToWrite) {
  const SharedMemory memory = SharedMemory::create(kBytes);
  const OwnedHandle handle = memory.handle_for(Access::read_only);
  for (int round = 0; round < 2; ++round) {
    EXPECT_EQ(MapViewOfFile(raw(handle), FILE_MAP_WRITE, 0, 0, 0), nullptr);
    EXPECT_EQ(GetLastError(), static_cast<DWORD>(ERROR_ACCESS_DENIED));
    EXPECT_EQ(MapViewOfFile(raw(handle), FILE_MAP_ALL_ACCESS, 0, 0, 0), nullptr);
    EXPECT_EQ(MapViewOfFile(raw(handle), FILE_MAP_READ | FILE_MAP_EXECUTE, 0, 0, 0), nullptr);
  }
  void* const view = MapViewOfFile(raw(handle), FILE_MAP_READ, 0, 0, 0);
  ASSERT_NE(view, nullptr);
  DWORD before = 0;
  EXPECT_EQ(VirtualProtect(view, kBytes, PAGE_READWRITE, &before), FALSE);
  UnmapViewOfFile(view);
}

TEST(SectionTest, AReadOnlyHandleCannotBeDuplicatedWithMoreRights) {
  const SharedMemory memory = SharedMemory::create(kBytes);
  const OwnedHandle handle = memory.handle_for(Access::read_only);
  EXPECT_TRUE(can_get(handle, SECTION_MAP_READ));
  for (int round = 0; round < 2; ++round) {
    for (const DWORD more : {SECTION_MAP_WRITE, SECTION_MAP_EXECUTE, SECTION_EXTEND_SIZE}) {
      EXPECT_FALSE(can_get(handle, static_cast<DWORD>(more))) << more;
    }
    EXPECT_FALSE(can_get(handle, SECTION_ALL_ACCESS));
  }
}

TEST(SectionTest, EvenItsMakerCannotGetMoreThanReadingAndWriting) {
  const SharedMemory memory = SharedMemory::create(kBytes);
  const OwnedHandle handle = memory.handle_for(Access::read_write);
  EXPECT_TRUE(can_get(handle, SECTION_MAP_WRITE));
  EXPECT_FALSE(can_get(handle, SECTION_MAP_EXECUTE));
  EXPECT_FALSE(can_get(handle, SECTION_ALL_ACCESS));
  EXPECT_EQ(facts_of(handle.get()).value().rights,
            static_cast<DWORD>(SECTION_MAP_READ | SECTION_MAP_WRITE | SECTION_QUERY));
}

TEST(SectionTest, AfterTheBanItsMakerCannotWriteAnewEither) {
  SharedMemory memory = SharedMemory::create(kBytes);
  const Mapping before = memory.map(Access::read_write);
  memory.forbid_new_writers();
  const OwnedHandle handle = memory.handle_for(Access::read_only);
  EXPECT_FALSE(can_get(handle, SECTION_MAP_WRITE));
  before.data()[0] = std::byte{7};
  EXPECT_EQ(memory.map(Access::read_only).data()[0], std::byte{7});
}

TEST(SectionTest, HasNoName) {
  const SharedMemory memory = SharedMemory::create(kBytes);
  const OwnedHandle handle = memory.handle_for(Access::read_only);
  alignas(UNICODE_STRING) std::array<std::byte, 1024> buffer{};
  constexpr auto kObjectNameInformation = static_cast<OBJECT_INFORMATION_CLASS>(1);
  ULONG used = 0;
  ASSERT_GE(NtQueryObject(raw(handle), kObjectNameInformation, buffer.data(), buffer.size(), &used), 0);
  EXPECT_EQ(reinterpret_cast<UNICODE_STRING*>(buffer.data())->Length, 0);
}

TEST(SectionTest, CannotBeOpenedByName) {
  const SharedMemory memory = SharedMemory::create(kBytes);
  for (const wchar_t* name : {L"", L"remotemedia", L"Local\\remotemedia", L"Global\\remotemedia"}) {
    EXPECT_EQ(OpenFileMappingW(FILE_MAP_READ, FALSE, name), nullptr);
  }
}

TEST(SectionTest, ASectionOfAFileIsRefused) {
  std::array<wchar_t, MAX_PATH + 1> folder{};
  std::array<wchar_t, MAX_PATH + 1> path{};
  GetTempPathW(folder.size(), folder.data());
  ASSERT_NE(GetTempFileNameW(folder.data(), L"rm", 0, path.data()), 0U);
  const OwnedHandle file = made(CreateFileW(path.data(), GENERIC_READ | GENERIC_WRITE, 0, nullptr, CREATE_ALWAYS,
                                            FILE_ATTRIBUTE_TEMPORARY | FILE_FLAG_DELETE_ON_CLOSE, nullptr),
                                "CreateFile", "make a file");
  for (int round = 0; round < 2; ++round) {
    EXPECT_EQ(
        code_thrown([&] { SharedMemory::adopt(section_of(raw(file), PAGE_READWRITE), kBytes, Access::read_only); }),
        ErrorCode::protocol_error);
  }
}

TEST(SectionTest, ASectionOfAProgramIsRefused) {
  std::array<wchar_t, MAX_PATH + 1> path{};
  GetModuleFileNameW(nullptr, path.data(), path.size());
  const OwnedHandle file =
      made(CreateFileW(path.data(), GENERIC_READ, FILE_SHARE_READ, nullptr, OPEN_EXISTING, 0, nullptr), "CreateFile",
           "open this program");
  OwnedHandle section = made(CreateFileMappingW(raw(file), nullptr, PAGE_READONLY | SEC_IMAGE, 0, 0, nullptr),
                             "CreateFileMapping", "map");
  EXPECT_EQ(code_thrown([&] { SharedMemory::adopt(std::move(section), kBytes, Access::read_only); }),
            ErrorCode::protocol_error);
}

TEST(SectionTest, MemoryThatIsOnlyReservedIsRefused) {
  EXPECT_EQ(code_thrown([&] {
              SharedMemory::adopt(section_of(INVALID_HANDLE_VALUE, PAGE_READWRITE | SEC_RESERVE), kBytes,
                                  Access::read_only);
            }),
            ErrorCode::protocol_error);
  EXPECT_NO_THROW(
      SharedMemory::adopt(section_of(INVALID_HANDLE_VALUE, PAGE_READWRITE | SEC_COMMIT), kBytes, Access::read_only));
}

TEST(SectionTest, AHandleThatLacksARightIsRefusedWithItsName) {
  const SharedMemory memory = SharedMemory::create(kBytes);
  const Error to_write =
      thrown<Error>([&] { SharedMemory::adopt(memory.handle_for(Access::read_only), kBytes, Access::read_write); });
  EXPECT_EQ(to_write.code(), ErrorCode::protocol_error);
  EXPECT_NE(std::string(to_write.what()).find("may not be written"), std::string::npos) << to_write.what();
  EXPECT_EQ(code_thrown([&] {
              OwnedHandle handle = duplicate_of(memory.handle_for(Access::read_only).get(), SECTION_MAP_READ, "reduce");
              SharedMemory::adopt(std::move(handle), kBytes, Access::read_only);
            }),
            ErrorCode::protocol_error);
}

TEST(SectionTest, HandlesCountBackToBase) {
  const auto round = [] {
    SharedMemory memory = SharedMemory::create(kBytes);
    Mapping mapping = memory.map(Access::read_write);
    mapping.populate();
    memory.forbid_new_writers();
    SharedMemory adopted = SharedMemory::adopt(memory.handle_for(Access::read_only), kBytes, Access::read_only);
    EXPECT_TRUE(adopted.map(Access::read_only));
    EXPECT_THROW(SharedMemory::adopt(memory.handle_for(Access::read_only), 1, Access::read_only), Error);
    EXPECT_THROW(SharedMemory::adopt(create_event(), kBytes, Access::read_only), Error);
  };
  round();
  const DWORD base = remotemedia::testing::handle_count();
  for (int i = 0; i < 100; ++i) round();
  EXPECT_EQ(remotemedia::testing::handle_count(), base);
}

}  // namespace
}  // namespace remotemedia::platform

// SPDX-License-Identifier: Apache-2.0

#include "remotemedia/tensor/data_type.h"

#include <gtest/gtest.h>

#include <complex>
#include <cstdint>
#include <set>
#include <string>

namespace remotemedia {
namespace {

TEST(DataTypeTest, EveryNameAndShortNameIsFoundAgainAndNamesOneType) {
  std::set<std::string_view> names;
  for (const DataTypeInfo& info : kDataTypes) {
    EXPECT_EQ(data_type_from_name(info.name), info.type);
    EXPECT_EQ(data_type_from_name(info.short_name), info.type);
    EXPECT_EQ(to_string(info.type), info.name);
    EXPECT_TRUE(names.insert(info.name).second) << info.name;
    if (info.short_name != info.name) {
      EXPECT_TRUE(names.insert(info.short_name).second) << info.short_name;
    }
  }
}

TEST(DataTypeTest, OtherNamesAreNone) {
  for (const char* name : {"", "float", "Float32", "f32 ", "int", "float4_e2m1fn", "object"}) {
    EXPECT_EQ(data_type_from_name(name), std::nullopt) << name;
  }
}

TEST(DataTypeTest, SizesAreThoseOfDlpacksBits) {
  for (const DataTypeInfo& info : kDataTypes) {
    if (info.type == DataType::bytes) continue;
    EXPECT_EQ(info.itemsize * 8U, info.dlpack_bits) << info.name;
    EXPECT_EQ(data_type_from_dlpack(info.dlpack_code, info.dlpack_bits), info.type) << info.name;
  }
  EXPECT_EQ(itemsize(DataType::bytes), 0U);
}

TEST(DataTypeTest, OfAllDlpackCodesAndWidthsOnlyThoseOfTheTableAreKnown) {
  std::set<DataType> found;
  for (unsigned code = 0; code < 256; ++code) {
    for (unsigned bits = 0; bits < 256; ++bits) {
      const auto type = data_type_from_dlpack(static_cast<std::uint8_t>(code), static_cast<std::uint8_t>(bits));
      if (!type) continue;
      EXPECT_TRUE(found.insert(*type).second) << code << "/" << bits;
      EXPECT_EQ(info_of(*type).dlpack_code, code);
      EXPECT_EQ(info_of(*type).dlpack_bits, bits);
    }
  }
  EXPECT_EQ(found.size(), kDataTypes.size() - 1);
}

TEST(DataTypeTest, OpaqueHandlesAndTypesSmallerThanAByteAreNotKnown) {
  EXPECT_EQ(data_type_from_dlpack(3, 64), std::nullopt);   // a handle
  EXPECT_EQ(data_type_from_dlpack(15, 6), std::nullopt);   // float6_e2m3fn
  EXPECT_EQ(data_type_from_dlpack(17, 4), std::nullopt);   // float4_e2m1fn
  EXPECT_EQ(data_type_from_dlpack(2, 128), std::nullopt);  // long double is another one on each machine
}

TEST(DataTypeTest, CppTypesHaveTheirDataType) {
  static_assert(kDataTypeOf<float> == DataType::float32);
  static_assert(kDataTypeOf<double> == DataType::float64);
  static_assert(kDataTypeOf<bool> == DataType::boolean);
  static_assert(kDataTypeOf<std::int8_t> == DataType::int8 && kDataTypeOf<std::uint8_t> == DataType::uint8);
  static_assert(kDataTypeOf<std::int64_t> == DataType::int64 && kDataTypeOf<long long> == DataType::int64);
  static_assert(kDataTypeOf<std::complex<float>> == DataType::complex64);
  static_assert(!Element<char> && !Element<char8_t> && !Element<wchar_t> && !Element<long double>);
  static_assert(!Element<std::string> && !Element<float*> && !Element<const float>);
}

TEST(DataTypeTest, BitsOfTypesThatCppHasNotAreReadAsUnsigned) {
  EXPECT_TRUE(is_element_of<std::uint16_t>(DataType::float16));
  EXPECT_TRUE(is_element_of<std::uint16_t>(DataType::bfloat16));
  EXPECT_FALSE(is_element_of<std::int16_t>(DataType::bfloat16));
  EXPECT_TRUE(is_element_of<std::uint8_t>(DataType::float8_e4m3fn));
  EXPECT_TRUE(is_element_of<std::uint8_t>(DataType::boolean));
  EXPECT_FALSE(is_element_of<bool>(DataType::uint8));
  EXPECT_FALSE(is_element_of<float>(DataType::int32));
  for (const DataTypeInfo& info : kDataTypes) {
    EXPECT_EQ(is_element_of<std::uint8_t>(info.type), info.itemsize == 1 && info.type != DataType::int8) << info.name;
  }
}

}  // namespace
}  // namespace remotemedia

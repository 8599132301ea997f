// SPDX-License-Identifier: Apache-2.0
//
// DataType: what the elements of a tensor are, with its names, its size and its code in DLPack, all in one table.
//
//     DataType half = *data_type_from_name("f16");      // or "float16"
//     itemsize(half);                                   // 2
//     to_string(half);                                  // "float16", as NumPy and ml_dtypes write it
//
// Types smaller than a byte (float4, float6) are not there: a stride in elements cannot name their place in memory, so
// no view of them could be cut. Who has some sends their bytes as uint8.

#pragma once

#include <array>
#include <bit>
#include <complex>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string_view>
#include <type_traits>

#include "remotemedia/base/export.h"

namespace remotemedia {

enum class DataType : std::uint8_t {
  boolean,
  int8,
  int16,
  int32,
  int64,
  uint8,
  uint16,
  uint32,
  uint64,
  float16,
  bfloat16,
  float32,
  float64,
  complex32,
  complex64,
  complex128,
  float8_e3m4,
  float8_e4m3,
  float8_e4m3b11fnuz,
  float8_e4m3fn,
  float8_e4m3fnuz,
  float8_e5m2,
  float8_e5m2fnuz,
  float8_e8m0fnu,
  bytes,  ///< Elements of any length: packed_bytes.h.
};

struct DataTypeInfo {
  DataType type;
  std::string_view name;        ///< NumPy's, or ml_dtypes' or torch's where NumPy has none.
  std::string_view short_name;  ///< "f32".
  std::uint8_t itemsize;        ///< 0: no fixed size.
  std::uint8_t dlpack_code;
  std::uint8_t dlpack_bits;  ///< 0: not in DLPack. Of the whole number where it is complex.
};

inline constexpr std::array kDataTypes{
    DataTypeInfo{DataType::boolean, "bool", "bool", 1, 6, 8},
    DataTypeInfo{DataType::int8, "int8", "i8", 1, 0, 8},
    DataTypeInfo{DataType::int16, "int16", "i16", 2, 0, 16},
    DataTypeInfo{DataType::int32, "int32", "i32", 4, 0, 32},
    DataTypeInfo{DataType::int64, "int64", "i64", 8, 0, 64},
    DataTypeInfo{DataType::uint8, "uint8", "u8", 1, 1, 8},
    DataTypeInfo{DataType::uint16, "uint16", "u16", 2, 1, 16},
    DataTypeInfo{DataType::uint32, "uint32", "u32", 4, 1, 32},
    DataTypeInfo{DataType::uint64, "uint64", "u64", 8, 1, 64},
    DataTypeInfo{DataType::float16, "float16", "f16", 2, 2, 16},
    DataTypeInfo{DataType::bfloat16, "bfloat16", "bf16", 2, 4, 16},
    DataTypeInfo{DataType::float32, "float32", "f32", 4, 2, 32},
    DataTypeInfo{DataType::float64, "float64", "f64", 8, 2, 64},
    DataTypeInfo{DataType::complex32, "complex32", "c32", 4, 5, 32},
    DataTypeInfo{DataType::complex64, "complex64", "c64", 8, 5, 64},
    DataTypeInfo{DataType::complex128, "complex128", "c128", 16, 5, 128},
    DataTypeInfo{DataType::float8_e3m4, "float8_e3m4", "f8e3m4", 1, 7, 8},
    DataTypeInfo{DataType::float8_e4m3, "float8_e4m3", "f8e4m3", 1, 8, 8},
    DataTypeInfo{DataType::float8_e4m3b11fnuz, "float8_e4m3b11fnuz", "f8e4m3b11fnuz", 1, 9, 8},
    DataTypeInfo{DataType::float8_e4m3fn, "float8_e4m3fn", "f8e4m3fn", 1, 10, 8},
    DataTypeInfo{DataType::float8_e4m3fnuz, "float8_e4m3fnuz", "f8e4m3fnuz", 1, 11, 8},
    DataTypeInfo{DataType::float8_e5m2, "float8_e5m2", "f8e5m2", 1, 12, 8},
    DataTypeInfo{DataType::float8_e5m2fnuz, "float8_e5m2fnuz", "f8e5m2fnuz", 1, 13, 8},
    DataTypeInfo{DataType::float8_e8m0fnu, "float8_e8m0fnu", "f8e8m0fnu", 1, 14, 8},
    DataTypeInfo{DataType::bytes, "bytes", "bytes", 0, 0, 0},
};

/// The row of `dtype`.
constexpr const DataTypeInfo& info_of(DataType dtype) noexcept { return kDataTypes[static_cast<std::size_t>(dtype)]; }

/// Bytes of one element; 0 for `bytes`.
constexpr std::size_t itemsize(DataType dtype) noexcept { return info_of(dtype).itemsize; }

/// The name, not the short one.
constexpr std::string_view to_string(DataType dtype) noexcept { return info_of(dtype).name; }

/// By name or short name.
REMOTEMEDIA_API std::optional<DataType> data_type_from_name(std::string_view name) noexcept;

namespace detail {

/// What DLPack codes and widths mean; kNoDataType where they mean nothing here.
inline constexpr std::size_t kDlpackWidths = 5;  // 8, 16, 32, 64, 128 bits
inline constexpr std::size_t kDlpackCodes = 15;
inline constexpr std::uint8_t kNoDataType = 0xff;

inline constexpr auto kByDlpack = [] {
  std::array<std::uint8_t, kDlpackCodes * kDlpackWidths> table{};
  table.fill(kNoDataType);
  for (const DataTypeInfo& info : kDataTypes) {
    if (info.dlpack_bits == 0) continue;
    const auto width = static_cast<std::size_t>(std::countr_zero(info.dlpack_bits)) - 3;
    table[info.dlpack_code * kDlpackWidths + width] = static_cast<std::uint8_t>(info.type);
  }
  return table;
}();

constexpr bool rows_stand_at_their_values() noexcept {
  for (std::size_t i = 0; i < kDataTypes.size(); ++i) {
    if (static_cast<std::size_t>(kDataTypes[i].type) != i) return false;
  }
  return kDataTypes.size() == static_cast<std::size_t>(DataType::bytes) + 1;
}
static_assert(rows_stand_at_their_values());

/// The type that holds exactly the values of T; nothing for what is no number.
template <class T>
constexpr std::optional<DataType> natural_data_type() noexcept {
  if constexpr (std::same_as<T, bool>) return DataType::boolean;
  if constexpr (std::same_as<T, float>) return DataType::float32;
  if constexpr (std::same_as<T, double>) return DataType::float64;
  if constexpr (std::same_as<T, std::complex<float>>) return DataType::complex64;
  if constexpr (std::same_as<T, std::complex<double>>) return DataType::complex128;
  if constexpr (std::same_as<T, signed char>) return DataType::int8;
  if constexpr (std::same_as<T, unsigned char>) return DataType::uint8;
  if constexpr (std::same_as<T, short> || std::same_as<T, int> || std::same_as<T, long> || std::same_as<T, long long>) {
    return sizeof(T) == 2 ? DataType::int16 : sizeof(T) == 4 ? DataType::int32 : DataType::int64;
  }
  if constexpr (std::same_as<T, unsigned short> || std::same_as<T, unsigned> || std::same_as<T, unsigned long> ||
                std::same_as<T, unsigned long long>) {
    return sizeof(T) == 2 ? DataType::uint16 : sizeof(T) == 4 ? DataType::uint32 : DataType::uint64;
  }
  return std::nullopt;
}

}  // namespace detail

/// By DLPack's code and width; nothing for what is not in the table.
constexpr std::optional<DataType> data_type_from_dlpack(std::uint8_t code, std::uint8_t bits) noexcept {
  if (code >= detail::kDlpackCodes || bits < 8 || !std::has_single_bit(bits)) return std::nullopt;
  const auto width = static_cast<std::size_t>(std::countr_zero(bits)) - 3;
  const std::uint8_t found = detail::kByDlpack[code * detail::kDlpackWidths + width];
  if (found == detail::kNoDataType) return std::nullopt;
  return static_cast<DataType>(found);
}

/// A C++ type that elements can have: bool, the integers (not the characters), float, double and their complex numbers.
template <class T>
concept Element = detail::natural_data_type<T>()
.has_value();

/// The data type whose elements are T: float32 for float.
template <Element T>
inline constexpr DataType kDataTypeOf = *detail::natural_data_type<T>();

/// Whether elements of `dtype` can be read as T: as their own type, or as the bits of one that C++ has not
/// (std::uint16_t for float16 and bfloat16, std::uint8_t for the float8 types), or as std::uint8_t for bool, which is
/// how to read a bool that somebody else may have written. complex32 has no C++ type.
template <Element T>
constexpr bool is_element_of(DataType dtype) noexcept {
  constexpr DataType kNatural = kDataTypeOf<T>;
  if (dtype == kNatural) return true;
  if (kNatural == DataType::uint16) return dtype == DataType::float16 || dtype == DataType::bfloat16;
  if (kNatural == DataType::uint8) {
    return dtype == DataType::boolean || (dtype >= DataType::float8_e3m4 && dtype <= DataType::float8_e8m0fnu);
  }
  return false;
}

}  // namespace remotemedia

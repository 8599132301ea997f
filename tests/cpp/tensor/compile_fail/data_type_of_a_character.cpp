// SPDX-License-Identifier: Apache-2.0
//
// A character is no number: whether it has a sign is the compiler's business.

#include "remotemedia/tensor/data_type.h"

constexpr remotemedia::DataType kNumber = remotemedia::kDataTypeOf<signed char>;
#ifdef MUST_NOT_COMPILE
constexpr remotemedia::DataType kCharacter = remotemedia::kDataTypeOf<char>;
#endif

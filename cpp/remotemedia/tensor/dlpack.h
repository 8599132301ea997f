// SPDX-License-Identifier: Apache-2.0
//
// Tensors from and to other libraries of this process, without a copy: DLPack.
//
//     dlpack::DLManagedTensorVersioned* managed = to_dlpack(tensor);   // the receiver calls its deleter, once
//     TensorBuffer ours = from_dlpack(theirs);                         // and so do we, when the last view has gone

#pragma once

#include "remotemedia/base/error.h"
#include "remotemedia/base/export.h"
#include "remotemedia/tensor/dlpack_abi.h"
#include "remotemedia/tensor/tensor_buffer.h"

namespace remotemedia {

/// Whether the receiver is the only one who has these elements.
enum class DlpackCopied { no, yes };

/// The tensor for somebody else, who holds the elements until calling the deleter, on whatever thread. Strides are
/// always given, the byte offset is always 0, the flags say whether it is read-only.
///
/// Errors:  invalid_tensor if it is empty; std::bad_alloc.
REMOTEMEDIA_API dlpack::DLManagedTensorVersioned* to_dlpack(const TensorBuffer& tensor,
                                                            DlpackCopied copied = DlpackCopied::no);

/// The same for receivers that do not know version 1.
///
/// Errors:  zero_copy_unavailable if it is read-only, which this struct cannot say; as to_dlpack().
REMOTEMEDIA_API dlpack::DLManagedTensor* to_dlpack_legacy(const TensorBuffer& tensor);

/// A view of what somebody else has made. Takes `managed`: its deleter is called once, when the last view goes or,
/// where it is refused, before the error is thrown. Of another major version nothing but the deleter is used.
///
/// Elements smaller than a byte and several lanes are refused: strides could not address them.
///
/// Errors:  invalid_argument for nullptr; zero_copy_unavailable if its memory is a GPU's; invalid_tensor that names the
///          field for what contradicts itself or is not known.
REMOTEMEDIA_API TensorBuffer from_dlpack(dlpack::DLManagedTensorVersioned* managed);

/// The same for producers that do not know version 1. Read-only: the struct cannot say that it is not.
REMOTEMEDIA_API TensorBuffer from_dlpack(dlpack::DLManagedTensor* managed);

}  // namespace remotemedia

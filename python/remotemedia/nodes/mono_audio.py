# SPDX-License-Identifier: Apache-2.0
"""Audio items as the mono samples that speech models take."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from remotemedia.core.errors import InvalidTensor
from remotemedia.nodes.runtime_data import RuntimeData

Samples = npt.NDArray[np.float32]


def mono_samples(item: Any, *, needed_by: str) -> tuple[Samples, int]:
    """The samples of an audio item as [frames], its channels averaged, and its sample rate.

    One channel is not copied: a view of the item's payload.

    Raises:
        InvalidTensor: If item is not audio.
    """
    if not isinstance(item, RuntimeData) or item.kind != "audio" or item.sample_rate is None:
        raise InvalidTensor(f"{needed_by} takes RuntimeData.audio(samples, sample_rate), not {item!r:.200}")
    samples: Samples = item.payload.to_numpy()
    if samples.ndim == 2:
        samples = samples[0] if samples.shape[0] == 1 else samples.mean(axis=0, dtype=np.float32)
    return samples, item.sample_rate

# SPDX-License-Identifier: Apache-2.0
"""ServedSilero: the Silero network of a worker, which other processes use at the same time."""

from __future__ import annotations

from typing import cast

import numpy as np
import numpy.typing as npt

from remotemedia.nodes.ml.served_model import ServedModel
from remotemedia.nodes.ml.silero_network import CONTEXT, FRAME, STATE_SHAPE

Samples = npt.NDArray[np.float32]


class ServedSilero(ServedModel):
    """Called as SileroNetwork is. Calls of many streams, of this process and of others, run as one batch.

    State goes in and out, so a worker that is started anew goes on where the old one ended.

    Args:
        endpoint: Where the network is served: inputs `input` float32 [1, 576] and `state` float32 [2, 1, 128], or
            [1, 2, 128] where the worker batches.
        reconnect: As ServedModel.

    Raises:
        WorkerUnavailable: No worker is there.
        InvalidTensor: It serves another network.
    """

    def __init__(self, endpoint: str, reconnect: bool) -> None:
        super().__init__(endpoint, reconnect)
        self.check_names({"input", "state"}, {"output", "stateN"}, "Silero network")
        layers, width = STATE_SHAPE[0], STATE_SHAPE[2]
        self._state_shape = (1, layers, width) if self.signature().max_batch_size > 0 else STATE_SHAPE

    def step(self, frame: Samples, state: Samples) -> tuple[float, Samples]:
        """As SileroNetwork.step().

        Raises:
            WorkerUnavailable: The worker has died; the message names its endpoint.
        """
        inputs = {"input": frame.reshape(1, CONTEXT + FRAME), "state": state.reshape(self._state_shape)}
        answer = self.infer(inputs)
        next_state = answer["stateN"].to_numpy().reshape(STATE_SHAPE)
        return float(answer["output"].to_numpy()[0, 0]), cast("Samples", next_state)

# SPDX-License-Identifier: Apache-2.0
"""ServedSilero: the Silero network of a worker, which other processes use at the same time."""

from __future__ import annotations

from typing import cast

import numpy as np
import numpy.typing as npt

from remotemedia.core.errors import InvalidTensor, WorkerUnavailable
from remotemedia.nodes.ml.silero_network import CONTEXT, FRAME, STATE_SHAPE
from remotemedia.worker.model_worker_client import ModelWorkerClient

Samples = npt.NDArray[np.float32]

INPUTS = {"input", "state"}
OUTPUTS = ["output", "stateN"]

RESTART_SECONDS = 30.0
MANY_RETRIES = 1000
"""So many that the time is what ends them."""


class ServedSilero:
    """Called as SileroNetwork is. Calls of many streams, of this process and of others, run as one batch.

    Thread-safe: state goes in and comes out, so a worker that is started anew goes on where the old one ended.

    Args:
        endpoint: Where the network is served: inputs `input` float32 [1, 576] and `state` float32 [2, 1, 128], or
            [1, 2, 128] where the worker batches.
        reconnect: A call that a dying worker leaves unanswered is made again, to the worker that comes after it within
            30 seconds.

    Raises:
        WorkerUnavailable: No worker is there.
        InvalidTensor: It serves another network.
    """

    def __init__(self, endpoint: str, reconnect: bool) -> None:
        self._reconnect = reconnect
        self._client = (
            ModelWorkerClient.connect(endpoint, timeout=RESTART_SECONDS, max_retries=MANY_RETRIES)
            if reconnect
            else ModelWorkerClient.connect(endpoint)
        )
        signature = self._client.signature()
        inputs = {spec.name: spec for spec in signature.inputs}
        if inputs.keys() != INPUTS or [spec.name for spec in signature.outputs] != OUTPUTS:
            raise InvalidTensor(f"the worker at {endpoint} serves no Silero network: it takes {sorted(inputs)}")
        layers, width = STATE_SHAPE[0], STATE_SHAPE[2]
        self._state_shape = (1, layers, width) if signature.max_batch_size > 0 else STATE_SHAPE

    def step(self, frame: Samples, state: Samples) -> tuple[float, Samples]:
        """As SileroNetwork.step().

        Raises:
            WorkerUnavailable: The worker has died; the message names its endpoint.
        """
        inputs = {"input": frame.reshape(1, CONTEXT + FRAME), "state": state.reshape(self._state_shape)}
        try:
            answer = self._client.infer(inputs)
        except WorkerUnavailable:
            if not self._reconnect:
                raise
            answer = self._client.infer(inputs)
        next_state = answer["stateN"].to_numpy().reshape(STATE_SHAPE)
        return float(answer["output"].to_numpy()[0, 0]), cast("Samples", next_state)

# SPDX-License-Identifier: Apache-2.0
"""ServedModel: a model of a worker, as nodes call it; the nodes of a process share the connection."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, TypeVar

from remotemedia.core.errors import InvalidTensor, LoadFailed, WorkerUnavailable
from remotemedia.core.model_registry import ModelHandle, ModelRegistry
from remotemedia.core.tensor_bridge import TensorBuffer
from remotemedia.worker.inference_model import ModelSignature
from remotemedia.worker.model_worker_client import ModelWorkerClient

RESTART_SECONDS = 30.0
MANY_RETRIES = 1000
"""So many that the time is what ends them."""

S = TypeVar("S", bound="ServedModel")


class ServedModel:
    """Thread-safe.

    Args:
        endpoint: Where the worker is.
        reconnect: A call that a dying worker leaves unanswered is made again, to the worker that comes after it within
            30 seconds.

    Raises:
        WorkerUnavailable: No worker is there.
    """

    def __init__(self, endpoint: str, reconnect: bool) -> None:
        self.endpoint = endpoint
        self.reconnect = reconnect
        self._client = (
            ModelWorkerClient.connect(endpoint, timeout=RESTART_SECONDS, max_retries=MANY_RETRIES)
            if reconnect
            else ModelWorkerClient.connect(endpoint)
        )

    def signature(self) -> ModelSignature:
        """Of the worker's model."""
        return self._client.signature()

    def check_names(self, inputs: set[str], outputs: set[str], what: str) -> None:
        """Raises InvalidTensor, which says that the worker serves no `what`, if its model has other names."""
        signature = self.signature()
        found = ({spec.name for spec in signature.inputs}, {spec.name for spec in signature.outputs})
        if found != (inputs, outputs):
            raise InvalidTensor(
                f"the worker at {self.endpoint} serves no {what}: it takes {sorted(found[0])} and gives "
                f"{sorted(found[1])}"
            )

    def infer(self, inputs: dict[str, Any], **options: Any) -> dict[str, TensorBuffer]:
        """As ModelWorkerClient.infer(), by name also where there is one output only.

        Raises:
            WorkerUnavailable: The worker has died; the message names its endpoint.
        """
        try:
            answer = self._client.infer(inputs, **options)
        except WorkerUnavailable:
            if not self.reconnect:
                raise
            answer = self._client.infer(inputs, **options)
        if isinstance(answer, TensorBuffer):
            return {self.signature().outputs[0].name: answer}
        return dict(answer)

    def infer_stream(self, inputs: dict[str, Any], **options: Any) -> Iterator[Any]:
        """As ModelWorkerClient.infer_stream(): nothing is asked twice."""
        return self._client.infer_stream(inputs, **options)

    def close_session(self, session_id: str) -> None:
        """As ModelWorkerClient.close_session()."""
        self._client.close_session(session_id)


async def take_served(registry: ModelRegistry, served: type[S], endpoint: str, reconnect: bool) -> ModelHandle[Any]:
    """A hold on the one `served` of that endpoint, which is made unless it is there.

    Raises:
        WorkerUnavailable: No worker is there.
        InvalidTensor: It serves something else.
    """
    key = f"{served.__name__}@{endpoint}" + ("?reconnect" if reconnect else "")
    try:
        return await registry.get_or_load_async(key, served, arguments={"endpoint": endpoint, "reconnect": reconnect})
    except LoadFailed as failed:
        if isinstance(failed.__cause__, (WorkerUnavailable, InvalidTensor)):
            raise failed.__cause__ from None
        raise

# SPDX-License-Identifier: Apache-2.0
"""The models behind an endpoint of gRPC, in the words of a registry."""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from typing import Any

from remotemedia import _core
from remotemedia._core import EvictionResult, LoadProgress, RemoteModel
from remotemedia.core import arguments as check
from remotemedia.core.errors import InvalidArgument, WorkerUnavailable
from remotemedia.worker.model_worker_client import ModelWorkerClient
from remotemedia.worker.tls_config import TlsConfig

__all__ = ["RemoteModel", "RemoteModelHandle", "RemoteModels"]

_log = logging.getLogger("remotemedia")


class RemoteModels:
    """The models behind an endpoint of gRPC. Made with connect(). Thread-safe."""

    def __init__(self, connected: _core.RemoteModels, connect_client: Callable[[str], ModelWorkerClient]) -> None:
        self._models = connected
        self._connect_client = connect_client

    @staticmethod
    def connect(
        endpoint: str, *, timeout: float = 5.0, tls: TlsConfig | None = None, token: str | None = None
    ) -> RemoteModels:
        """Waits for a worker at `endpoint`.

        Args:
            endpoint: "grpc://host:port" or "grpc+unix:/path".
            timeout: Seconds; also how long every other call waits, but for the loading of get_or_load().
            tls: For a worker that encrypts: whom it trusts, and what it shows.
            token: What the worker wants to be told, if it does.

        Raises:
            WorkerUnavailable: There is none within the timeout.
            InvalidArgument: An endpoint that is not gRPC's, or no token or a wrong one where the worker wants one.
        """
        check.text("endpoint", endpoint)
        check.not_negative_seconds("timeout", timeout)
        if tls is not None and not isinstance(tls, TlsConfig):
            raise TypeError(f"tls must be a TlsConfig or None, not {type(tls).__name__}")
        if token is not None and not check.text("token", token):
            raise InvalidArgument("token must not be empty: None is none")
        files = None if tls is None else tls._made()

        def connect_client(name: str) -> ModelWorkerClient:
            return ModelWorkerClient.connect(f"{endpoint}#{name}", timeout=timeout, tls=tls, token=token)

        return RemoteModels(_core.RemoteModels.connect(endpoint, timeout, files, token or ""), connect_client)

    def list_models(self) -> list[RemoteModel]:
        """All of the endpoint, by name."""
        return self._models.list_models()

    def get_model(self, name: str) -> RemoteModel:
        """One of them.

        Raises:
            ModelNotFound: There is none of that name.
        """
        return self._models.get_model(check.text("a model's name", name))

    def get_or_load(
        self,
        name: str,
        *,
        timeout: float | None = None,
        progress: Callable[[LoadProgress], object] | None = None,
    ) -> RemoteModelHandle:
        """A lease of a model, which is loaded if it is not in memory; all who ask meanwhile wait for the same load.

        Args:
            name: Of the model at this endpoint.
            timeout: Seconds that this caller waits; the load goes on for the others.
            progress: Called in this thread with what the loader reported last.

        Raises:
            ModelNotFound: There is none of that name.
            LoadFailed: Its loader failed. The next call tries again. What else it raises is as the worker says it.
            DeadlineExceeded: The timeout passed.
            Rejected: As many leases as there may be are held; the message says the limit.
            WorkerUnavailable: The worker has gone.
        """
        check.text("a model's name", name)
        if timeout is not None:
            check.not_negative_seconds("timeout", timeout)
        if progress is not None and not callable(progress):
            raise TypeError(f"progress must be callable, not {type(progress).__name__}")
        lease = self._models.get_or_load(name, timeout, None if progress is None else _logged(progress))
        return RemoteModelHandle(lease, self._connect_client)

    def evict(self, name: str, *, force: bool = False) -> EvictionResult:
        """Has a model leave memory; its next call, or get_or_load(), brings it back.

        Args:
            name: Of the model at this endpoint.
            force: Ends its leases.

        Returns:
            What has left: nothing where calls have the model, which leaves after them, or where it cannot leave.

        Raises:
            ModelNotFound: There is none of that name.
            Rejected: Leases hold it; the message says how many.
        """
        return self._models.evict(check.text("a model's name", name), bool(force))


class RemoteModelHandle:
    """A lease: its model stays in memory until this is released or its process ends, unless it is evicted by force.

    A context manager. Thread-safe. After fork the child's copy holds nothing.
    """

    def __init__(self, lease: _core.RemoteLease, connect_client: Callable[[str], ModelWorkerClient]) -> None:
        self._lease = lease
        self._connect_client = connect_client
        self._lock = threading.Lock()
        self._client: ModelWorkerClient | None = None

    @property
    def name(self) -> str:
        """Of the model at its endpoint."""
        return self._lease.model.name

    @property
    def model(self) -> RemoteModel:
        """As it was when it had been loaded."""
        return self._lease.model

    @property
    def is_held(self) -> bool:
        """False from the moment at which this process knows that it is over."""
        return self._lease.is_held

    @property
    def client(self) -> ModelWorkerClient:
        """Calls the model; connected when it is first asked for, and closed by release().

        Raises:
            WorkerUnavailable: The lease is over, or the worker has gone.
        """
        with self._lock:
            if self._client is None:
                if not self.is_held:
                    raise WorkerUnavailable(f"the lease of {self.name!r} is over: ask for the model anew")
                self._client = self._connect_client(self.name)
            return self._client

    def infer(self, inputs: Any = None, /, **options: Any) -> Any:
        """ModelWorkerClient.infer() of `client`.

        Args:
            inputs: As there.
            **options: As there.
        """
        return self.client.infer(inputs, **options)

    def release(self) -> None:
        """Lets the model go; the worker has heard of it, if it can be reached. Twice is once."""
        with self._lock:
            client, self._client = self._client, None
        if client is not None:
            client.close()
        self._lease.release()

    def __enter__(self) -> RemoteModelHandle:
        return self

    def __exit__(self, *error: object) -> None:
        self.release()


def _logged(listener: Callable[[LoadProgress], object]) -> Callable[[LoadProgress], object]:
    def tell(progress: LoadProgress) -> None:
        try:
            listener(progress)
        except Exception:  # noqa: BLE001 - the load is not the listener's
            _log.warning("progress of %r: the listener failed", progress.key, exc_info=True)

    return tell

# SPDX-License-Identifier: Apache-2.0
"""Serves one model to other processes."""

from __future__ import annotations

import inspect
import threading
from collections.abc import Callable
from typing import Any

from remotemedia import _core
from remotemedia._core import TensorBuffer, WorkerInfo
from remotemedia.core import arguments as check
from remotemedia.core.errors import InvalidArgument
from remotemedia.worker import tracing
from remotemedia.worker.inference_model import InferenceModel, ModelSignature
from remotemedia.worker.worker_config import WorkerConfig

__all__ = ["ModelWorker", "WorkerInfo"]


class ModelWorker(_core.ModelWorker):
    """Serves a model, from threads of its own. Stopped at the latest when the interpreter exits.

    Args:
        model: An InferenceModel, or any callable over arrays.
        config: How it is run.
        worker_id: None for one that nobody else has.

    Raises:
        TypeError: The model cannot be served, or an argument has the wrong type.
        InvalidArgument: Its signature makes no sense.
        InvalidTensor: An input's dtype is one that NumPy has not; the message says what to install.
    """

    def __init__(
        self,
        model: InferenceModel | Callable[..., Any],
        config: WorkerConfig | None = None,
        *,
        worker_id: str | None = None,
    ) -> None:
        config = WorkerConfig() if config is None else config
        if not isinstance(config, WorkerConfig):
            raise TypeError(f"config must be a WorkerConfig, not {type(config).__name__}")
        served = _served(model)
        signature = served.signature()
        if not isinstance(signature, ModelSignature):
            raise TypeError(f"signature() must return a ModelSignature, not {type(signature).__name__}")
        for spec in signature.inputs:
            TensorBuffer.allocate(0, spec.dtype).to_numpy()  # says what is missing
        streams = type(served).infer_stream is not InferenceModel.infer_stream
        made = config._made()
        self._spans = tracing.record(made)
        super().__init__(
            served,
            made,
            "" if worker_id is None else check.text("worker_id", worker_id),
            model_id=served.model_id,
            device=check.text("device", served.device),
            signature=signature,
            memory_usage=check.size("memory_usage()", served.memory_usage()),
            infer_takes_context=_takes_context(served.infer),
            streams=streams,
            stream_takes_context=streams and _takes_context(served.infer_stream),
        )
        self._ended = threading.Event()
        self._finished = True

    def serve(self, *endpoints: str, on_ready: Callable[[list[str]], object] | None = None) -> bool:
        """start(), then blocks until SIGTERM, SIGINT or drain(); then drains and stops.

        Signals end it in the main thread; in another one it waits for drain() or stop().

        Args:
            *endpoints: As start().
            on_ready: Called once, with what start() returned. What it raises ends the worker.

        Returns:
            Whether all accepted calls were finished: a second signal, or the end of the draining's time, cuts off.

        Raises:
            LoadFailed: As start().
            OSError: As start().
        """
        if threading.current_thread() is threading.main_thread():
            try:
                return super().serve(*endpoints, on_ready=on_ready)
            finally:
                self._finish_spans()
        reached = self.start(*endpoints)
        try:
            if on_ready is not None:
                on_ready(reached)
            self._ended.wait()
            return super().drain() and self._finished
        finally:
            super().stop()
            self._finish_spans()

    def drain(self, timeout: float | None = None) -> bool:
        """Refuses new calls, waits for those that were accepted, and ends serve().

        Ctrl-C ends the waiting: new calls are refused on, and serve() goes on.

        Args:
            timeout: Seconds, after which what still waits is answered with WorkerUnavailable; None: the config's.

        Returns:
            Whether all were finished.
        """
        self._finished = super().drain(timeout)
        self._ended.set()
        return self._finished

    def stop(self) -> None:
        """Ends it without waiting for calls that have not begun. Twice is once."""
        super().stop()
        self._finish_spans()
        self._ended.set()

    def _finish_spans(self) -> None:
        if self._spans is not None:
            self._spans.finish()

    def __enter__(self) -> ModelWorker:
        return self

    def __exit__(self, *error: object) -> None:
        self.stop()


def _served(model: InferenceModel | Callable[..., Any]) -> InferenceModel:
    if not isinstance(model, InferenceModel):
        name = getattr(model, "model_id", None) or getattr(model, "__name__", None) or type(model).__name__
        model = InferenceModel.from_callable(model, model_id=name)
    if not isinstance(getattr(model, "model_id", None), str) or not model.model_id:
        raise InvalidArgument(f"{type(model).__name__} has no model_id: give the class, or the object, one")
    return model


def _takes_context(method: Callable[..., Any]) -> bool:
    """Whether it may be called with a second argument."""
    try:
        parameters = inspect.signature(method).parameters.values()
    except ValueError:  # of C, without a signature
        return True
    positional = (inspect.Parameter.POSITIONAL_ONLY, inspect.Parameter.POSITIONAL_OR_KEYWORD)
    takes_any = any(parameter.kind is inspect.Parameter.VAR_POSITIONAL for parameter in parameters)
    return takes_any or sum(parameter.kind in positional for parameter in parameters) > 1

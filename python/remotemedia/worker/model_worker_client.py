# SPDX-License-Identifier: Apache-2.0
"""Calls a model that another process serves."""

from __future__ import annotations

import asyncio
import contextlib
import time
from collections.abc import AsyncIterator, Iterator, Mapping
from concurrent.futures import Future
from typing import Any, Literal, TypeAlias

from remotemedia import _core
from remotemedia._core import ModelSignature, TensorBuffer, WorkerInfo
from remotemedia.core import arguments as check
from remotemedia.core.array_like import ArrayLike
from remotemedia.core.errors import InvalidArgument, WorkerUnavailable
from remotemedia.core.loop_futures import set_unless_done
from remotemedia.worker.inference_future import InferenceFuture, settle
from remotemedia.worker.tls_config import TlsConfig
from remotemedia.worker.tracing import current_span

Transport: TypeAlias = Literal["auto", "shared_memory", "grpc"]


class ModelWorkerClient:
    """Calls a model that another process serves. Made with connect().

    Thread-safe, with many calls under way. Tensors that it gave stay when it or the worker has gone. After fork the
    child's copy raises WorkerUnavailable; the child may connect anew. Closed at the latest when the interpreter exits.
    """

    def __init__(self, connected: _core.ModelWorkerClient) -> None:
        self._client = connected

    @staticmethod
    def connect(
        endpoint: str,
        *,
        timeout: float = 5.0,
        max_retries: int = 3,
        transport: Transport = "auto",
        tls: TlsConfig | None = None,
        token: str | None = None,
    ) -> ModelWorkerClient:
        """Waits for a worker at `endpoint`.

        Args:
            endpoint: As the worker's start() returned it.
            timeout: Seconds; also how long a call without a timeout of its own waits for a new connection.
            max_retries: How often a call tries to connect anew after the first time.
            transport: "auto" takes shared memory where both sides share machine and user, and gRPC otherwise;
                "shared_memory" and "grpc" take nothing else.
            tls: For a worker beyond a grpc:// endpoint that encrypts: whom it trusts, and what it shows.
            token: What such a worker wants to be told, if it does.

        Raises:
            WorkerUnavailable: There is none within the timeout.
            InvalidArgument: An endpoint of no known scheme, one that this transport does not speak, or no token or a
                wrong one where the worker wants one.
            SharedMemoryUnavailable: The transport is "shared_memory", and the worker of a grpc:// endpoint is on
                another machine or of another user.
        """
        check.text("endpoint", endpoint)
        check.not_negative_seconds("timeout", timeout)
        check.size("max_retries", max_retries)
        if transport not in ("auto", "shared_memory", "grpc"):
            raise InvalidArgument(f"transport {transport!r} is unknown: it is 'auto', 'shared_memory' or 'grpc'")
        if tls is not None and not isinstance(tls, TlsConfig):
            raise TypeError(f"tls must be a TlsConfig or None, not {type(tls).__name__}")
        if token is not None and not check.text("token", token):
            raise InvalidArgument("token must not be empty: None is none")
        return ModelWorkerClient(
            _core.ModelWorkerClient.connect(
                endpoint,
                timeout,
                min(max_retries, 1000),
                transport,
                None if tls is None else tls._made(),
                token or "",
            )
        )

    def infer(
        self,
        inputs: ArrayLike | Mapping[str, ArrayLike] | None = None,
        /,
        *,
        parameters: Mapping[str, Any] | None = None,
        session_id: str | None = None,
        priority: int = 0,
        timeout: float | None = None,
        traceparent: str | None = None,
        tracestate: str | None = None,
        idempotent: bool = False,
        **named: ArrayLike,
    ) -> Any:
        """Runs the model. Blocks without the GIL, and Ctrl-C ends it, in the worker too.

        With max_batch_size > 0 inputs carry a batch dimension in front. Arrays must have the signature's dtype; Python
        numbers and lists take it. What lies in allocate()'s memory is not copied, anything else once.

        Args:
            inputs: One array for a model of one input, otherwise a mapping; or none, and keywords.
            parameters: str, int, float and bool by name, for the model.
            session_id: Names a session of this client.
            priority: Higher runs first.
            timeout: Seconds, after which the call is over, here and in the worker.
            traceparent: To which trace it belongs, as W3C's Trace Context writes it; what is malformed is left out.
                None: that of OpenTelemetry's current span, where there is one.
            tracestate: What goes with a traceparent.
            idempotent: It may run twice: where the worker dies under it, it is made anew, max_retries times at most
                and within the timeout.
            **named: Inputs by name.

        Returns:
            A TensorBuffer of a model of one output, otherwise a dict of them.

        Raises:
            InvalidTensor: The inputs are not those of the signature; the message says both.
            InferenceFailed: The model raised; the text has its traceback.
            Rejected: A limit is reached; the message says which.
            DeadlineExceeded: The timeout passed.
            WorkerUnavailable: The worker has died, or none can be reached.
        """
        trace = _trace(traceparent, tracestate)
        return self._client.infer(inputs, named, parameters, session_id, priority, timeout, trace, bool(idempotent))

    def infer_future(self, inputs: Any = None, /, **options: Any) -> Future[Any]:
        """infer() without waiting. cancel() cancels in the worker too: a call that waits there never runs.

        Callbacks are called by a thread of the client, or by one that waits for the result of another call.

        Args:
            inputs: As infer().
            **options: As infer(), but for idempotent.
        """
        if options:
            return InferenceFuture(self._submit(inputs, **options))
        return InferenceFuture(self._client.submit(inputs, None, None, None, 0, None, current_span()))

    async def infer_async(
        self, inputs: Any = None, /, *, timeout: float | None = None, idempotent: bool = False, **options: Any
    ) -> Any:
        """infer() for an event loop. Cancelling the task cancels the call, also in the worker's queue.

        Args:
            inputs: As infer().
            timeout: As infer().
            idempotent: As infer().
            **options: As infer().
        """
        ends = time.monotonic() + timeout if idempotent and timeout is not None else None
        tries_left = self._client.max_retries() if idempotent else 0
        while True:
            call, answer = await self._submit_async(inputs, timeout=timeout, **options)
            try:
                return await answer
            except WorkerUnavailable:
                if tries_left == 0:
                    raise
            finally:
                if answer.cancelled():
                    call.cancel()
            tries_left -= 1
            if ends is not None:
                timeout = max(0.0, ends - time.monotonic())

    async def _submit_async(self, inputs: Any, **options: Any) -> tuple[_core.PendingCall, asyncio.Future[Any]]:
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[Any] = loop.create_future()
        if self._client.is_connected():
            call = self._submit(inputs, **options)
        else:
            # The loop must not wait for a connection.
            submitting = asyncio.ensure_future(asyncio.to_thread(self._submit, inputs, **options))
            try:
                call = await asyncio.shield(submitting)
            except asyncio.CancelledError:
                submitting.add_done_callback(_cancel)
                raise

        def tell() -> None:
            with contextlib.suppress(RuntimeError):  # the loop was closed: nobody waits
                loop.call_soon_threadsafe(_settle, answer, call)

        call.when_done(tell)
        return call, answer

    def infer_stream(self, inputs: Any = None, /, **options: Any) -> Iterator[Any]:
        """The answers to one request, one after the other. Closing the iterator, or dropping it, cancels.

        Args:
            inputs: As infer().
            **options: As infer(), but for idempotent.
        """
        return self._stream(inputs, **options)

    def infer_stream_async(self, inputs: Any = None, /, **options: Any) -> AsyncIterator[Any]:
        """infer_stream() for an event loop. Cancelling the task that waits cancels the request.

        Args:
            inputs: As infer().
            **options: As infer(), but for idempotent.
        """
        return _AsyncAnswers(self._stream(inputs, **options))

    def allocate(self, shape: Any, dtype: Any = "float32") -> TensorBuffer:
        """Writable memory that the worker can read: fill it in place, then infer without a copy.

        Args:
            shape: An int or a sequence of them.
            dtype: Of the elements, which are not initialised.
        """
        return self._client.allocate(shape, dtype)

    def close_session(self, session_id: str) -> None:
        """Ends a session of this client: its state goes when its last call is answered."""
        self._client.close_session(session_id)

    def health_check(self) -> bool:
        """The model's own word; False also when no worker can be reached."""
        return self._client.health_check()

    def status(self) -> WorkerInfo:
        """The worker's own word.

        Raises:
            WorkerUnavailable: None can be reached.
        """
        return self._client.status()

    def signature(self) -> ModelSignature:
        """As the worker said when it was reached last."""
        return self._client.signature()

    @property
    def transport(self) -> Literal["shared_memory", "grpc"]:
        """How tensors travel."""
        return self._client.transport()

    def close(self) -> None:
        """Ends what is under way with WorkerUnavailable. Twice is once."""
        self._client.close()

    def __enter__(self) -> ModelWorkerClient:
        return self

    def __exit__(self, *error: object) -> None:
        self.close()

    def _submit(
        self,
        inputs: Any = None,
        /,
        *,
        parameters: Mapping[str, Any] | None = None,
        session_id: str | None = None,
        priority: int = 0,
        timeout: float | None = None,
        traceparent: str | None = None,
        tracestate: str | None = None,
        **named: ArrayLike,
    ) -> _core.PendingCall:
        trace = _trace(traceparent, tracestate)
        return self._client.submit(inputs, named, parameters, session_id, priority, timeout, trace)

    def _stream(
        self,
        inputs: Any = None,
        /,
        *,
        parameters: Mapping[str, Any] | None = None,
        session_id: str | None = None,
        priority: int = 0,
        timeout: float | None = None,
        traceparent: str | None = None,
        tracestate: str | None = None,
        **named: ArrayLike,
    ) -> _core.InferenceStream:
        trace = _trace(traceparent, tracestate)
        return self._client.infer_stream(inputs, named, parameters, session_id, priority, timeout, trace)


def _trace(traceparent: str | None, tracestate: str | None) -> tuple[str, str] | None:
    if traceparent is None:
        return current_span()
    return check.text("traceparent", traceparent), "" if tracestate is None else check.text("tracestate", tracestate)


def _settle(answer: asyncio.Future[Any], call: _core.PendingCall) -> None:
    if not answer.done():
        settle(answer, call)


def _cancel(submitting: asyncio.Task[_core.PendingCall]) -> None:
    if not submitting.cancelled() and submitting.exception() is None:
        submitting.result().cancel()


class _AsyncAnswers:
    """The answers of a stream on an event loop."""

    def __init__(self, stream: _core.InferenceStream) -> None:
        self._stream = stream

    def __aiter__(self) -> AsyncIterator[Any]:
        return self

    async def __anext__(self) -> Any:
        loop = asyncio.get_running_loop()
        readable: asyncio.Future[None] = loop.create_future()

        def tell() -> None:
            with contextlib.suppress(RuntimeError):  # the loop was closed: nobody waits
                loop.call_soon_threadsafe(set_unless_done, readable)

        self._stream.when_readable(tell)
        try:
            await readable
        except asyncio.CancelledError:
            self._stream.close()
            raise
        try:
            return next(self._stream)
        except StopIteration:
            raise StopAsyncIteration from None

    async def aclose(self) -> None:
        """Cancels it."""
        self._stream.close()

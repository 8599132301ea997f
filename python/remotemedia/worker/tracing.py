# SPDX-License-Identifier: Apache-2.0
"""Traces of OpenTelemetry, in programs that use it.

It is never imported for somebody else: a program that has a span, or a provider of tracers, has done so before.
"""

from __future__ import annotations

import atexit
import logging
import sys
import threading
from typing import TYPE_CHECKING

from remotemedia import _core

if TYPE_CHECKING:
    from opentelemetry.context import Context
    from opentelemetry.trace import Link, Tracer
    from opentelemetry.util.types import Attributes


def current_span() -> tuple[str, str] | None:
    """The traceparent and the tracestate of the span that is current here."""
    trace = sys.modules.get("opentelemetry.trace")
    if trace is None:
        return None
    get_current_span = getattr(trace, "get_current_span", None)  # while another thread imports it there is none yet
    if get_current_span is None:
        return None
    span = get_current_span().get_span_context()
    if not span.is_valid:
        return None
    return f"00-{span.trace_id:032x}-{span.span_id:016x}-{span.trace_flags:02x}", span.trace_state.to_header()


def record(config: _core.WorkerConfig) -> SpanRecorder | None:
    """Has the calls of a worker with `config` recorded as spans, where the program has set a provider of tracers."""
    if sys.modules.get("opentelemetry.trace") is None:
        return None
    from opentelemetry import trace

    if isinstance(trace.get_tracer_provider(), (trace.ProxyTracerProvider, trace.NoOpTracerProvider)):
        return None
    recorder = SpanRecorder(_core.CallTraces.of(config), trace.get_tracer("remotemedia", _core.__version__))
    atexit.register(recorder.finish)  # before the provider's own, which was registered when that was made
    recorder.start()
    return recorder


class SpanRecorder(threading.Thread):
    """Makes spans of calls that have ended, apart from the threads that answer. Ends with its worker."""

    def __init__(self, calls: _core.CallTraces, tracer: Tracer) -> None:
        super().__init__(name="remotemedia spans", daemon=True)
        self._calls = calls
        self._tracer = tracer

    def run(self) -> None:
        """Until the worker is gone, or finish()."""
        while calls := self._calls.take():
            for call in calls:
                try:
                    _record(self._tracer, call)
                except Exception:  # of the program's own processors
                    logging.getLogger("remotemedia").exception("a call of model %r has no spans", call.model_id)
        atexit.unregister(self.finish)

    def finish(self) -> None:
        """Returns when all calls that have ended are recorded."""
        self._calls.close()
        if self is not threading.current_thread():
            self.join()


def _record(tracer: Tracer, call: _core.TracedCall) -> None:
    from opentelemetry.trace import SpanKind, Status, StatusCode, set_span_in_context

    attributes: Attributes = {
        "remotemedia.model_id": call.model_id,
        "remotemedia.request_id": call.request_id,
        "remotemedia.transport": call.transport,
        "remotemedia.stream": call.stream,
        "remotemedia.rows": call.rows,
        "remotemedia.batch_size": call.batch_rows,
        "remotemedia.outcome": call.outcome,
    }
    whole = tracer.start_span(
        "remotemedia.infer", _context(call.headers), SpanKind.SERVER, attributes, start_time=call.accepted_at
    )
    parts = set_span_in_context(whole)
    began = call.began_at or call.answered_at
    _part(tracer, "queue", parts, call.accepted_at, began)
    if call.ran_from is not None:
        ran_to = call.ran_to or call.answered_at
        _part(tracer, "batch", parts, began, call.ran_from, [_link(headers) for headers in call.ran_with])
        _part(tracer, "infer", parts, call.ran_from, ran_to)
        _part(tracer, "transfer", parts, ran_to, call.given_at)
    if (error := call.error) is not None:
        whole.record_exception(error, timestamp=call.answered_at)
        whole.set_status(Status(StatusCode.ERROR, str(error)))
    whole.end(call.given_at)


def _part(tracer: Tracer, name: str, context: Context, start: int, end: int, links: list[Link] | None = None) -> None:
    tracer.start_span(name, context, links=links, start_time=start).end(end)


def _context(headers: dict[str, str]) -> Context:
    from opentelemetry.context import Context
    from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator

    return TraceContextTextMapPropagator().extract(headers, Context())


def _link(headers: dict[str, str]) -> Link:
    from opentelemetry.trace import Link, get_current_span

    return Link(get_current_span(_context(headers)).get_span_context())

# SPDX-License-Identifier: Apache-2.0
"""A worker's spans, as OpenTelemetry's own SDK has them."""

import json
from typing import Any

import pytest

from tests.python.core.program import run
from tests.python.wire.traced_server import TRACE, WAYS, TracedServer, traced_server, traceparent
from tests.python.workers.served import models, new_endpoint

BEGIN = """
from opentelemetry import trace
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

exporter = InMemorySpanExporter()
provider = TracerProvider(shutdown_on_exit=False)
provider.add_span_processor(SimpleSpanProcessor(exporter))
trace.set_tracer_provider(provider)
"""

END = """
for span in exporter.get_finished_spans():
    say("span " + span.to_json(indent=None))
"""


def spans_of(server: TracedServer) -> list[dict[str, Any]]:
    """Ends it."""
    return [json.loads(line.removeprefix("span ")) for line in server.end() if line.startswith("span ")]


def wholes(spans: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [span for span in spans if span["name"] == "remotemedia.infer"]


def parts_of(spans: list[dict[str, Any]], whole: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return {span["name"]: span for span in spans if span["parent_id"] == whole["context"]["span_id"]}


@pytest.mark.parametrize("way", WAYS)
def test_a_call_is_a_span_of_its_caller_with_its_parts(way: str) -> None:
    with traced_server(BEGIN, END) as server:
        server.call(way, {"traceparent": traceparent(7)})
        spans = spans_of(server)
    (whole,) = wholes(spans)
    assert whole["kind"] == "SpanKind.SERVER"
    assert whole["parent_id"] == f"0x{7:016x}"
    assert {span["context"]["trace_id"] for span in spans} == {f"0x{TRACE}"}
    told = whole["attributes"]
    assert told.pop("remotemedia.request_id").isdigit()
    assert told == {
        "remotemedia.model_id": "traced",
        "remotemedia.transport": {"unix": "shared_memory", "http": "http"}.get(way, "grpc"),
        "remotemedia.stream": False,
        "remotemedia.rows": 1,
        "remotemedia.batch_size": 1,
        "remotemedia.outcome": "answered",
    }
    parts = parts_of(spans, whole)
    assert list(parts) == ["queue", "batch", "infer", "transfer"]
    times = [whole["start_time"]]
    for part in parts.values():
        assert part["start_time"] == times[-1]
        times.append(part["end_time"])
    assert times[-1] == whole["end_time"]
    assert times == sorted(times)


def test_calls_without_a_sampled_trace_have_none() -> None:
    with traced_server(BEGIN, END) as server:
        for way in WAYS:
            server.call(way, {})
            server.call(way, {"traceparent": traceparent(1, "00")})
            server.call(way, {"traceparent": "nonsense"})
        assert spans_of(server) == []


def test_calls_that_ran_together_link_to_one_another() -> None:
    with traced_server(BEGIN, END) as server, server.client("unix") as client:
        first = client.infer_future([[-1, -1]])
        server.program.wait_for("began")
        others = [client.infer_future([[2, 2], [3, 3]], traceparent=traceparent(1 + i, f"0{i % 2}")) for i in range(4)]
        while client.status().queue_depth < 4:
            pass
        server.program.tell("go")
        for future in (first, *others):
            future.result(60)
        spans = spans_of(server)
    assert len(wholes(spans)) == 2, "of those that are sampled"
    for whole in wholes(spans):
        own = int(whole["parent_id"], 16)
        assert (whole["attributes"]["remotemedia.rows"], whole["attributes"]["remotemedia.batch_size"]) == (2, 8)
        linked = [int(link["context"]["span_id"], 16) for link in parts_of(spans, whole)["batch"]["links"]]
        assert sorted([own, *linked]) == [1, 2, 3, 4]


def test_a_failure_is_recorded_with_its_exception() -> None:
    with traced_server(BEGIN, END) as server, server.client("unix") as client:
        for _ in range(2):
            with pytest.raises(Exception, match="ones are not doubled"):
                client.infer([[1, 1]], traceparent=traceparent(1))
        spans = spans_of(server)
    assert len(wholes(spans)) == 2
    for whole in wholes(spans):
        assert whole["attributes"]["remotemedia.outcome"] == "inference_failed"
        assert whole["status"]["status_code"] == "ERROR"
        assert "ones are not doubled" in whole["status"]["description"]
        (event,) = whole["events"]
        assert event["name"] == "exception"
        assert event["attributes"]["exception.type"].endswith("InferenceFailed")
        assert list(parts_of(spans, whole)) == ["queue", "batch", "infer", "transfer"]


def test_a_call_that_is_cancelled_in_the_queue_has_waited_there() -> None:
    with traced_server(BEGIN, END) as server, server.client("unix") as client:
        first = client.infer_future([[-1, -1]])
        server.program.wait_for("began")
        call = client.infer_future([[2, 2]], traceparent=traceparent(1))
        while client.status().queue_depth < 1:
            pass
        assert call.cancel()
        while client.status().queue_depth > 0:
            pass
        server.program.tell("go")
        first.result(60)
        spans = spans_of(server)
    (whole,) = wholes(spans)
    assert whole["attributes"]["remotemedia.outcome"] == "cancelled"
    assert list(parts_of(spans, whole)) == ["queue"]


def test_a_stream_is_one_call() -> None:
    with traced_server(BEGIN, END) as server, server.client("own grpc") as client:
        assert len(list(client.infer_stream([[2, 2]], traceparent=traceparent(1)))) == 2
        spans = spans_of(server)
    (whole,) = wholes(spans)
    assert whole["attributes"]["remotemedia.stream"]
    assert list(parts_of(spans, whole)) == ["queue", "batch", "infer", "transfer"]


def test_a_processor_that_fails_ends_nothing() -> None:
    fails = """
import logging
from opentelemetry.sdk.trace import SpanProcessor

class Fails(SpanProcessor):
    def on_start(self, span, parent_context=None):
        raise ValueError("no span")

class Says(logging.Handler):
    def emit(self, record):
        say("log " + record.getMessage())

provider.add_span_processor(Fails())
logging.getLogger("remotemedia").addHandler(Says())
"""
    with traced_server(BEGIN + fails) as server:
        for span in (1, 2):
            assert server.call("unix", {"traceparent": traceparent(span)}) == [[6, 6]]
        assert [line for line in server.end() if line.startswith("log ")] == [
            "log a call of model 'traced' has no spans"
        ] * 2


def test_what_was_answered_is_recorded_at_the_exit_of_the_interpreter() -> None:
    exits = """
from opentelemetry.sdk.trace import SpanProcessor

class Says(SpanProcessor):
    def on_end(self, span):
        say("ended " + span.name)
    def shutdown(self):
        say("shut down")

at_exit = TracerProvider()
at_exit.add_span_processor(Says())
trace.set_tracer_provider(at_exit)

def call():
    worker = rm.ModelWorker(Doubler())
    worker.start(ENDPOINT)
    with connect() as client:
        for _ in range(100):
            client.infer([[1, 2]], traceparent="%s")
    return worker

worker = call()
"""
    without_provider = BEGIN.split("exporter =", maxsplit=1)[0]
    told = run(models(new_endpoint()), without_provider, exits % traceparent(1), stuck=True)
    assert told.count("ended remotemedia.infer") == 100
    assert told[-1] == "shut down"


def test_a_worker_that_is_dropped_ends_its_recorder() -> None:
    drops = """
before = threading.active_count()
dropped = rm.ModelWorker(Doubler())
assert threading.active_count() == before + 1
dropped.start()
(recorder,) = [thread for thread in threading.enumerate() if thread.name == "remotemedia spans"]
del dropped
gc.collect()
recorder.join()
say("joined")
"""
    with traced_server(BEGIN + drops) as server:
        assert "joined" in server.end()

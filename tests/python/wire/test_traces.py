# SPDX-License-Identifier: Apache-2.0
"""A call says to which trace it belongs, by whatever way it comes, and the model is told."""

import asyncio
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import urllib3

import remotemedia as rm
from tests.python.core.program import run
from tests.python.wire.traced_server import TRACE, WAYS, traced_server, traceparent
from tests.python.workers.served import models, new_endpoint

MALFORMED = [
    "",
    "nonsense",
    f"00-{'0' * 32}-{1:016x}-01",
    f"00-{TRACE}-{0:016x}-01",
    f"00-{TRACE.upper()}-{1:016x}-01",
    f"ff-{TRACE}-{1:016x}-01",
    traceparent(1) + "-more",
    traceparent(1)[:-1],
]


@pytest.mark.parametrize("way", WAYS)
def test_the_model_is_told_the_trace_of_each_call(way: str) -> None:
    with traced_server() as server:
        for span in (1, 2):
            assert server.call(way, {"traceparent": traceparent(span), "tracestate": "a=1,b=2"}) == [[6, 6]]
        assert server.call(way, {"traceparent": traceparent(3, "00")}) == [[6, 6]]
        assert server.call(way, {}) == [[6, 6]]
        assert server.told() == [
            [[traceparent(1), "a=1,b=2", {}]],
            [[traceparent(2), "a=1,b=2", {}]],
            [[traceparent(3, "00"), None, {}]],
            [[None, None, {}]],
        ]


@pytest.mark.parametrize("way", WAYS)
def test_what_is_malformed_is_left_out(way: str) -> None:
    with traced_server() as server:
        for wrong in MALFORMED:
            assert server.call(way, {"traceparent": wrong, "tracestate": "a=1"}) == [[6, 6]]
        assert server.call(way, {"traceparent": traceparent(1), "tracestate": "a" * 600}) == [[6, 6]]
        assert server.call(way, {"traceparent": "cc" + traceparent(1, "ff")[2:] + "-more"}) == [[6, 6]]
        *none, without_state, newer = server.told()
        assert none == [[[None, None, {}]]] * len(MALFORMED)
        assert without_state == [[traceparent(1), None, {}]]
        assert newer == [[traceparent(1), None, {}]]


def test_a_body_without_json_belongs_to_a_trace_too() -> None:
    x = np.full(2, 3, np.float32).tobytes()
    with traced_server() as server:
        for span in (1, 2):
            headers = {"Inference-Header-Content-Length": "0", "traceparent": traceparent(span)}
            answer = urllib3.request("POST", server.http + "/v2/models/traced/infer", body=x, headers=headers)
            assert answer.status == 200
        assert [run[0][0] for run in server.told()] == [traceparent(1), traceparent(2)]


@pytest.mark.parametrize("way", ["unix", "own grpc"])
def test_each_kind_of_call_takes_it_along(way: str) -> None:
    x = np.full((1, 2), 3, np.float32)
    with traced_server() as server, server.client(way) as client:
        given = client.allocate((1, 100_000))
        given.to_numpy()[:] = 3
        assert client.infer(given, traceparent=traceparent(1)).to_numpy()[0, -1] == 6
        assert client.infer_future(x, traceparent=traceparent(2)).result(60).to_numpy().tolist() == [[6, 6]]
        assert asyncio.run(client.infer_async(x, traceparent=traceparent(3))).to_numpy().tolist() == [[6, 6]]
        assert len(list(client.infer_stream(x, traceparent=traceparent(4), session_id="s"))) == 2
        for _ in range(2):
            with pytest.raises(TypeError, match="traceparent must be a str, not int"):
                client.infer(x, traceparent=7)  # type: ignore[arg-type]
        assert [run[0][0] for run in server.told()] == [traceparent(span) for span in (1, 2, 3, 4)]


def test_calls_of_different_traces_run_together() -> None:
    with traced_server() as server, ThreadPoolExecutor(9) as threads:
        first = threads.submit(server.call, "unix", {"traceparent": traceparent(99)}, -1)
        server.program.wait_for("began")
        others = [
            threads.submit(server.call, WAYS[i % 4], {"traceparent": traceparent(1 + i)}, 2 + i) for i in range(8)
        ]
        with server.client("unix") as client:
            while client.status().queue_depth < 8:
                pass
        server.program.tell("go")
        assert first.result(60) == [[-2, -2]]
        assert [other.result(60) for other in others] == [[[2 * (2 + i)] * 2] for i in range(8)]
        alone, together = server.told()
        assert len(alone) == 1
        assert sorted(told for told, _, _ in together) == [traceparent(1 + i) for i in range(8)]


def test_a_client_takes_the_current_span_along() -> None:
    pytest.importorskip("opentelemetry.sdk")
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.sampling import ALWAYS_OFF

    x = np.full((1, 2), 3, np.float32)
    seen: list[str | None] = []

    async def asked(client: rm.ModelWorkerClient) -> None:
        await client.infer_async(x)

    with traced_server() as server:
        for way in ("unix", "own grpc"):
            for provider in (TracerProvider(), TracerProvider(sampler=ALWAYS_OFF)):
                with server.client(way) as client, provider.get_tracer("test").start_as_current_span("caller") as span:
                    client.infer(x)
                    client.infer_future(x).result(60)
                    asyncio.run(asked(client))
                    list(client.infer_stream(x))
                    client.infer(x, traceparent=traceparent(1))
                    here = span.get_span_context()
                    own = f"00-{here.trace_id:032x}-{here.span_id:016x}-{here.trace_flags:02x}"
                    seen += [own] * 4 + [traceparent(1)]
            with server.client(way) as client:
                client.infer(x)
            seen.append(None)
        assert [run[0][0] for run in server.told()] == seen


WITHOUT = """
def ask():
    with rm.ModelWorker(Doubler()) as worker:
        worker.start(ENDPOINT)
        with connect() as client:
            for options in ({}, {"traceparent": "%s"}):
                say(str(client.infer([[1, 2]], **options).to_numpy().tolist()))
                say(str(client.infer_future([[1, 2]], **options).result(60).to_numpy().tolist()))
ask()
say(str([name for name, module in sys.modules.items() if name.startswith("opentelemetry") and module is not None]))
"""
HIDDEN = 'sys.modules["opentelemetry"] = sys.modules["opentelemetry.trace"] = None'


@pytest.mark.parametrize("hidden", [HIDDEN, ""])
def test_opentelemetry_is_neither_needed_nor_imported(hidden: str) -> None:
    assert run(models(new_endpoint()), hidden, WITHOUT % traceparent(1)) == ["[[2.0, 4.0]]"] * 4 + ["[]"]

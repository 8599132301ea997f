# SPDX-License-Identifier: Apache-2.0
"""A worker that tells to which traces its calls belong, and those who call it in each way there is."""

import contextlib
import json
from collections.abc import Iterator
from typing import Any

import numpy as np
import tritonclient.grpc
import tritonclient.http

import remotemedia as rm
from tests.python.core.program import Program
from tests.python.workers.served import models

WAYS = ["unix", "own grpc", "grpc", "http"]
TRACE = "0af7651916cd43dd8448eb211c80319c"

TRACED = """
import json

class Traced(Gated):  # tells of each run whose calls it had; ones make it fail
    model_id = "traced"
    def infer(self, inputs, context):
        say(json.dumps([[each.traceparent, each.tracestate, dict(each.parameters)] for each in context.requests]))
        if inputs["x"].max() == 1:
            raise ValueError("ones are not doubled")
        return super().infer(inputs, context)
    def infer_stream(self, inputs, context):
        say(json.dumps([[each.traceparent, each.tracestate, dict(each.parameters)] for each in context.requests]))
        for factor in (2, 3):
            yield {"y": inputs["x"] * factor}

def serve_traced():
    worker = rm.ModelWorker(Traced())
    unix = "unix:" + tempfile.mkdtemp(prefix="rm-") + "/worker"
    for endpoint in worker.start("grpc://127.0.0.1:0", "http://127.0.0.1:0", unix):
        say(endpoint)
    say("serves")
    gates["end"].wait()
    worker.stop()

serve_traced()
"""


def traceparent(span: int, flags: str = "01") -> str:
    return f"00-{TRACE}-{span:016x}-{flags}"


class TracedServer:
    """begin, end: what the program does before the worker is made, and when it was stopped."""

    def __init__(self, begin: str = "", end: str = "") -> None:
        self.program = Program("import tempfile", models(""), begin, TRACED, end)
        self.program.wait_for("serves")
        self.grpc, self.http, self.unix = self.program.lines[-4:-1]

    def client(self, way: str) -> rm.ModelWorkerClient:
        if way == "unix":
            return rm.ModelWorkerClient.connect(self.unix, timeout=60)
        return rm.ModelWorkerClient.connect(self.grpc, timeout=60, transport="grpc")

    def call(self, way: str, headers: dict[str, Any], value: float = 3) -> Any:
        """What one row of this value is answered with."""
        x = np.full((1, 2), value, np.float32)
        if way in ("unix", "own grpc"):
            with self.client(way) as client:
                return client.infer(x, **headers).to_numpy().tolist()
        triton: Any = tritonclient.grpc if way == "grpc" else tritonclient.http
        endpoint = self.grpc if way == "grpc" else self.http
        given = triton.InferInput("x", [1, 2], "FP32")
        given.set_data_from_numpy(x)
        with triton.InferenceServerClient(endpoint.split("://")[1]) as client:
            return client.infer("traced", [given], headers=headers).as_numpy("y").tolist()

    def end(self) -> list[str]:
        self.program.tell("end")
        return self.program.end()

    def told(self) -> list[Any]:
        """Of each run, of each of its calls: traceparent, tracestate and parameters. Ends it."""
        return [json.loads(line) for line in self.end() if line.startswith("[[")]


@contextlib.contextmanager
def traced_server(begin: str = "", end: str = "") -> Iterator[TracedServer]:
    """It ends well in the test, or is killed."""
    server = TracedServer(begin, end)
    try:
        yield server
    except BaseException:
        server.program.kill()
        raise

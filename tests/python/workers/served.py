# SPDX-License-Identifier: Apache-2.0
"""Models in interpreters of their own, and clients of them."""

import contextlib
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Any, Literal

import remotemedia as rm
from tests.python.core.program import Program


@dataclass
class Way:
    """How clients reach workers: all tests of this folder are run for each."""

    scheme: str
    transport: Literal["shared_memory", "grpc"]


BY_SHARED_MEMORY = Way("unix:", "shared_memory")
BY_GRPC = Way("grpc+unix:", "grpc")
way = Way("unix:", "shared_memory")

MODELS = """
import numpy as np

ENDPOINT = {endpoint!r}

def connect(**options):
    return rm.ModelWorkerClient.connect(ENDPOINT, transport={transport!r}, **options)

class Gates(dict):  # events by name, set by lines of stdin
    def __missing__(self, name):
        return self.setdefault(name, threading.Event())

gates = Gates()

def hear():
    heard = b""
    while chunk := os.read(0, 100):
        *lines, heard = (heard + chunk).split(b"\\n")
        for line in lines:
            gates[line.decode()].set()

threading.Thread(target=hear, daemon=True).start()

class Doubler(rm.InferenceModel):
    model_id = "doubler"
    def signature(self):
        return rm.ModelSignature(
            [rm.TensorSpec("x", "float32", [-1])], [rm.TensorSpec("y", "float32", [-1])], max_batch_size=16
        )
    def infer(self, inputs):
        return {{"y": inputs["x"] * 2}}

class Gated(Doubler):  # a negative number waits for a line of stdin
    def infer(self, inputs, context):
        if inputs["x"].min() < 0:
            say("began")
            gates["go"].wait()
        say("ran " + str(float(inputs["x"].max())) + (" cancelled" if context.cancelled else ""))
        return {{"y": inputs["x"] * 2}}
"""


class Served:
    """A program that serves a model at an endpoint until it is told to end."""

    def __init__(self, serve: str, *, endpoint: str | None = None, stuck: bool = False) -> None:
        self.endpoint = new_endpoint() if endpoint is None else endpoint
        self.program = Program(models(self.endpoint), serve, stuck=stuck)

    def connect(self, **options: float) -> rm.ModelWorkerClient:
        return connect(self.endpoint, **options)

    def __enter__(self) -> "Served":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is not None:
            self.program.kill()
            return
        self.program.interrupt()
        self.program.end()


def models(endpoint: str) -> str:
    """MODELS of a program."""
    return MODELS.format(endpoint=endpoint, transport=way.transport)


def new_endpoint() -> str:
    return way.scheme + str(Path(tempfile.mkdtemp(prefix="rm-")) / "worker")


def connect(endpoint: str, **options: float) -> rm.ModelWorkerClient:
    given: dict[str, Any] = {"timeout": 60, **options}
    return rm.ModelWorkerClient.connect(endpoint, transport=way.transport, **given)


@contextlib.contextmanager
def served(serve: str) -> Iterator[tuple[Served, rm.ModelWorkerClient]]:
    """A worker and a client of it; both end well."""
    with Served(serve) as worker, worker.connect() as client:
        yield worker, client

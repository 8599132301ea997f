# SPDX-License-Identifier: Apache-2.0
"""The two that are compared, and Triton's four clients of them."""

import asyncio
import contextlib
import inspect
import os
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import tritonclient.grpc
import tritonclient.grpc.aio
import tritonclient.http
import tritonclient.http.aio
from tritonclient.utils import InferenceServerException

from tests.triton.differences import CASES
from tests.triton.model_behaviour import FOLDER, MODELS
from tests.triton.triton_model import ROOT, write_repository
from tests.triton.triton_process import ENVIRONMENT, packages_of, triton_server

LIBRARIES: dict[str, Any] = {
    "grpc": tritonclient.grpc,
    "grpc.aio": tritonclient.grpc.aio,
    "http": tritonclient.http,
    "http.aio": tritonclient.http.aio,
}


@dataclass(frozen=True)
class Server:
    """One of the two: its process, where it is called, and where its model `gated` writes."""

    is_triton: bool
    process: int
    grpc: str
    http: str
    folder: Path

    def check(self, what: str, seen: Any, of_both: Any) -> None:
        """Fails unless it answers as the other does, or as a known difference says."""
        known = CASES.get(what)
        wanted = of_both if known is None else known.triton if self.is_triton else known.worker
        name = "a real Triton" if self.is_triton else "a worker"
        assert seen == wanted, f"{what}: {name} answers {seen}, and not {wanted}"

    def lines(self) -> list[str]:
        """What `gated` has written."""
        written = self.folder / "lines"
        return written.read_text().splitlines() if written.exists() else []

    def wait_for(self, line: str) -> None:
        while line not in self.lines():
            pass


@contextlib.contextmanager
def real_triton(names: Iterable[str] = MODELS) -> Iterator[Server]:
    """One with these models.

    Raises:
        NoTriton: There is none here.
    """
    packages_of(ENVIRONMENT)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_repository(folder / "models", names)
        with triton_server(folder / "models", folder, {FOLDER: name}) as server:
            yield Server(True, server.process.pid, server.grpc, server.http, folder)


@contextlib.contextmanager
def workers(names: Iterable[str] = MODELS) -> Iterator[Server]:
    """Workers with these models."""
    with tempfile.TemporaryDirectory() as name:
        process = subprocess.Popen(
            [sys.executable, "-m", "tests.triton.worker_process", *names],
            cwd=ROOT,
            env={**os.environ, FOLDER: name},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        with process:
            assert process.stdin is not None
            assert process.stdout is not None
            grpc, http = process.stdout.readline().split()
            targets = grpc.removeprefix("grpc://"), http.removeprefix("http://")
            yield Server(False, process.pid, *targets, Path(name))
            process.stdin.close()
            assert process.wait(60) == 0


class Client:
    """One of Triton's, as it is; what an asyncio one gives is waited for."""

    def __init__(self, server: Server, way: str, loop: asyncio.AbstractEventLoop) -> None:
        self.way = way
        self.library = LIBRARIES[way]
        self.over_http = way.startswith("http")
        self._loop = loop
        self._client: Any = self._done(self._make, server.http if self.over_http else server.grpc)

    def __getattr__(self, name: str) -> Callable[..., Any]:
        return lambda *arguments, **options: self._done(getattr(self._client, name), *arguments, **options)

    def tensor(self, name: str, values: Any, datatype: str, **options: Any) -> Any:
        """An input; binary_data is for HTTP."""
        made = self.library.InferInput(name, list(values.shape), datatype)
        made.set_data_from_numpy(values, **(options if self.over_http else {}))
        return made

    def output(self, name: str, **options: Any) -> Any:
        return self.library.InferRequestedOutput(name, **(options if self.over_http else {}))

    def refused(self, *arguments: Any, **options: Any) -> tuple[str, str]:
        """Code and text of the error that a call ends with; asked twice."""
        told = []
        for _ in range(2):
            try:
                self.infer(*arguments, **options)
                told.append(("OK", ""))
            except InferenceServerException as error:
                told.append(((error.status() or "none").removeprefix("StatusCode."), error.message()))
        assert told[0][0] == told[1][0]
        return told[0]

    def _make(self, target: str) -> Any:
        if self.way == "http":
            return self.library.InferenceServerClient(target, concurrency=4)
        return self.library.InferenceServerClient(target)

    def _done(self, call: Callable[..., Any], *arguments: Any, **options: Any) -> Any:
        async def within() -> Any:
            given = call(*arguments, **options)
            return await given if inspect.isawaitable(given) else given

        return self._loop.run_until_complete(within()) if self.way.endswith(".aio") else call(*arguments, **options)


@contextlib.contextmanager
def client_of(server: Server, way: str) -> Iterator[Client]:
    loop = asyncio.new_event_loop()
    client = Client(server, way, loop)
    try:
        yield client
    finally:
        client.close()
        loop.run_until_complete(asyncio.sleep(0))
        loop.close()

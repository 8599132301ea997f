# SPDX-License-Identifier: Apache-2.0
"""Each check is made of our workers and, by scripts/test triton, of a real Triton with the same models."""

import contextlib
import os
from collections.abc import Iterable, Iterator

import pytest

from tests.triton.model_behaviour import MODELS
from tests.triton.served import LIBRARIES, Client, Server, client_of, real_triton, workers
from tests.triton.triton_process import NoTriton

COMPARED = ["worker", "triton"] if "REMOTEMEDIA_TRITON" in os.environ else ["worker"]
"""scripts/test triton wants both."""


@contextlib.contextmanager
def started(which: str, names: Iterable[str]) -> Iterator[Server]:
    """One of the two; skips what needs a Triton where there is none."""
    try:
        with real_triton(names) if which == "triton" else workers(names) as made:
            yield made
    except NoTriton as missing:
        pytest.skip(str(missing))


@pytest.fixture(scope="session", params=COMPARED)
def server(request: pytest.FixtureRequest) -> Iterator[Server]:
    """With all models, for all checks."""
    with started(request.param, MODELS) as made:
        yield made


@pytest.fixture(params=COMPARED)
def server_of_its_own(request: pytest.FixtureRequest) -> Iterator[Server]:
    """With `identity_FP32`, for one check, which may end it."""
    with started(request.param, ["identity_FP32"]) as made:
        yield made


@pytest.fixture(params=LIBRARIES)
def client(server: Server, request: pytest.FixtureRequest) -> Iterator[Client]:
    """Each of Triton's clients."""
    with client_of(server, request.param) as made:
        yield made


@pytest.fixture(params=["grpc", "http"])
def plain_client(server: Server, request: pytest.FixtureRequest) -> Iterator[Client]:
    """Those that wait by themselves."""
    with client_of(server, request.param) as made:
        yield made

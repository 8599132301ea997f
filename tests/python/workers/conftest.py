# SPDX-License-Identifier: Apache-2.0
"""Runs every test of this folder over shared memory and over gRPC, but for those of the one."""

import functools

import pytest

import remotemedia as rm
from tests.python.workers import served


@functools.cache
def has_grpc() -> bool:
    try:
        rm.ModelWorkerClient.connect("grpc+unix:/no/such/worker", timeout=0)
    except rm.WorkerUnavailable:
        return True
    except rm.RemoteMediaError:
        return False
    raise AssertionError("nobody is there")


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    alone = metafunc.definition.get_closest_marker("shared_memory") is not None
    ways = [served.BY_SHARED_MEMORY] if alone or not has_grpc() else [served.BY_SHARED_MEMORY, served.BY_GRPC]
    metafunc.parametrize("way", ways, ids=[way.transport for way in ways], indirect=True)


@pytest.fixture(autouse=True)
def way(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> served.Way:
    monkeypatch.setattr(served, "way", request.param)
    return served.way

# SPDX-License-Identifier: Apache-2.0
"""Tensors in shared memory that clients name, by Triton's own clients: over gRPC and over HTTP."""

import contextlib
import os
import uuid
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import tritonclient.grpc
import tritonclient.http
from tritonclient.utils import InferenceServerException, shared_memory

from tests.python.wire.client_memory import counting_memory
from tests.python.wire.wire_server import WireServer, wire_server

CLIENTS = {"grpc": tritonclient.grpc, "http": tritonclient.http}


@pytest.fixture(params=["grpc", "http"])
def way(request: pytest.FixtureRequest) -> str:
    return str(request.param)


class Wired:
    """A server and a client of it by one of the ways."""

    def __init__(self, server: WireServer, way: str) -> None:
        self.library: Any = CLIENTS[way]
        self.client: Any = self.library.InferenceServerClient(server.target)

    def tensor(self, shape: list[int], region: str, size: int, offset: int = 0, datatype: str = "FP32") -> Any:
        made = self.library.InferInput("x", shape, datatype)
        made.set_shared_memory(region, size, offset)
        return made

    def output(self, region: str, size: int, offset: int = 0) -> Any:
        made = self.library.InferRequestedOutput("y")
        made.set_shared_memory(region, size, offset)
        return made

    def refused(self, why: str, inputs: list[Any], outputs: list[Any] | None = None) -> None:
        for _ in range(2):
            with pytest.raises(InferenceServerException, match=why):
                self.client.infer("doubler", inputs, outputs=outputs)
        self.is_served()

    def is_served(self) -> None:
        x = self.library.InferInput("x", [1, 2], "FP32")
        x.set_data_from_numpy(np.ones((1, 2), np.float32))
        assert self.client.infer("doubler", [x]).as_numpy("y").tolist() == [[2, 2]]


@contextlib.contextmanager
def wired(way: str, config: str = "allow_client_shared_memory=True") -> Iterator[Wired]:
    with wire_server(f"serve(Doubler(), endpoint='{way}://127.0.0.1:0', {config})") as server:
        made = Wired(server, way)
        try:
            yield made
        finally:
            made.client.close()


@pytest.fixture
def memory() -> Iterator[str]:
    with counting_memory() as key:
        yield key


def test_tensors_are_read_and_written_where_the_client_said(way: str) -> None:
    key = f"/remotemedia-{uuid.uuid4().hex}"
    handle = shared_memory.create_shared_memory_region("both", key, 64)
    try:
        with wired(way) as wire:
            wire.client.register_system_shared_memory("both", key, 64)
            for n in (1, 2):
                shared_memory.set_shared_memory_region(handle, [np.array([[n, n + 1]], np.float32)])
                x, y = wire.tensor([1, 2], "both", 8), wire.output("both", 8, 16)
                told = wire.client.infer("doubler", [x], outputs=[y], request_id=str(n))
                output = told.get_output("y")
                parameters = output["parameters"] if way == "http" else output.parameters
                region = parameters["shared_memory_region"]
                assert "both" in str(region)
                got = shared_memory.get_contents_as_numpy(handle, np.float32, [1, 2], offset=16)
                assert got.tolist() == [[2 * n, 2 * n + 2]]
            wire.client.unregister_system_shared_memory("both")
    finally:
        shared_memory.destroy_shared_memory_region(handle)


def test_a_region_may_be_a_part_of_its_memory(way: str, memory: str) -> None:
    with wired(way) as wire:
        wire.client.register_system_shared_memory("part", memory, 40, offset=400)
        answer = wire.client.infer("doubler", [wire.tensor([2, 2], "part", 16, 8)])
        assert answer.as_numpy("y").tolist() == [[204, 206], [208, 210]]
        x = wire.library.InferInput("x", [1, 2], "FP32")
        x.set_data_from_numpy(np.array([[7, 8]], np.float32))
        wire.client.infer("doubler", [x], outputs=[wire.output("part", 32, 8)])
        written = np.frombuffer((Path("/dev/shm") / memory).read_bytes(), np.float32)
        assert written[102:106].tolist() == [14, 16, 104, 105]


def names_of(listed: Any) -> list[str]:
    return sorted(each["name"] for each in listed) if isinstance(listed, list) else sorted(listed.regions)


def test_regions_are_listed_until_they_are_removed(way: str, memory: str) -> None:
    with wired(way) as wire:
        for name in ("a", "b"):
            wire.client.register_system_shared_memory(name, memory, 16)
            with pytest.raises(InferenceServerException, match="already"):
                wire.client.register_system_shared_memory(name, memory, 16)
        assert names_of(wire.client.get_system_shared_memory_status()) == ["a", "b"]
        assert names_of(wire.client.get_system_shared_memory_status("a")) == ["a"]
        wire.client.unregister_system_shared_memory("a")
        wire.client.unregister_system_shared_memory("a")
        wire.refused("not registered", [wire.tensor([1, 2], "a", 8)])
        with pytest.raises(InferenceServerException, match="no region 'a'"):
            wire.client.get_system_shared_memory_status("a")
        wire.client.unregister_system_shared_memory()
        assert names_of(wire.client.get_system_shared_memory_status()) == []


def test_a_worker_takes_none_unless_it_is_told_to(way: str, memory: str) -> None:
    with wired(way, "max_batch_size=8") as wire:
        for _ in range(2):
            with pytest.raises(InferenceServerException, match="allow_client_shared_memory"):
                wire.client.register_system_shared_memory("r", memory, 16)
        wire.refused("does not take from clients", [wire.tensor([1, 2], "r", 8)])
        x = wire.library.InferInput("x", [1, 2], "FP32")
        x.set_data_from_numpy(np.ones((1, 2), np.float32))
        wire.refused("does not take from clients", [x], [wire.output("r", 8)])


def test_what_is_not_within_is_refused(way: str, memory: str) -> None:
    most = 2**63 - 1
    with wired(way) as wire:
        for size, offset in ((4097, 0), (4096, 1), (1, 4096), (most, most), (most, 1), (1, most), (0, 0)):
            with pytest.raises(InferenceServerException, match=r"within|bytes"):
                wire.client.register_system_shared_memory("r", memory, size, offset=offset)
        wire.client.register_system_shared_memory("r", memory, 4000, offset=96)
        for size, offset in ((4001, 0), (8, 3993), (8, most), (most, 8), (most, most)):
            wire.refused("within", [wire.tensor([1, 2], "r", size, offset)])
        for shape, size in (([1, 2], 12), ([1, 3], 8), ([2**31, 2**31], 8), ([-1, 2], 8)):
            wire.refused("x", [wire.tensor(shape, "r", size)])
        x = wire.library.InferInput("x", [1, 4], "FP32")
        x.set_data_from_numpy(np.ones((1, 4), np.float32))
        wire.refused("room for 8", [x], [wire.output("r", 8)])


def test_keys_that_are_none_are_refused(way: str, memory: str) -> None:
    folder, link = Path("/dev/shm") / f"folder-{memory}", Path("/dev/shm") / f"link-{memory}"
    folder.mkdir()
    link.symlink_to(f"/dev/shm/{memory}")
    try:
        with wired(way) as wire:
            for key in (
                "",
                "/",
                ".",
                "..",
                "../etc/passwd",
                "a/b",
                "x" * 300,
                "none-" + memory,
                folder.name,
                link.name,
            ):
                with pytest.raises(InferenceServerException) as raised:
                    wire.client.register_system_shared_memory("r", key, 16)
                assert raised.value.message()
            wire.is_served()
    finally:
        folder.rmdir()
        link.unlink()


@pytest.mark.skipif(os.geteuid() != 0, reason="takes a file of another user")
def test_memory_of_another_user_is_refused(way: str, memory: str) -> None:
    os.chown(Path("/dev/shm") / memory, 65534, 65534)
    with wired(way) as wire:
        for _ in range(2):
            with pytest.raises(InferenceServerException, match="open the shared memory"):
                wire.client.register_system_shared_memory("r", memory, 16)


def test_memory_that_is_cut_or_removed_ends_nothing_but_its_calls(way: str, memory: str) -> None:
    path = Path("/dev/shm") / memory
    with wired(way) as wire:
        wire.client.register_system_shared_memory("r", memory, 4096)
        assert wire.client.infer("doubler", [wire.tensor([1, 2], "r", 8, 8)]).as_numpy("y").tolist() == [[4, 6]]
        os.truncate(path, 100)
        wire.refused("smaller", [wire.tensor([1, 2], "r", 8, 96)])
        x = wire.library.InferInput("x", [1, 2], "FP32")
        x.set_data_from_numpy(np.ones((1, 2), np.float32))
        wire.refused("smaller", [x], [wire.output("r", 8, 96)])
        path.unlink()
        assert wire.client.infer("doubler", [wire.tensor([1, 2], "r", 8, 8)]).as_numpy("y").tolist() == [[4, 6]]
        wire.refused("smaller", [wire.tensor([1, 2], "r", 8, 2048)])

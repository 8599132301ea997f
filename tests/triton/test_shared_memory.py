# SPDX-License-Identifier: Apache-2.0
"""Tensors in memory that clients name."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tritonclient.utils import InferenceServerException

from tests.python.wire.client_memory import counting_memory
from tests.triton.served import Client, Server
from tests.triton.test_calls import ones


@pytest.fixture
def key() -> Iterator[str]:
    with counting_memory() as made:
        yield made


@pytest.fixture
def region(client: Client, key: str) -> Iterator[str]:
    """The name of all of it."""
    client.register_system_shared_memory(key, key, 4096)
    yield key
    client.unregister_system_shared_memory(key)


def at(client: Client, region: str, size: int, offset: int = 0, shape: tuple[int, int] = (1, 2)) -> Any:
    made = client.library.InferInput("x", list(shape), "FP32")
    made.set_shared_memory(region, size, offset)
    return made


def into(client: Client, region: str, size: int, offset: int = 0) -> Any:
    made = client.output("y")
    made.set_shared_memory(region, size, offset)
    return made


def told(call: Any, *arguments: Any, **options: Any) -> str:
    """The code of the error, or OK; the same twice."""
    codes = []
    for _ in range(2):
        try:
            call(*arguments, **options)
            codes.append("OK")
        except InferenceServerException as error:
            codes.append(str(error.status()).removeprefix("StatusCode."))
    assert codes[0] == codes[1]
    return codes[0]


def way_of(client: Client) -> str:
    return "http" if client.over_http else "grpc"


def invalid(client: Client) -> str:
    return "400" if client.over_http else "INVALID_ARGUMENT"


def test_tensors_are_read_and_written_where_the_client_said(client: Client, region: str) -> None:
    for n in (1, 2):
        result = client.infer("doubler", [at(client, region, 8, 4 * n)])
        assert result.as_numpy("y").tolist() == [[2 * n, 2 * n + 2]]
        client.infer("doubler", [at(client, region, 8, 4 * n)], outputs=[into(client, region, 16, 2048)])
        written = np.frombuffer((Path("/dev/shm") / region).read_bytes(), np.float32)
        assert written[512:516].tolist() == [2 * n, 2 * n + 2, 514, 515]


def test_what_is_not_within_is_refused(server: Server, client: Client, region: str) -> None:
    x = client.tensor("x", ones(1, 2), "FP32")
    most = 2**63 - 1
    cases = {
        "more bytes of a region than it has": [at(client, region, 4100)],
        "bytes behind the end of a region": [at(client, region, 8, 4092)],
        "an offset behind a region": [at(client, region, 8, most)],
        "fewer bytes of a region than the shape says": [at(client, region, 4)],
        "more bytes of a region than the shape says": [at(client, region, 12)],
        "a region that nobody registered": [at(client, "nowhere", 8)],
    }
    for what, inputs in cases.items():
        server.check(f"{what}, {way_of(client)}", told(client.infer, "doubler", inputs), invalid(client))
    for what, output in {
        "an output that does not fit its bytes": into(client, region, 4),
        "an output behind the end of a region": into(client, region, 8, 4092),
        "an output to a region that nobody registered": into(client, "nowhere", 8),
    }.items():
        seen = told(client.infer, "doubler", [x], outputs=[output])
        server.check(f"{what}, {way_of(client)}", seen, invalid(client))
    assert client.infer("doubler", [x]).as_numpy("y").tolist() == [[2, 2]]


def test_what_is_no_memory_is_not_registered(server: Server, client: Client, key: str) -> None:
    most = 2**63 - 1
    for what, (name, size, offset) in {
        "a key that climbs": ("../" + key, 16, 0),
        "an empty key": ("", 16, 0),
        "more than there is": (key, 4097, 0),
        "an offset behind the end": (key, 16, 4096),
        "a sum that wraps": (key, most, most),
        "no bytes at all": (key, 0, 0),
    }.items():
        seen = told(client.register_system_shared_memory, "r", name, size, offset=offset)
        server.check(f"register {what}, {way_of(client)}", seen, invalid(client))
        client.unregister_system_shared_memory("r")


def test_a_key_that_nobody_has_is_not_registered(client: Client, key: str) -> None:
    seen = told(client.register_system_shared_memory, "r", "none-" + key, 16)
    assert seen == ("500" if client.over_http else "INTERNAL")


def names(listed: Any) -> list[str]:
    return sorted(each["name"] for each in listed) if isinstance(listed, list) else sorted(listed.regions)


def once(call: Any, *arguments: Any, **options: Any) -> str:
    """The code of the error, or OK."""
    try:
        call(*arguments, **options)
    except InferenceServerException as error:
        return str(error.status()).removeprefix("StatusCode.")
    return "OK"


def test_a_region_of_a_part_of_a_page_or_of_memory_that_has_a_name_already(
    server: Server, client: Client, key: str
) -> None:
    for _ in range(2):
        seen = once(client.register_system_shared_memory, "part", key, 16, offset=16)
        server.check(f"register an offset within a page, {way_of(client)}", seen, invalid(client))
        client.unregister_system_shared_memory("part")
        client.register_system_shared_memory("a", key, 16)
        seen = once(client.register_system_shared_memory, "b", key, 32)
        server.check(f"register a key by a second name, {way_of(client)}", seen, invalid(client))
        client.unregister_system_shared_memory("a")
        client.unregister_system_shared_memory("b")


def test_regions_are_listed_until_they_are_removed(server: Server, client: Client, key: str) -> None:
    client.unregister_system_shared_memory()
    with counting_memory() as other:
        client.register_system_shared_memory("a", key, 16)
        client.register_system_shared_memory("b", other, 16)
        assert names(client.get_system_shared_memory_status()) == ["a", "b"]
        assert names(client.get_system_shared_memory_status("a")) == ["a"]
        seen = told(client.register_system_shared_memory, "a", key, 16)
        server.check(f"register twice, {way_of(client)}", seen, "400" if client.over_http else "ALREADY_EXISTS")
        for _ in range(2):
            client.unregister_system_shared_memory("a")
        assert names(client.get_system_shared_memory_status()) == ["b"]
        seen = told(client.get_system_shared_memory_status, "a")
        none = "404" if client.over_http else "NOT_FOUND"
        server.check(f"the status of a region that is none, {way_of(client)}", seen, none)
        client.unregister_system_shared_memory()
        assert names(client.get_system_shared_memory_status()) == []


def test_there_is_no_memory_of_cuda(client: Client) -> None:
    for _ in range(2):
        client.unregister_cuda_shared_memory()
        client.unregister_cuda_shared_memory("a")
        status = client.get_cuda_shared_memory_status()
        assert names(status) == []

# SPDX-License-Identifier: Apache-2.0
"""What strangers send over HTTP: each gets an error or is let go, and others are served as before."""

import contextlib
import json
import random
import resource
import select
import socket
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import urllib3

from tests.python.wire.test_http_calls import HTTP, asked
from tests.python.wire.wire_server import WireServer, wire_server

INFER = "/v2/models/doubler/infer"
GOOD = {"inputs": [{"name": "x", "datatype": "FP32", "shape": [1, 2], "data": [1, 1]}]}


def is_served(server: WireServer) -> None:
    status, answer = asked(server, INFER, GOOD)
    assert (status, answer["outputs"][0]["data"]) == (200, [2, 2])


def address_of(server: WireServer) -> tuple[str, int]:
    host, port = server.target.rsplit(":", 1)
    return host, int(port)


def connected(server: WireServer) -> socket.socket:
    return socket.create_connection(address_of(server), timeout=60)


def all_of(connection: socket.socket) -> bytes:
    """What comes until the other side ends it."""
    heard = b""
    with contextlib.suppress(ConnectionResetError):
        while part := connection.recv(65536):
            heard += part
    return heard


def sent(server: WireServer, request: bytes) -> bytes:
    """The answer to what is refused as it comes; who stops writing while a call is under way is gone."""
    with connected(server) as connection:
        connection.sendall(request)
        connection.shutdown(socket.SHUT_WR)
        return all_of(connection)


def counted(server: WireServer, sample: str) -> float:
    text = urllib3.request("GET", server.endpoint + "/metrics").data.decode()
    (line,) = (line for line in text.splitlines() if line.startswith(sample + " "))
    return float(line.rsplit(" ", 1)[1])


def post(body: bytes, *headers: str, length: int | None = None) -> bytes:
    lines = [
        f"POST {INFER} HTTP/1.1",
        "Host: x",
        f"Content-Length: {len(body) if length is None else length}",
        *headers,
    ]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


@pytest.mark.parametrize(
    "body",
    [
        b"", b"{", b"[]", b"7", b"null", b"\xff\xfe", b"{" * 100_000, b"[" * 1_000_000, b'{"inputs": 7}',
        b'{"inputs": [7]}', b'{"inputs": [{}]}', b'{"inputs": [{"name": 7}]}', b'{"outputs": {}}', b'{"id": 7}',
        b'{"parameters": []}', b'{"parameters": {"a": []}}', b'{"parameters": {"priority": "high"}}',
        b'{"parameters": {"timeout": -1}}', b'{"parameters": {"binary_data_output": 3}}',
        b'{"outputs": [{"name": "y", "parameters": {"shared_memory_region": "r"}}]}',
        b'{"outputs": [{"name": "y", "parameters": {"classification": 3}}]}',
    ],
)  # fmt: skip
def test_requests_that_make_no_sense_are_refused(body: bytes) -> None:
    with wire_server(f"serve(Doubler(), {HTTP})") as server:
        for _ in range(2):
            status, answer = asked(server, INFER, body)
            assert status == 400
            assert answer["error"]
        is_served(server)


@pytest.mark.parametrize(
    ("path", "name"),
    [
        ("/v2/repository/index", "ready"), ("/v2/repository/models/doubler/load", "parameters"),
        ("/v2/systemsharedmemory/region/r/register", "key"), ("/v2/systemsharedmemory/region/r/register", "offset"),
        (INFER, "parameters"), (INFER, "inputs"), (INFER, "outputs"), (INFER, "id"),
    ],
)  # fmt: skip
def test_lists_in_lists_end_nobody(path: str, name: str) -> None:
    deep = b"[" * 2_000_000 + b"]" * 2_000_000
    with wire_server(f"serve(Doubler(), {HTTP}, allow_client_shared_memory=True)") as server:
        for key in (b"", b'"key": "k", '):
            status, _ = asked(server, path, b"{" + key + b'"' + name.encode() + b'": ' + deep + b"}")
            assert status == (200 if name == "ready" else 400)
        is_served(server)


def with_input(**fields: Any) -> dict[str, Any]:
    return {"inputs": [{"name": "x", "datatype": "FP32", "shape": [1, 2], **fields}]}


@pytest.mark.parametrize(
    "given",
    [
        {"data": [1]}, {"data": [1, 2, 3]}, {"data": [[1]]}, {"data": [[1, 2], [3, 4]]}, {"data": [[[1, 2]]]},
        {"data": [[1], [2]]}, {"data": []}, {"data": {}}, {"data": "12"}, {}, {"data": [1, "2"]}, {"data": [1, None]},
        {"data": [1, [2]]}, {"data": [[1, 2]], "shape": [2]}, {"data": [1, 1e39]}, {"data": [1, True]},
        {"data": [1, 2], "shape": [-1, 2]}, {"data": [1, 2], "shape": [1.0, 2]}, {"data": [1, 2], "shape": "12"},
        {"data": [1, 2], "shape": [2**62, 4]}, {"data": [1, 2], "shape": [2**32, 2**32]}, {"data": [1, 2], "shape": []},
        {"data": [1, 2], "shape": [2**63, 1]}, {"data": [1, 2], "shape": [1] * 65}, {"data": [], "shape": [2**61]},
        {"data": [[]], "shape": [1, 0, 2**62]}, {"data": [1, 2], "datatype": "FP31"}, {"data": [1, 2], "datatype": 7},
        {"data": [300, 2], "datatype": "INT8"}, {"data": [-1, 2], "datatype": "UINT64"},
        {"data": [1.5, 2], "datatype": "INT32"}, {"data": [2, 2], "datatype": "BOOL"},
        {"data": ["a", "b"], "datatype": "BYTES"},
        {"parameters": {"binary_data_size": 8}}, {"parameters": {"binary_data_size": -8}},
        {"parameters": {"binary_data_size": 2**63 - 1}}, {"parameters": {"binary_data_size": "8"}},
        {"data": [1, 2], "parameters": {"binary_data_size": 0}}, {"parameters": {"shared_memory_region": "r"}},
    ],
)  # fmt: skip
def test_inputs_that_do_not_match_their_words_are_refused(given: dict[str, Any]) -> None:
    with wire_server(f"serve(Doubler(), {HTTP})") as server:
        for _ in range(2):
            status, answer = asked(server, INFER, with_input(**given))
            assert status == 400
            assert answer["error"]
        is_served(server)


def test_binary_elements_must_be_those_that_were_announced() -> None:
    with wire_server(f"serve(Doubler(), {HTTP})") as server:
        raw = np.ones(2, np.float32).tobytes()

        def status(size: Any, tail: bytes, head_length: str | None = None) -> int:
            head = json.dumps(with_input(parameters={"binary_data_size": size})).encode()
            headers = {"Inference-Header-Content-Length": str(len(head)) if head_length is None else head_length}
            return asked(server, INFER, head + tail, headers=headers)[0]

        assert status(8, raw) == 200
        for size, tail in ((8, raw[:-1]), (8, raw + b"x"), (7, raw), (9, raw + b"x"), (0, b""), (2**40, raw)):
            assert status(size, tail) == 400
        for length in ("-1", "x", "999999", "99999999999999999999999", "1e2", " 5", "0"):
            assert status(8, raw, length) == 400
        is_served(server)


def test_damaged_requests_harm_nobody() -> None:
    chance = random.Random(2)
    with wire_server(f"serve(Doubler(), {HTTP})") as server:
        good = post(json.dumps(GOOD).encode(), "Connection: close")
        with connected(server) as connection:
            connection.sendall(good)
            assert b"200 OK" in all_of(connection)
        for _ in range(300):
            damaged = bytearray(good)
            for _ in range(chance.randint(1, 5)):
                damaged[chance.randrange(len(damaged))] = chance.randrange(256)
            sent(server, bytes(damaged[: chance.randint(1, len(damaged))]))
        is_served(server)


def test_heads_that_are_none_are_refused() -> None:
    with wire_server(f"serve(Doubler(), {HTTP})") as server:
        for head, status in (
            (b"GET / HTTP/1.1\r\n" + b"a: b\r\n" * 10_000 + b"\r\n", b"431"),
            (b"GET /" + b"x" * 100_000 + b" HTTP/1.1\r\n\r\n", b"431"),
            (b"what is this\r\n\r\n", b"400"),
            (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" * 20, b"400"),
            (b"GET / HTTP/9.9\r\n\r\n", b"400"),
            (post(b"", length=2**40), b"413"),
            (b"POST / HTTP/1.1\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n", b"400"),
            (b"POST / HTTP/1.1\r\nContent-Length: -5\r\n\r\n", b"400"),
            (b"POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n", b"400"),
        ):
            answer = sent(server, head)
            assert answer.startswith(b"HTTP/1.1 " + status), (head[:40], answer[:200])
        is_served(server)


def test_bodies_that_are_encoded_are_refused() -> None:
    with wire_server(f"serve(Doubler(), {HTTP})") as server, connected(server) as connection:
        connection.sendall(post(b"{}", "Content-Encoding: gzip", "Connection: close"))
        assert b"encoded as 'gzip'" in all_of(connection)
        is_served(server)


def test_requests_that_follow_each_other_at_once_are_answered_in_order() -> None:
    with wire_server(f"serve(Doubler(), {HTTP})") as server:
        bodies = [json.dumps({"id": str(n), **GOOD}).encode() for n in range(20)]
        with connected(server) as connection:
            connection.sendall(
                b"".join(post(body) for body in bodies) + b"GET /v2 HTTP/1.1\r\nConnection: close\r\n\r\n"
            )
            heard = all_of(connection)
        assert [int(part.split(b'"')[0]) for part in heard.split(b'{"id":"')[1:]] == list(range(20))
        assert heard.endswith(b"}")


def test_a_client_that_goes_away_cancels_its_call() -> None:
    with wire_server(f"serve(Gated(), {HTTP})") as server:
        waits = {"inputs": [{"name": "x", "datatype": "FP32", "shape": [1, 1], "data": [-1]}]}
        with connected(server) as connection:
            connection.sendall(post(json.dumps(waits).encode()))
            server.program.wait_for("began")
        while counted(server, 'remotemedia_requests_total{model="doubler",outcome="cancelled"}') == 0:
            pass
        server.program.tell("go")
        server.program.wait_for("ran -1.0 cancelled")
        is_served(server)


def test_half_open_connections_leave_room_for_others() -> None:
    few, most = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (max(few, min(most, 4096)), most))
    with wire_server(f"serve(Doubler(), {HTTP})") as server, contextlib.ExitStack() as stack:
        for n in range(3000):
            connection = stack.enter_context(connected(server))
            if n % 3:
                connection.sendall(b"POST /v2 HTTP/1.1\r\nContent-Le"[: n % 30])
            if n % 500 == 499:
                is_served(server)
        is_served(server)


def test_half_open_connections_leave_descriptors_for_others() -> None:
    few = "import resource; resource.setrlimit(resource.RLIMIT_NOFILE, (256, 256))"
    with wire_server(f"{few}\nserve(Doubler(), {HTTP})") as server, contextlib.ExitStack() as stack:
        for _ in range(400):
            stack.enter_context(connected(server))
        for _ in range(3):
            is_served(server)
        assert len(list(Path(f"/proc/{server.program.pid}/fd").iterdir())) < 128


def test_bodies_that_are_only_announced_take_what_there_is_for_all_and_no_more() -> None:
    with wire_server(f"serve(Doubler(), {HTTP})") as server:
        with contextlib.ExitStack() as stack:
            announced = [stack.enter_context(connected(server)) for _ in range(20)]
            for connection in announced:
                connection.sendall(post(b"", "Inference-Header-Content-Length: 10", length=2**30))
            while len(refused := select.select(announced, [], [])[0]) < 16:
                pass
            assert all(connection.recv(100).startswith(b"HTTP/1.1 429") for connection in refused)
            assert server.resident_bytes < 500_000_000
        while asked(server, INFER, GOOD)[0] != 200:  # until the server has heard that they are gone
            pass
        assert sent(server, post(b"", length=2**27)).startswith(b"HTTP/1.1 413")


def test_bytes_that_drop_in_one_by_one_hold_nobody_up() -> None:
    with wire_server(f"serve(Doubler(), {HTTP})") as server, connected(server) as connection:
        for byte in post(json.dumps(GOOD).encode(), "Connection: close"):
            connection.sendall(bytes([byte]))
            if byte == ord("i"):
                is_served(server)
        assert b"200 OK" in all_of(connection)


def test_a_client_that_does_not_read_holds_nobody_up() -> None:
    with wire_server(f"serve(Echo(), Doubler(), {HTTP})") as server:
        large = {"inputs": [{"name": "x", "datatype": "UINT8", "shape": [2_000_000], "data": [7] * 2_000_000}]}
        body = json.dumps(large, separators=(",", ":")).encode()
        request = post(body).replace(b"doubler", b"echo")
        with contextlib.ExitStack() as stack:
            for _ in range(4):
                stack.enter_context(connected(server)).sendall(request)
            for _ in range(10):
                is_served(server)


def test_the_head_of_a_page_has_no_body() -> None:
    with wire_server(f"serve(Doubler(), {HTTP})") as server:
        answer = urllib3.request("HEAD", server.endpoint + "/metrics")
        assert (answer.status, answer.data) == (200, b"")
        assert int(answer.headers["Content-Length"]) > 100

# SPDX-License-Identifier: Apache-2.0
"""What a client may take of a server over gRPC, and that others do not notice who takes more."""

import contextlib
import socket
import struct

import grpc
import numpy as np
import pytest

from tests.python.wire.test_grpc_hostile import INFER, address, is_served, request
from tests.python.wire.wire_server import wire_server

GO_AWAY, PING, SETTINGS = 7, 6, 4
ENHANCE_YOUR_CALM = 11


def frame(kind: int, payload: bytes = b"", flags: int = 0) -> bytes:
    return struct.pack(">I", len(payload))[1:] + bytes([kind, flags]) + struct.pack(">I", 0) + payload


def received(raw: socket.socket) -> bytes:
    """All that comes until the server ends the connection."""
    heard = b""
    with contextlib.suppress(ConnectionError):
        while chunk := raw.recv(1 << 16):
            heard += chunk
    return heard


def test_more_calls_than_a_connection_may_have_are_all_answered() -> None:
    many = 1500  # 1,024 at a time
    serve = f"serve(Gated(), max_queue={many}, max_concurrent_requests={many})"
    with wire_server(serve) as server, grpc.insecure_channel(server.target) as channel:
        call = channel.unary_unary(INFER)
        first = call.future(request([1, 1], np.array([-1], np.float32).tobytes()).SerializeToString())
        server.program.wait_for("began")
        message = request([1, 1], np.array([3], np.float32).tobytes()).SerializeToString()
        others = [call.future(message) for _ in range(many - 1)]
        server.program.tell("go")
        answers = {other.result() for other in others}
        assert first.result()
        assert len(answers) == 1
        assert np.array([6], np.float32).tobytes() in answers.pop()


def test_a_client_that_pings_all_the_time_is_let_go() -> None:
    with wire_server("serve(Doubler())") as server:
        for _ in range(2):
            with socket.create_connection(address(server)) as raw:
                raw.sendall(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + frame(SETTINGS))
                with contextlib.suppress(ConnectionError):
                    for _ in range(100):
                        raw.sendall(frame(PING, b"12345678"))
                heard = received(raw)
            assert frame(GO_AWAY)[3:4] + b"\0" in heard
            assert struct.pack(">I", ENHANCE_YOUR_CALM) in heard
            is_served(server)


def test_the_head_of_a_call_has_a_largest_size() -> None:
    message = request([1, 2], np.ones(2, np.float32).tobytes()).SerializeToString()
    own_connection = [("grpc.use_local_subchannel_pool", 1)]  # a head that is too large may end it
    with wire_server("serve(Doubler())") as server:
        for _ in range(2):
            with grpc.insecure_channel(server.target, own_connection) as channel:
                call = channel.unary_unary(INFER)
                call(message, metadata=[("large", "x" * (12 << 10))])
                with pytest.raises(grpc.RpcError) as refused:
                    call(message, metadata=[("large", "x" * (20 << 10))])
                assert refused.value.code() == grpc.StatusCode.RESOURCE_EXHAUSTED
        is_served(server)

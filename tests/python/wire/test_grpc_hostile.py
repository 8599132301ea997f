# SPDX-License-Identifier: Apache-2.0
"""What strangers send over gRPC: each gets an error, and others are served as before."""

import contextlib
import random
import socket
from pathlib import Path
from typing import Any

import grpc
import numpy as np
import pytest
import tritonclient.grpc as triton
from tritonclient.grpc import service_pb2 as messages

from tests.python.wire.wire_server import WireServer, wire_server

INFER = "/inference.GRPCInferenceService/ModelInfer"
METHODS = [
    "ServerLive", "ServerReady", "ModelReady", "ServerMetadata", "ModelMetadata", "ModelInfer", "ModelConfig",
    "ModelStatistics", "RepositoryIndex", "RepositoryModelLoad", "SystemSharedMemoryRegister", "NoSuchMethod",
]  # fmt: skip


def is_served(server: WireServer) -> None:
    with triton.InferenceServerClient(server.target) as client:
        x = triton.InferInput("x", [1, 2], "FP32")
        x.set_data_from_numpy(np.ones((1, 2), dtype=np.float32))
        assert client.infer("doubler", [x]).as_numpy("y").tolist() == [[2, 2]]


def sent(channel: grpc.Channel, method: str, message: bytes) -> grpc.StatusCode:
    try:
        channel.unary_unary(method)(message)
    except grpc.RpcError as error:
        code: grpc.StatusCode = error.code()
        return code
    return grpc.StatusCode.OK


def request(shape: list[int], raw: bytes, datatype: str = "FP32", **fields: Any) -> messages.ModelInferRequest:
    made = messages.ModelInferRequest(model_name="doubler", **fields)
    made.inputs.add(name="x", datatype=datatype, shape=shape)
    made.raw_input_contents.append(raw)
    return made


def test_bytes_that_are_no_message_are_refused() -> None:
    chance = random.Random(1)
    with wire_server("serve(Doubler())") as server, grpc.insecure_channel(server.target) as channel:
        for method in METHODS:
            for message in (b"\xff", b"\x0a\xff\xff\xff\xff\x0f", b"\x0b" * 100, chance.randbytes(1000)):
                code = sent(channel, f"/inference.GRPCInferenceService/{method}", message)
                assert code != grpc.StatusCode.OK
        good = request([1, 2], np.ones(2, np.float32).tobytes()).SerializeToString()
        for _ in range(300):  # damaged ones: no crash, whatever the answer
            damaged = bytearray(good)
            for _ in range(chance.randint(1, 4)):
                damaged[chance.randrange(len(damaged))] = chance.randrange(256)
            sent(channel, INFER, bytes(damaged[: chance.randint(1, len(damaged))]))
        is_served(server)


@pytest.mark.parametrize(
    "shape",
    [
        [-1, 2], [2**62, 4], [2**32, 2**32], [2**63 - 1, 2**63 - 1], [2**62, 2], [0, -1], [-(2**63), 1], [3, 2],
        [1, 2, 3], [], [2**31], [1] * 65, [0] * 64, [2**61 + 1, 2],
    ],
)  # fmt: skip
def test_shapes_that_do_not_match_the_bytes_are_refused(shape: list[int]) -> None:
    with wire_server("serve(Doubler())") as server, grpc.insecure_channel(server.target) as channel:
        message = request(shape, np.ones(2, np.float32).tobytes()).SerializeToString()
        for _ in range(2):
            assert sent(channel, INFER, message) == grpc.StatusCode.INVALID_ARGUMENT
        is_served(server)


def test_parameters_that_make_no_sense_are_refused() -> None:
    with wire_server("serve(Doubler())") as server, grpc.insecure_channel(server.target) as channel:
        senseless: dict[str, dict[str, Any]] = {
            "sequence_id": {"double_param": 1.5},
            "sequence_start": {"bool_param": True},
            "sequence_end": {"string_param": "yes"},
            "priority": {"int64_param": -1},
            "timeout": {"string_param": "soon"},
            "own": {},
            "huge": {"uint64_param": 2**64 - 1},
        }
        for name, value in senseless.items():
            made = request([1, 2], np.ones(2, np.float32).tobytes())
            made.parameters[name].SetInParent()
            for field, given in value.items():
                setattr(made.parameters[name], field, given)
            assert sent(channel, INFER, made.SerializeToString()) == grpc.StatusCode.INVALID_ARGUMENT, name
        is_served(server)


def test_what_lies_in_shared_memory_is_not_taken() -> None:
    with wire_server("serve(Doubler())") as server, grpc.insecure_channel(server.target) as channel:
        made = request([1, 2], b"")
        made.inputs[0].parameters["shared_memory_region"].string_param = "theirs"
        del made.raw_input_contents[:]
        assert sent(channel, INFER, made.SerializeToString()) == grpc.StatusCode.INVALID_ARGUMENT
        is_served(server)


def address(server: WireServer) -> tuple[str, int]:
    host, port = server.target.rsplit(":", 1)
    return host, int(port)


def test_garbage_and_half_open_connections_harm_nobody() -> None:
    chance = random.Random(2)
    with wire_server("serve(Doubler())") as server, contextlib.ExitStack() as open_ones:
        for number in range(500):
            raw = open_ones.enter_context(socket.create_connection(address(server)))
            if number % 3 == 1:
                raw.sendall(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")  # and no more
            if number % 3 == 2:
                with contextlib.suppress(ConnectionError):
                    raw.sendall(chance.randbytes(2000))
        for _ in range(3):
            is_served(server)


FEW_DESCRIPTORS = """
import resource
resource.setrlimit(resource.RLIMIT_NOFILE, (256, 256))
serve(Doubler())
"""


def test_silent_connections_beyond_what_the_process_may_open_harm_nobody() -> None:
    with wire_server(FEW_DESCRIPTORS) as server:
        with contextlib.ExitStack() as open_ones:
            for _ in range(600):
                open_ones.enter_context(socket.create_connection(address(server)))
            for _ in range(3):
                is_served(server)
            assert len(list(Path(f"/proc/{server.program.pid}/fd").iterdir())) < 200
        is_served(server)


def test_connections_that_begin_and_say_no_more_leave_those_that_are_there_and_room_when_they_go() -> None:
    with wire_server(FEW_DESCRIPTORS) as server, triton.InferenceServerClient(server.target) as client:
        assert client.is_server_live()
        with contextlib.ExitStack() as open_ones:
            for _ in range(600):
                raw = open_ones.enter_context(socket.create_connection(address(server)))
                with contextlib.suppress(ConnectionError):
                    raw.sendall(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n")
            assert client.is_server_live()
        while True:
            with contextlib.suppress(triton.InferenceServerException):
                is_served(server)
                break


def test_a_client_that_does_not_read_its_answers_holds_nobody_up() -> None:
    endless = """
class Endless(Counts):
    def signature(self):
        return rm.ModelSignature([rm.TensorSpec("to", "int32", [1])], [rm.TensorSpec("n", "float32", [-1])])
    def infer_stream(self, inputs):
        while True:
            yield {"n": np.zeros(1_000_000, dtype=np.float32)}
serve(Endless(), Doubler())
"""
    with wire_server(endless) as server, grpc.insecure_channel(server.target) as channel:
        stream = channel.stream_stream("/inference.GRPCInferenceService/ModelStreamInfer")
        made = messages.ModelInferRequest(model_name="counts")
        made.inputs.add(name="to", datatype="INT32", shape=[1]).contents.int_contents.append(1)
        answers = stream(iter([made.SerializeToString()]))
        next(answers)  # and no other
        for _ in range(50):
            is_served(server)
        assert server.resident_bytes < 500_000_000
        answers.cancel()
        is_served(server)


def test_a_thousand_connections_leave_no_descriptor() -> None:
    with wire_server("serve(Doubler())") as server:
        is_served(server)
        folder = Path(f"/proc/{server.program.pid}/fd")
        before = len(list(folder.iterdir()))
        for _ in range(1000):
            socket.create_connection(address(server)).close()
        is_served(server)
        while len(list(folder.iterdir())) > before + 1:
            pass

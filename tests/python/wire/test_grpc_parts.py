# SPDX-License-Identifier: Apache-2.0
"""Long tensors of our own client go over gRPC in parts: they come whole, and strangers' parts harm nobody."""

import contextlib
import itertools
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import grpc
import numpy as np
import pytest
from tritonclient.grpc import service_pb2 as messages

import remotemedia as rm
from tests.python.wire.reflected_service import ReflectedService
from tests.python.wire.test_grpc_client import connect
from tests.python.wire.test_grpc_hostile import is_served
from tests.python.wire.wire_server import WireServer, wire_server

MIB = 1 << 20
PARTS = "/remotemedia.v1.ModelWorker/InferInParts"

GROWS = """
class Grows(rm.InferenceModel):  # numbers, as many as it is told
    model_id = "grows"
    def signature(self):
        return rm.ModelSignature([rm.TensorSpec("count", "int64", [1])], [rm.TensorSpec("y", "uint8", [-1])])
    def infer(self, inputs):
        return {"y": np.arange(int(inputs["count"][0]), dtype=np.uint8)}
serve(Grows())
"""


def numbers(shape: tuple[int, ...], dtype: str = "float32") -> Any:
    return np.random.default_rng(sum(shape)).integers(0, 100, shape).astype(dtype)


@pytest.mark.parametrize("size", [2 * MIB - 1, 2 * MIB, 2 * MIB + 1, 3 * MIB, 70 * MIB + 3])
def test_a_long_tensor_comes_back_as_it_was(size: int) -> None:
    x = numbers((size,), "uint8")
    with wire_server("serve(Echo())") as server, connect(server.endpoint, transport="grpc") as client:
        for _ in range(2):
            assert client.infer({"x": x}).to_numpy().tobytes() == x.tobytes()
        assert client.infer_future({"x": x}).result(timeout=60).to_numpy().tobytes() == x.tobytes()


def test_tensors_of_all_kinds_come_back_beside_a_long_one() -> None:
    words = np.array([b"", b"a", b"long" * 10_000], dtype=object)
    sent = {
        "a": numbers((3 * MIB // 4 + 1,)),
        "b": np.zeros((0, 3), np.float64),
        "c": words,
        "d": numbers((1000, 1000))[::2, ::3],
        "e": numbers((), "int8"),
        "f": numbers((1500, 1500)).T,
        "g": np.zeros((5, 0), np.int16),
    }
    with wire_server("serve(Echo())") as server, connect(server.endpoint, transport="grpc") as client:
        for _ in range(2):
            got = client.infer(sent)
            assert sorted(got) == sorted(sent)
            for name, value in sent.items():
                assert np.array_equal(got[name].to_numpy(), value), name
                assert got[name].shape == value.shape


def test_long_calls_of_a_session_and_of_many_threads_are_all_answered() -> None:
    arrays = [numbers((n * MIB,), "uint8") for n in (3, 4, 5, 1)]
    with wire_server("serve(Echo())") as server, connect(server.endpoint, transport="grpc") as client:
        for session in ("one", None):
            futures = [client.infer_future({"x": x}, session_id=session) for x in arrays * 2]
            for future, x in zip(futures, arrays * 2, strict=True):
                assert future.result(timeout=60).to_numpy().tobytes() == x.tobytes()
        with ThreadPoolExecutor(4) as threads:
            answers = threads.map(lambda x: client.infer({"x": x}), arrays * 2)
            assert [y.to_numpy().tobytes() for y in answers] == [x.tobytes() for x in arrays * 2]


def test_a_short_question_may_have_a_long_answer() -> None:
    with wire_server(GROWS) as server, connect(server.endpoint, transport="grpc") as client:
        for count in (5 * MIB, 5 * MIB, 10, 0, 10, 3 * MIB):
            got = client.infer(np.array([count]))
            assert got.to_numpy().tobytes() == np.arange(count, dtype=np.uint8).tobytes()


def test_an_error_is_told_as_of_a_short_call() -> None:
    with wire_server("serve(Doubler())") as server, connect(server.endpoint, transport="grpc") as client:
        for _ in range(2):
            with pytest.raises(rm.InvalidTensor) as short:
                client.infer(np.zeros((2, 1), np.int64))
            with pytest.raises(rm.InvalidTensor) as long:
                client.infer(np.zeros((2, MIB), np.int64))
            assert str(long.value).replace(str(MIB), "1") == str(short.value)
            x = numbers((2, MIB))
            assert np.array_equal(client.infer(x).to_numpy(), x * 2)


HELD = """
class Held(Doubler):  # waits for a line of stdin
    def infer(self, inputs):
        say("began")
        gates["go"].wait()
        return super().infer(inputs)
serve(Held())
"""


def test_a_deadline_and_a_dead_worker_end_a_long_call() -> None:
    x = numbers((2, MIB))
    server = WireServer(HELD)
    try:
        with connect(server.endpoint, transport="grpc") as client:
            for _ in range(2):
                with pytest.raises(rm.DeadlineExceeded):
                    client.infer(x, timeout=0.2)
            withdrawn = client.infer_future(x)
            assert withdrawn.cancel()
            future = client.infer_future(x)
            server.program.wait_for("began")
            server.program.kill()
            with pytest.raises(rm.WorkerUnavailable):
                future.result(timeout=60)
    finally:
        server.program.kill()


class Stranger:
    """Speaks the call by itself, as an attached client."""

    def __init__(self, channel: grpc.Channel) -> None:
        self._worker = ReflectedService(channel, "remotemedia.v1.ModelWorker")
        self._attachment = self._worker.Attach(client_id=b"0123456789abcdef")
        self._token = next(self._attachment).attached.token
        self._call = channel.stream_stream(PARTS)
        self.part = self._worker.message("InferInParts")

    def head(self, shape: list[int], sizes: list[int]) -> bytes:
        request = messages.ModelInferRequest(model_name="doubler")
        request.inputs.add(name="x", datatype="FP32", shape=shape)
        written: bytes = self.part(head=request.SerializeToString(), sizes=sizes).SerializeToString()
        return written

    def content(self, content: bytes) -> bytes:
        written: bytes = self.part(content=content).SerializeToString()
        return written

    def call(self, parts: Iterator[bytes] | list[bytes], *, attached: bool = True) -> Any:
        metadata = [("remotemedia-attachment-bin", self._token)] if attached else []
        return self._call(iter(parts), metadata=metadata, timeout=60)

    def code(self, parts: Iterator[bytes] | list[bytes], **options: Any) -> grpc.StatusCode:
        call = self.call(parts, **options)
        with contextlib.suppress(grpc.RpcError):
            list(call)
        code: grpc.StatusCode = call.code()
        return code


def test_parts_that_make_no_sense_are_refused() -> None:
    two = np.ones(2, np.float32).tobytes()
    with wire_server("serve(Doubler())") as server, grpc.insecure_channel(server.target) as channel:
        stranger = Stranger(channel)
        good, part = stranger.head([1, 2], [8]), stranger.content
        assert stranger.code([good, part(two)]) == grpc.StatusCode.OK
        assert stranger.code([good, part(two[:1]), part(b""), part(two[1:]), b"never read"]) == grpc.StatusCode.OK
        senseless: dict[str, list[bytes]] = {
            "nothing": [],
            "no message": [b"\xff\xff"],
            "a head that is none": [stranger.part(head=b"\xff\xff", sizes=[8]).SerializeToString(), part(two)],
            "contents at once": [good + part(two)],
            "no more than a head": [good],
            "half of a content": [good, part(two[:4])],
            "more than a content": [good, part(two + b"x")],
            "no content": [good, b""],
            "a part cut off": [good, part(two)[:-1]],
            "two contents in one": [good, part(two[:4]) + part(two[4:])],
            "a second head": [good, good],
            "other sizes": [stranger.head([1, 2], [4]), part(two[:4])],
            "no sizes": [stranger.head([1, 2], [])],
            "too many sizes": [stranger.head([1, 2], [8, 8]), part(two), part(two)],
            "thousands of sizes": [stranger.head([1, 2], [0] * 5000)],
            "no extent": [stranger.head([-1, 2], [8]), part(two)],
            "shapes that wrap around": [stranger.head([2**62, 4], [0])],
            "a size of all memory": [stranger.head([1, 2], [2**64 - 1])],
            "a size of all memory, begun": [stranger.head([1, 2], [2**64 - 1]), part(two)],
            "sizes that wrap around": [stranger.head([1, 2], [2**63, 2**63 + 8]), part(two)],
        }
        for name, parts in itertools.chain(senseless.items(), senseless.items()):
            assert stranger.code(parts) == grpc.StatusCode.INVALID_ARGUMENT, name
        assert stranger.code([good, part(two)], attached=False) == grpc.StatusCode.INVALID_ARGUMENT
        assert stranger.code([good, part(two)]) == grpc.StatusCode.OK
        is_served(server)


def test_requests_that_are_never_whole_take_no_more_than_has_come() -> None:
    with wire_server("serve(Doubler())") as server, grpc.insecure_channel(server.target) as channel:
        stranger = Stranger(channel)
        assert stranger.code([stranger.head([1, 2], [8]), stranger.content(b"\0" * 8)]) == grpc.StatusCode.OK
        before = server.resident_bytes
        stop = threading.Event()

        def unfinished() -> Iterator[bytes]:
            yield stranger.head([2**28], [2**30])
            for _ in range(4):
                yield stranger.content(b"x" * 1000)
            stop.wait()

        calls = [stranger.call(unfinished()) for _ in range(100)]
        for _ in range(3):
            is_served(server)
        assert server.resident_bytes < before + 100 * MIB
        for call in calls:
            call.cancel()
        stop.set()
        assert stranger.code([stranger.head([1, 2], [8]), stranger.content(b"\0" * 8)]) == grpc.StatusCode.OK
        is_served(server)

# SPDX-License-Identifier: Apache-2.0
"""BYTES by every way to a worker: elements of any length arrive as they were, or are refused by name."""

import contextlib
import json
import struct
import urllib.error
import urllib.request
from collections.abc import Iterator
from typing import Any

import grpc
import numpy as np
import pytest
import tritonclient.grpc as triton
import tritonclient.http as triton_http
from tritonclient.grpc import service_pb2
from tritonclient.utils import InferenceServerException, shared_memory

import remotemedia as rm

WORDS = [b"one", b"", b"with\0zeros\0", "größer".encode(), b"x" * 100_000]


class Words(rm.InferenceModel):
    """Each backwards, and how long it is."""

    model_id = "words"

    def signature(self) -> rm.ModelSignature:
        outputs = [rm.TensorSpec("back", "bytes", [-1]), rm.TensorSpec("length", "int32", [-1])]
        return rm.ModelSignature([rm.TensorSpec("word", "bytes", [-1])], outputs, max_batch_size=64)

    def infer(self, inputs: dict[str, Any], context: rm.InferenceContext) -> dict[str, Any]:
        words = inputs["word"]
        back = np.empty(words.shape, dtype=object)
        length = np.zeros(words.shape, dtype=np.int32)
        for at in np.ndindex(words.shape):
            assert type(words[at]) is bytes
            back[at], length[at] = words[at][::-1], len(words[at])
        return {"back": back, "length": length}


class Served:
    def __init__(self, name: str, **config: Any) -> None:
        self.worker = rm.ModelWorker(Words(), rm.WorkerConfig(**config))
        self.unix, self.grpc, self.http = self.worker.start(f"unix:{name}", "grpc://127.0.0.1:0", "http://127.0.0.1:0")
        self.grpc_target = self.grpc.removeprefix("grpc://")
        self.http_target = self.http.removeprefix("http://")


@pytest.fixture
def served(tmp_path: Any) -> Iterator[Served]:
    made = Served(f"{tmp_path}/w", allow_client_shared_memory=True)
    yield made
    made.worker.stop()


def array_of(words: list[Any]) -> Any:
    array = np.empty((1, len(words)), dtype=object)
    array[0] = words
    return array


def check(back: Any, length: Any, words: list[bytes] = WORDS) -> None:
    assert back.tolist() == [[word[::-1] for word in words]]
    assert length.tolist() == [[len(word) for word in words]]


@pytest.mark.parametrize("way", ["unix", "upgraded", "grpc"])
def test_our_client_sends_and_gets_them(served: Served, way: str) -> None:
    endpoint = served.unix if way == "unix" else served.grpc
    with rm.ModelWorkerClient.connect(endpoint, transport="grpc" if way == "grpc" else "auto") as client:
        for _ in range(2):
            for words in (WORDS, [b"a"], [b"x" * 3_000_000, b"y"]):
                outputs = client.infer({"word": array_of(words)})
                assert outputs["back"].dtype.name == "bytes"
                check(outputs["back"].to_numpy(), outputs["length"].to_numpy(), words)
            assert client.infer([["größer"]])["length"].to_numpy().tolist() == [[8]]
            with pytest.raises(rm.InvalidTensor, match="takes input 'word' as bytes"):
                client.infer(np.ones((1, 2), np.float32))


def test_calls_of_several_callers_run_together(served: Served) -> None:
    clients = [rm.ModelWorkerClient.connect(end) for end in (served.unix, served.grpc)] + [
        rm.ModelWorkerClient.connect(served.grpc, transport="grpc")
    ]
    futures = [
        (words, client.infer_future({"word": array_of(words)}))
        for n in range(60)
        for client in clients
        for words in [[b"%d" % n * (n % 7), b"?" * n]]
    ]
    for words, future in futures:
        outputs = future.result(30)
        check(outputs["back"].to_numpy(), outputs["length"].to_numpy(), words)
    for client in clients:
        client.close()


def test_triton_clients_send_and_get_them_over_grpc(served: Served) -> None:
    given = triton.InferInput("word", [1, len(WORDS)], "BYTES")
    given.set_data_from_numpy(array_of(WORDS))
    with triton.InferenceServerClient(served.grpc_target) as client:
        metadata = client.get_model_metadata("words")
        assert (metadata.inputs[0].datatype, metadata.outputs[0].datatype) == ("BYTES", "BYTES")
        assert client.get_model_config("words").config.input[0].data_type == 13  # TYPE_STRING
        for _ in range(2):
            result = client.infer("words", [given])
            check(result.as_numpy("back"), result.as_numpy("length"))


@pytest.mark.parametrize("binary", [True, False])
def test_triton_clients_send_and_get_them_over_http(served: Served, binary: bool) -> None:
    words = WORDS if binary else [word for word in WORDS if word.isascii() and b"\0" not in word]
    given = triton_http.InferInput("word", [1, len(words)], "BYTES")
    given.set_data_from_numpy(array_of(words), binary_data=binary)
    wanted = [triton_http.InferRequestedOutput(name, binary_data=binary) for name in ("back", "length")]
    with triton_http.InferenceServerClient(served.http_target) as client:
        for _ in range(2):
            result = client.infer("words", [given], outputs=wanted)
            back = result.as_numpy("back")
            check(back if binary else np.vectorize(str.encode, otypes=[object])(back), result.as_numpy("length"), words)


def test_they_are_read_from_and_written_to_memory_that_clients_name(served: Served) -> None:
    array = array_of(WORDS)
    size = sum(4 + len(word) for word in WORDS)
    region = shared_memory.create_shared_memory_region("words", "/rm-words-in", size)
    answers = shared_memory.create_shared_memory_region("answers", "/rm-words-out", size)
    try:
        shared_memory.set_shared_memory_region(region, [np.frombuffer(packed(WORDS), np.uint8)])
        with triton.InferenceServerClient(served.grpc_target) as client:
            client.register_system_shared_memory("words", "/rm-words-in", size)
            client.register_system_shared_memory("answers", "/rm-words-out", size)
            given = triton.InferInput("word", list(array.shape), "BYTES")
            given.set_shared_memory("words", size)
            wanted = triton.InferRequestedOutput("back")
            wanted.set_shared_memory("answers", size)
            client.infer("words", [given], outputs=[wanted])
            back = shared_memory.get_contents_as_numpy(answers, np.object_, [1, len(WORDS)])
            assert back.tolist() == [[word[::-1] for word in WORDS]]
            given.set_shared_memory("words", size - 1)
            with pytest.raises(InferenceServerException, match="'word'"):
                client.infer("words", [given])
            client.unregister_system_shared_memory()
    finally:
        shared_memory.destroy_shared_memory_region(region)
        shared_memory.destroy_shared_memory_region(answers)


def packed(words: list[bytes]) -> bytes:
    return b"".join(struct.pack("<I", len(word)) + word for word in words)


def request_of(shape: list[int], **fields: Any) -> Any:
    request = service_pb2.ModelInferRequest(model_name="words", **fields)
    request.inputs.add(name="word", datatype="BYTES", shape=shape)
    return request


@contextlib.contextmanager
def infer_of(served: Served) -> Iterator[Any]:
    """ModelInfer, by messages made by hand."""
    with grpc.insecure_channel(served.grpc_target) as channel:
        yield channel.unary_unary(
            "/inference.GRPCInferenceService/ModelInfer",
            request_serializer=service_pb2.ModelInferRequest.SerializeToString,
            response_deserializer=service_pb2.ModelInferResponse.FromString,
        )


def test_typed_contents_have_them_too(served: Served) -> None:
    with infer_of(served) as infer:
        for _ in range(2):
            request = request_of([1, 2])
            request.inputs[0].contents.bytes_contents.extend([b"ab", b"\xff"])
            answer = infer(request)
            assert answer.raw_output_contents[0] == packed([b"ba", b"\xff"])
            request.inputs[0].contents.bytes_contents.append(b"more")
            with pytest.raises(grpc.RpcError) as refused:
                infer(request)
            assert refused.value.code() is grpc.StatusCode.INVALID_ARGUMENT


@pytest.mark.parametrize(
    ("shape", "raw"),
    [
        ([1, 1], b""),
        ([1, 1], b"\1\0\0"),
        ([1, 1], b"\1\0\0\0"),
        ([1, 1], b"\xff\xff\xff\xff"),
        ([1, 1], packed([b"a"]) + b"\0"),
        ([1, 2], packed([b"a"])),
        ([1, 1], packed([b"a", b"b"])),
        ([1, 2**62], packed([b"a"])),
        ([2**32, 2**32], packed([])),
        ([1, -1], packed([b"a"])),
    ],
)
def test_lengths_that_lie_are_refused_by_name(served: Served, shape: list[int], raw: bytes) -> None:
    with infer_of(served) as infer:
        for _ in range(2):
            with pytest.raises(grpc.RpcError) as refused:
                infer(request_of(shape, raw_input_contents=[raw]))
            assert refused.value.code() is grpc.StatusCode.INVALID_ARGUMENT
            assert "'word'" in str(refused.value.details())
        assert infer(request_of([1, 1], raw_input_contents=[packed([b"ok"])])).raw_output_contents[0] == packed([b"ko"])


def asked(served: Served, **fields: Any) -> tuple[int, Any]:
    body = json.dumps({"inputs": [{"name": "word", "datatype": "BYTES", **fields}]}).encode()
    request = urllib.request.Request(f"{served.http}/v2/models/words/infer", data=body)
    try:
        with urllib.request.urlopen(request) as response:
            return response.status, json.load(response)
    except urllib.error.HTTPError as error:
        return error.code, json.load(error)


def test_json_has_them_as_text(served: Served) -> None:
    for _ in range(2):
        status, answer = asked(served, shape=[2, 2], data=[["ab", ""], ["cd\u0000", '"']])
        assert (status, answer["outputs"][0]["data"]) == (200, ["ba", "", "\0dc", '"'])
        assert asked(served, shape=[1, 2], data=["a", 1])[0] == 400
        assert asked(served, shape=[1, 2], data=["a"])[0] == 400
        status, answer = asked(served, shape=[1, 1], data=["ä"])  # backwards it is no UTF-8
        assert (status, "binary data" in answer["error"]) == (400, True)


def posted(endpoint: str, body: bytes) -> tuple[int, bytes]:
    request = urllib.request.Request(f"{endpoint}/v2/models/picture/infer", data=body)
    request.add_header("Inference-Header-Content-Length", "0")
    try:
        with urllib.request.urlopen(request) as response:
            return response.status, response.read()[int(response.headers["Inference-Header-Content-Length"]) :]
    except urllib.error.HTTPError as error:
        return error.code, error.read()


class Picture(rm.InferenceModel):
    """How large it is."""

    model_id = "picture"

    def __init__(self, *inputs: rm.TensorSpec) -> None:
        self.inputs = inputs

    def signature(self) -> rm.ModelSignature:
        return rm.ModelSignature(self.inputs, [rm.TensorSpec("size", "int64", [1])], max_batch_size=4)

    def infer(self, inputs: dict[str, Any], context: rm.InferenceContext) -> dict[str, Any]:
        rows = inputs["picture"].reshape(len(inputs["picture"]), -1).tolist()
        return {"size": np.array([[sum(map(len, row))] for row in rows])}


def test_a_body_without_json_is_the_one_element() -> None:
    for inputs, status in (
        ([("picture", [1])], 200),
        ([("picture", [-1])], 200),
        ([("picture", [])], 200),
        ([("picture", [2])], 400),
        ([("picture", [1]), ("more", [1])], 400),
    ):
        model = Picture(*(rm.TensorSpec(name, "bytes", shape) for name, shape in inputs))
        with rm.ModelWorker(model) as worker:
            (endpoint,) = worker.start("http://127.0.0.1:0")
            for picture in (b"\xff\xd8" * 500, b""):
                answer = posted(endpoint, picture)
                assert answer[0] == status
                assert status != 200 or answer[1] == len(picture).to_bytes(8, "little")

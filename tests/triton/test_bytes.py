# SPDX-License-Identifier: Apache-2.0
"""BYTES: elements of any length, by each of Triton's clients and by hand."""

import json
from typing import Any

import grpc
import numpy as np
import pytest
import urllib3
from tritonclient.grpc import service_pb2 as messages
from tritonclient.grpc import service_pb2_grpc as stubs

from tests.triton.served import Client, Server

MODEL = "identity_BYTES"
TEXTS = np.array([["", "a", "ü€"], ["x" * 3000, "two\nlines", '"']], dtype=object)
ANY_BYTES = np.array([[b"", b"\x00", b"\xff\xfe"], [bytes(range(256)), b"a\x00b", b"\xc3"]], dtype=object)


def packed(*elements: bytes) -> bytes:
    return b"".join(len(each).to_bytes(4, "little") + each for each in elements)


def encoded(values: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    return np.array([each.encode() if isinstance(each, str) else each for each in values.ravel()], dtype=object)


@pytest.mark.parametrize("values", [TEXTS, ANY_BYTES, TEXTS[:1, :1], TEXTS[:0]], ids=["text", "bytes", "one", "none"])
def test_elements_of_any_length_come_back(client: Client, values: np.ndarray[Any, Any]) -> None:
    for _ in range(2):
        result = client.infer(MODEL, [client.tensor("x", values, "BYTES")])
        output = result.get_output("y")
        assert (output["datatype"] if client.over_http else output.datatype) == "BYTES"
        assert (output["shape"] if client.over_http else list(output.shape)) == list(values.shape)
        assert result.as_numpy("y").ravel().tolist() == encoded(values).tolist()


def test_typed_elements_come_back_raw(server: Server) -> None:
    request = messages.ModelInferRequest(model_name=MODEL)
    given = request.inputs.add(name="x", datatype="BYTES", shape=ANY_BYTES.shape)
    given.contents.bytes_contents.extend(ANY_BYTES.ravel().tolist())
    with grpc.insecure_channel(server.grpc) as channel:
        response = stubs.GRPCInferenceServiceStub(channel).ModelInfer(request)
    assert list(response.raw_output_contents) == [packed(*ANY_BYTES.ravel())]
    assert not response.outputs[0].HasField("contents")


def test_text_comes_back_as_json(server: Server) -> None:
    given = {"name": "x", "shape": [2, 3], "datatype": "BYTES", "data": TEXTS.ravel().tolist()}
    answer = urllib3.request("POST", f"http://{server.http}/v2/models/{MODEL}/infer", json={"inputs": [given]})
    (output,) = answer.json()["outputs"]
    assert (answer.status, output["datatype"], output["shape"]) == (200, "BYTES", [2, 3])
    assert output["data"] == TEXTS.ravel().tolist()


@pytest.mark.parametrize("binary", [True, False])
def test_bytes_that_are_no_text_come_back_as_bytes(server: Server, binary: bool) -> None:
    elements = packed(*ANY_BYTES.ravel())
    given = {"name": "x", "shape": [2, 3], "datatype": "BYTES", "parameters": {"binary_data_size": len(elements)}}
    asked = {"name": "y", "parameters": {"binary_data": binary}}
    head = json.dumps({"inputs": [given], "outputs": [asked]}).encode()
    answer = urllib3.request(
        "POST",
        f"http://{server.http}/v2/models/{MODEL}/infer",
        body=head + elements,
        headers={"Inference-Header-Content-Length": str(len(head))},
    )
    length = int(answer.headers.get("Inference-Header-Content-Length", len(answer.data)))
    came_back = answer.status == 200 and answer.data[length:] == elements
    told = "the bytes" if came_back else str(answer.status) if answer.status != 200 else "other text"
    server.check(f"BYTES that are no text, binary_data {binary}", told, "the bytes" if binary else "400")


@pytest.mark.parametrize(
    "wrong",
    {
        "an element that ends too late": packed(b"ab", b"cd")[:-1],
        "an element more": packed(b"a", b"b", b"c"),
        "an element less": packed(b"a"),
        "a length that is cut": packed(b"a") + b"\x01\x00",
        "a length of nearly 4 GiB": packed(b"a") + b"\xff\xff\xff\xff",
    }.items(),
    ids=lambda wrong: wrong[0],
)
def test_elements_whose_lengths_lie_are_refused(server: Server, wrong: tuple[str, bytes]) -> None:
    name, raw = wrong
    request = messages.ModelInferRequest(model_name=MODEL, raw_input_contents=[raw])
    request.inputs.add(name="x", datatype="BYTES", shape=[1, 2])
    with grpc.insecure_channel(server.grpc) as channel:
        stub = stubs.GRPCInferenceServiceStub(channel)
        for _ in range(2):
            with pytest.raises(grpc.RpcError) as refused:
                stub.ModelInfer(request)
        assert stub.ModelReady(messages.ModelReadyRequest(name=MODEL)).ready
    server.check(f"{name}, grpc", refused.value.code().name, "INVALID_ARGUMENT")

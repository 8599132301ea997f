# SPDX-License-Identifier: Apache-2.0
"""What is wrong is refused, with which code, and the next call is answered."""

import json

import grpc
import pytest
import urllib3
from tritonclient.grpc import service_pb2 as messages

from tests.triton.hand_made import Input, Request, code_of, message_of, posted, sent
from tests.triton.served import Server

X = Input()
WRONG = {
    "no such model": Request(model="nobody"),
    "no such version": Request(version="7"),
    "a version that is no number": Request(version="one"),
    "another name": Request([Input(name="z")]),
    "another datatype": Request([Input(datatype="INT32")]),
    "no such datatype": Request([Input(datatype="FP31")]),
    "too few dimensions": Request([Input(shape=[2])]),
    "too many dimensions": Request([Input(shape=[1, 1, 2])]),
    "another extent": Request([Input(shape=[2], datatype="INT64", raw=bytes(16))], "adds"),
    "more rows than a batch": Request([Input(shape=[17, 1], raw=bytes(68))]),
    "no inputs": Request([]),
    "one input of two": Request([Input("a", [2])], "pair"),
    "one input too many": Request([X, Input(name="z")]),
    "the same input twice": Request([X, X]),
    "fewer bytes than the shape says": Request([Input(raw=bytes(4))]),
    "more bytes than the shape says": Request([Input(raw=bytes(12))]),
    "no bytes": Request([Input(raw=b"")]),
    "an extent of -1": Request([Input(shape=[1, -1])]),
    "an extent of -2": Request([Input(shape=[-2, -1])]),
    "extents whose product wraps": Request([Input(shape=[2**32, 2**32], raw=b"")]),
    "no such output": Request(outputs=["z"]),
    "the same output twice": Request(outputs=["y", "y"]),
    "a model that fails": Request([Input(shape=[2])], "fails"),
    "a step of no sequence": Request([Input(shape=[1], datatype="INT64", raw=bytes(8))], "sums"),
    "a sequence without its start": Request(
        [Input(shape=[1], datatype="INT64", raw=bytes(8))], "sums", parameters={"sequence_id": 99}
    ),
    "one call of a model that streams": Request([Input("to", [1], "INT32", b"\1\0\0\0")], "counts"),
    "a priority that is text": Request(parameters={"priority": "high"}),
    "a timeout that is negative": Request(parameters={"timeout": -1}),
}
REFUSED = ("INVALID_ARGUMENT", "400")
OTHERWISE = {
    "no such model": ("NOT_FOUND", "404"),
    "no such version": ("NOT_FOUND", "404"),
    "a version that is no number": ("INVALID_ARGUMENT", "404"),
    "a model that fails": ("INTERNAL", "500"),
}


@pytest.mark.parametrize("way", ["grpc", "http"])
@pytest.mark.parametrize("what", WRONG)
def test_a_wrong_call_is_refused_and_the_next_answered(server: Server, what: str, way: str) -> None:
    code = OTHERWISE.get(what, REFUSED)[way == "http"]
    for _ in range(2):
        server.check(f"{what}, {way}", code_of(server, way, WRONG[what]), code)
    assert code_of(server, way, Request()) == ("OK" if way == "grpc" else "200")


def wrong_messages() -> dict[str, messages.ModelInferRequest]:
    made = {}
    made["fewer raw contents than inputs"] = message_of(Request([X, Input(name="z", raw=None)]))
    made["more raw contents than inputs"] = message_of(Request())
    made["more raw contents than inputs"].raw_input_contents.append(b"")
    both = message_of(Request())
    both.inputs[0].contents.fp32_contents.extend([1, 1])
    made["typed and raw contents"] = both
    for what, contents in {
        "typed contents of another datatype": {"int_contents": [1, 1]},
        "fewer typed contents than the shape says": {"fp32_contents": [1]},
        "more typed contents than the shape says": {"fp32_contents": [1, 1, 1]},
        "no contents": {},
    }.items():
        typed = message_of(Request([Input(raw=None)]))
        for name, values in contents.items():
            getattr(typed.inputs[0].contents, name).extend(values)
        made[what] = typed
    beyond = message_of(Request([Input(shape=[1, 1], datatype="INT8", raw=None)], "identity_INT8"))
    beyond.inputs[0].contents.int_contents.append(128)
    made["typed contents beyond their datatype"] = beyond
    nowhere = message_of(Request([Input(raw=None)]))
    nowhere.inputs[0].parameters["shared_memory_region"].string_param = "nowhere"
    made["a region that is not registered"] = nowhere
    nowhere.inputs[0].parameters["shared_memory_byte_size"].int64_param = 8
    senseless = message_of(Request())
    senseless.parameters["nothing"].SetInParent()
    made["a parameter without a value"] = senseless
    return made


MESSAGES = wrong_messages()


@pytest.mark.parametrize("what", MESSAGES)
def test_a_wrong_message_is_refused_and_the_next_answered(server: Server, what: str) -> None:
    for _ in range(2):
        server.check(what, sent(server, MESSAGES[what]), "INVALID_ARGUMENT")
    assert code_of(server, "grpc", Request()) == "OK"


def json_of(**fields: object) -> bytes:
    """A body with one input."""
    given = {"name": "x", "shape": [1, 2], "datatype": "FP32", "data": [1, 1], **fields}
    return json.dumps({"inputs": [{name: value for name, value in given.items() if value is not None}]}).encode()


BODIES = {
    "nothing": b"",
    "no JSON": b"{",
    "a list": b"[]",
    "inputs that are a number": b'{"inputs": 7}',
    "an input that is a number": b'{"inputs": [7]}',
    "an id that is a number": json_of()[:-1] + b', "id": 7}',
    "an input without a name": json_of(name=None),
    "an input without a shape": json_of(shape=None),
    "an input without a datatype": json_of(datatype=None),
    "an input without data": json_of(data=None),
    "a shape that is text": json_of(shape="12"),
    "an extent that is no whole number": json_of(shape=[1.0, 2]),
    "fewer data than the shape says": json_of(data=[1]),
    "more data than the shape says": json_of(data=[1, 1, 1]),
    "text among the data": json_of(data=[1, "1"]),
    "null among the data": json_of(data=[1, None]),
    "lists of another shape": json_of(data=[[1], [1]]),
    "a datatype that is a number": json_of(datatype=7),
    "a region without a size": json_of(data=None, parameters={"shared_memory_region": "nowhere"}),
    "a region that is not registered, in JSON": json_of(
        data=None, parameters={"shared_memory_region": "nowhere", "shared_memory_byte_size": 8}
    ),
    "data and a size of bytes": json_of(parameters={"binary_data_size": 8}),
    "a classification": json_of()[:-1] + b', "outputs": [{"name": "y", "parameters": {"classification": 1}}]}',
    "JSON and a bracket behind it": json_of() + b"]",
}


@pytest.mark.parametrize("what", BODIES)
def test_a_wrong_body_is_refused_and_the_next_answered(server: Server, what: str) -> None:
    for _ in range(2):
        server.check(what, posted(server, "/v2/models/doubler/infer", BODIES[what]), "400")
    assert code_of(server, "http", Request()) == "200"


@pytest.mark.parametrize("length", ["-1", "abc", "9999", "99999999999999999999", "1e2"])
def test_a_wrong_length_of_json_is_refused(server: Server, length: str) -> None:
    for _ in range(2):
        answer = posted(server, "/v2/models/doubler/infer", json_of(), length=length)
        server.check(f"Inference-Header-Content-Length: {length}", answer, "400")
    assert code_of(server, "http", Request()) == "200"


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/v2/no", "404"),
        ("GET", "/no", "404"),
        ("GET", "/v2/models/nobody", "404"),
        ("GET", "/v2/models/doubler/versions/7", "404"),
        ("GET", "/v2/models/nobody/config", "404"),
        ("GET", "/v2/models/nobody/stats", "404"),
        ("GET", "/v2/models/nobody/ready", "503"),
        ("GET", "/v2/models/doubler/infer", "405"),
        ("POST", "/v2/health/live", "405"),
        ("DELETE", "/v2", "405"),
    ],
)
def test_what_is_no_address_is_said(server: Server, method: str, path: str, status: str) -> None:
    for _ in range(2):
        answer = urllib3.request(method, f"http://{server.http}{path}", retries=False, timeout=60)
        server.check(f"{method} {path}", str(answer.status), status)


@pytest.mark.parametrize("method", ["ModelMetadata", "ModelConfig", "ModelStatistics", "ModelReady"])
@pytest.mark.parametrize(("name", "version"), [("nobody", ""), ("doubler", "7"), ("doubler", "one")])
def test_what_cannot_be_told_of_is_said(server: Server, method: str, name: str, version: str) -> None:
    request = getattr(messages, f"{method}Request")(name=name, version=version)
    with grpc.insecure_channel(server.grpc) as channel:
        ask = channel.unary_unary(f"/inference.GRPCInferenceService/{method}")
        for _ in range(2):
            code = "OK"
            try:
                ask(request.SerializeToString(), timeout=60)
            except grpc.RpcError as error:
                code = error.code().name
            wanted = "OK" if method == "ModelReady" else "NOT_FOUND"
            server.check(f"{method} of '{name}' '{version}'", code, wanted)


@pytest.mark.parametrize("message", [b"\xff", b"\x0a\xff\xff\xff\xff\x0f", b"\x0b" * 100])
def test_bytes_that_are_no_message_are_refused(server: Server, message: bytes) -> None:
    with grpc.insecure_channel(server.grpc) as channel:
        for _ in range(2):
            with pytest.raises(grpc.RpcError) as raised:
                channel.unary_unary("/inference.GRPCInferenceService/ModelInfer")(message, timeout=60)
            server.check("bytes that are no message", raised.value.code().name, "INTERNAL")


def test_a_method_that_is_none_is_unimplemented(server: Server) -> None:
    with grpc.insecure_channel(server.grpc) as channel:
        for _ in range(2):
            with pytest.raises(grpc.RpcError) as raised:
                channel.unary_unary("/inference.GRPCInferenceService/NoSuchMethod")(b"", timeout=60)
            assert raised.value.code() == grpc.StatusCode.UNIMPLEMENTED

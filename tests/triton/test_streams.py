# SPDX-License-Identifier: Apache-2.0
"""Streams: many answers to one request, and one answer of a model that gives only one."""

import contextlib
import queue
from collections.abc import Iterator
from typing import Any

import grpc
import numpy as np
import pytest
import tritonclient.grpc as triton
from tritonclient.grpc import service_pb2 as messages
from tritonclient.grpc import service_pb2_grpc as stubs

from tests.triton.served import Client, Server, client_of
from tests.triton.test_calls import ones

Answers = queue.Queue[tuple[Any, Any]]


@pytest.fixture
def grpc_client(server: Server) -> Iterator[Client]:
    with client_of(server, "grpc") as made:
        yield made


@contextlib.contextmanager
def stream(client: Client, *, given_up: bool = False) -> Iterator[Answers]:
    """given_up: The client does not wait for the end of its stream."""
    answers: Answers = queue.Queue()
    client.start_stream(lambda result, error: answers.put((result, error)))
    try:
        yield answers
    finally:
        client.stop_stream(cancel_requests=given_up)


def to(n: int) -> list[triton.InferInput]:
    made = triton.InferInput("to", [1], "INT32")
    made.set_data_from_numpy(np.array([n], dtype=np.int32))
    return [made]


def heard(answers: Answers) -> tuple[Any, ...]:
    """Id, value and whether it is the last; or what is wrong."""
    result, error = answers.get(timeout=60)
    if error is not None:
        return ("error", (error.status() or "no status").removeprefix("StatusCode."))
    response = result.get_response()
    value = result.as_numpy("n")
    final = response.parameters["triton_final_response"]
    told_final = final.bool_param if "triton_final_response" in response.parameters else None
    return response.id, None if value is None else int(value[0]), told_final


def test_each_answer_comes_and_the_last_one_says_so_when_asked(server: Server, grpc_client: Client) -> None:
    with stream(grpc_client) as answers:
        for request_id in ("a", "b"):
            grpc_client.async_stream_infer("counts", to(3), request_id=request_id, enable_empty_final_response=True)
            seen = [heard(answers) for _ in range(4)]
            wanted = [(request_id, n, False) for n in (1, 2, 3)] + [(request_id, None, True)]
            assert seen == wanted


def test_without_it_only_answers_come(server: Server, grpc_client: Client) -> None:
    with stream(grpc_client) as answers:
        for _ in range(2):
            grpc_client.async_stream_infer("counts", to(2), request_id="c")
            seen = [heard(answers) for _ in range(2)]
            assert seen == [("c", 1, False), ("c", 2, False)]


def test_no_answer_at_all_is_an_empty_final_one(server: Server, grpc_client: Client) -> None:
    with stream(grpc_client) as answers:
        for _ in range(2):
            grpc_client.async_stream_infer("counts", to(0), request_id="d", enable_empty_final_response=True)
            assert heard(answers) == ("d", None, True)
            grpc_client.async_stream_infer("counts", to(0), request_id="e")
            grpc_client.async_stream_infer("counts", to(1), request_id="f")
            assert heard(answers) == ("f", 1, False)


def test_an_error_ends_its_request_and_not_the_stream(server: Server, grpc_client: Client) -> None:
    with stream(grpc_client) as answers:
        for _ in range(2):
            grpc_client.async_stream_infer("counts", to(14), request_id="g", enable_empty_final_response=True)
            assert [heard(answers)[1] for _ in range(12)] == list(range(1, 13))
            seen = [heard(answers)]
            grpc_client.async_stream_infer("counts", to(1), request_id="h", enable_empty_final_response=True)
            while seen[-1] != ("h", None, True):
                seen.append(heard(answers))
            kinds = [each[0] for each in seen]
            server.check("an error in a stream, and what follows", kinds, ["error", "h", "h"])


def test_a_request_that_is_wrong_is_an_answer_of_the_stream(server: Server, grpc_client: Client) -> None:
    wrong = triton.InferInput("z", [1], "INT32")
    wrong.set_data_from_numpy(np.array([1], dtype=np.int32))
    for name, inputs in (("nobody", to(1)), ("counts", [wrong])):
        # A Triton does not always go on with a stream, or end it, in which it has refused a request.
        with stream(grpc_client, given_up=server.is_triton) as answers:
            grpc_client.async_stream_infer(name, inputs, request_id="i")
            assert heard(answers)[0] == "error"
            if not server.is_triton:
                grpc_client.async_stream_infer("counts", to(1), request_id="k")
                assert heard(answers)[:2] == ("k", 1)


@pytest.mark.parametrize("final", [True, False])
def test_a_model_of_one_answer_gives_one(server: Server, grpc_client: Client, final: bool) -> None:
    with stream(grpc_client) as answers:
        for n in (1, 2):
            x = grpc_client.tensor("x", ones(1, 1) * n, "FP32")
            grpc_client.async_stream_infer("doubler", [x], request_id="l", enable_empty_final_response=final)
            result, error = answers.get(timeout=60)
            assert error is None
            assert result.as_numpy("y").tolist() == [[2 * n]]
            parameters = result.get_response().parameters
            seen = "final" if parameters["triton_final_response"].bool_param else "not final"
            if final and seen == "not final":
                result, error = answers.get(timeout=60)
                assert not result.get_response().outputs
                assert result.get_response().parameters["triton_final_response"].bool_param
                seen += ", and an empty one that is"
            server.check("the only answer to a request" + (", final ones asked for" if final else ""), seen, "final")


def test_a_stream_that_is_cancelled_ends_alone(server: Server, grpc_client: Client) -> None:
    answers: Answers = queue.Queue()
    grpc_client.start_stream(lambda result, error: answers.put((result, error)))
    grpc_client.async_stream_infer("counts", to(12))
    assert heard(answers)[1] == 1
    grpc_client.stop_stream(cancel_requests=True)
    with stream(grpc_client) as others:
        grpc_client.async_stream_infer("doubler", [grpc_client.tensor("x", ones(1, 1), "FP32")])
        result, error = others.get(timeout=60)
        assert error is None
        assert result.as_numpy("y").tolist() == [[2]]


def test_a_message_of_an_error_names_its_request(server: Server) -> None:
    with grpc.insecure_channel(server.grpc) as channel:
        stub = stubs.GRPCInferenceServiceStub(channel)
        request = messages.ModelInferRequest(model_name="counts", id="m")
        request.inputs.add(name="z", datatype="INT32", shape=[1])
        request.raw_input_contents.append(b"\1\0\0\0")
        request.parameters["triton_enable_empty_final_response"].bool_param = True
        for _ in range(2):
            (answer,) = stub.ModelStreamInfer(iter([request]), timeout=60)
            assert answer.error_message
            assert answer.infer_response.id == "m"
            final = answer.infer_response.parameters["triton_final_response"].bool_param
            assert not final

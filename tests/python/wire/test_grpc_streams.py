# SPDX-License-Identifier: Apache-2.0
"""Streams and sequences over gRPC by Triton's own client."""

import contextlib
import queue
from collections.abc import Iterator
from typing import Any

import numpy as np
import pytest
import tritonclient.grpc as triton

from tests.python.wire.triton_client import triton_client

Answers = queue.Queue[tuple[Any, Any]]


def number(name: str, value: int, dtype: type[np.integer[Any]], datatype: str) -> list[triton.InferInput]:
    made = triton.InferInput(name, [1], datatype)
    made.set_data_from_numpy(np.array([value], dtype=dtype))
    return [made]


def to(value: int) -> list[triton.InferInput]:
    return number("to", value, np.int32, "INT32")


def x(value: int) -> list[triton.InferInput]:
    return number("x", value, np.int64, "INT64")


@contextlib.contextmanager
def stream(client: triton.InferenceServerClient) -> Iterator[Answers]:
    answers: Answers = queue.Queue()
    client.start_stream(lambda result, error: answers.put((result, error)))
    yield answers
    client.stop_stream()


def outputs(answers: Answers, name: str, count: int) -> list[int]:
    taken = []
    for _ in range(count):
        result, error = answers.get(timeout=60)
        assert error is None
        taken.append(int(result.as_numpy(name)[0]))
    return taken


@pytest.mark.parametrize("window", [1, 16])
def test_one_request_has_many_answers(window: int) -> None:
    with triton_client(f"serve(Counts(), stream_window={window})") as (_, client), stream(client) as answers:
        for upto in (5, 0, 3, *([12] * 50)):
            client.async_stream_infer("counts", to(upto), request_id=str(upto), enable_empty_final_response=True)
            assert outputs(answers, "n", upto) == list(range(1, upto + 1))
            last, error = answers.get(timeout=60)
            assert error is None
            assert last.get_response().id == str(upto)
            assert last.get_response().parameters["triton_final_response"].bool_param
            assert not last.get_response().outputs


def test_an_error_ends_its_request_and_not_the_stream() -> None:
    with triton_client("serve(Counts())") as (_, client), stream(client) as answers:
        for _ in range(2):
            client.async_stream_infer("counts", to(20))
            assert outputs(answers, "n", 12) == list(range(1, 13))
            result, error = answers.get(timeout=60)
            assert result is None
            assert "13 is not counted" in str(error)
            client.async_stream_infer("nobody", to(1))
            assert "no model 'nobody'" in str(answers.get(timeout=60)[1])
        client.async_stream_infer("counts", to(2))
        assert outputs(answers, "n", 2) == [1, 2]


def test_a_client_that_goes_away_stops_the_model() -> None:
    endless = """
class Endless(Counts):
    def infer_stream(self, inputs):
        try:
            while True:
                yield {"n": inputs["to"]}
        except GeneratorExit:
            say("left")
            raise
serve(Endless())
"""
    with triton_client(endless) as (server, client):
        answers: Answers = queue.Queue()
        client.start_stream(lambda result, error: answers.put((result, error)))
        client.async_stream_infer("counts", to(1))
        assert outputs(answers, "n", 40) == [1] * 40  # more than a window
        client.stop_stream(cancel_requests=True)
        server.program.wait_for("left")


def test_many_requests_of_one_stream_are_all_answered() -> None:
    with triton_client("serve(Counts(), max_queue=1000, max_concurrent_requests=1000)") as (_, client):  # noqa: SIM117
        with stream(client) as answers:
            for _ in range(500):
                client.async_stream_infer("counts", to(2))
            assert sorted(outputs(answers, "n", 1000)) == [1] * 500 + [2] * 500


def test_a_sequence_is_a_session_from_its_start_to_its_end() -> None:
    with triton_client("serve(Sums())") as (server, client):
        for twice in range(2):
            totals = []
            for step, value in enumerate((1, 2, 3)):
                result = client.infer("sums", x(value), sequence_id=7, sequence_start=step == 0, sequence_end=step == 2)
                totals.append(int(result.as_numpy("sum")[0]))
            assert totals == [1, 3, 6]
            server.program.wait_for("closed 7 at 6")
            assert server.program.lines.count("opened 7") == twice + 1
        client.infer("sums", x(1), sequence_id="by name", sequence_start=True)
        client.infer("sums", x(5), sequence_id="by name", sequence_start=True)  # anew
        server.program.wait_for("closed by name at 1")


def test_a_sequence_goes_on_by_another_connection() -> None:
    with triton_client("serve(Sums())") as (server, client), triton.InferenceServerClient(server.target) as other:
        client.infer("sums", x(1), sequence_id=2**63 - 1, sequence_start=True)
        assert other.infer("sums", x(2), sequence_id=2**63 - 1).as_numpy("sum").tolist() == [3]


def test_sequences_of_one_stream_keep_their_order() -> None:
    with triton_client("serve(Sums())") as (_, client), stream(client) as answers:
        for step in range(1, 51):
            client.async_stream_infer("sums", x(step), sequence_id=1, sequence_start=step == 1)
        assert outputs(answers, "sum", 50) == [step * (step + 1) // 2 for step in range(1, 51)]

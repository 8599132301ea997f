# SPDX-License-Identifier: Apache-2.0
"""Sequences: calls that belong together, of a model that remembers."""

from typing import Any

import numpy as np
import pytest
from tritonclient.utils import InferenceServerException

from tests.triton.served import Client, Server, client_of


def step(client: Client, value: int, sequence: Any, *, start: bool = False, end: bool = False) -> int:
    x = client.tensor("x", np.array([value]), "INT64")
    result = client.infer("sums", [x], sequence_id=sequence, sequence_start=start, sequence_end=end)
    return int(result.as_numpy("sum")[0])


@pytest.mark.parametrize("sequence", [7, 2**63 - 1, "by name"])
def test_a_sequence_remembers_from_its_start_to_its_end(client: Client, sequence: Any) -> None:
    for _ in range(2):
        sums = [step(client, n, sequence, start=n == 1, end=n == 3) for n in (1, 2, 3)]
        assert sums == [1, 3, 6]


def test_sequences_do_not_know_of_one_another(client: Client) -> None:
    for _ in range(2):
        assert [step(client, 1, 21, start=True), step(client, 10, 22, start=True)] == [1, 10]
        assert [step(client, 1, 21, end=True), step(client, 10, 22, end=True)] == [2, 20]


def test_a_start_begins_anew(client: Client) -> None:
    assert [step(client, 5, 31, start=True) for _ in range(2)] == [5, 5]
    assert step(client, 1, 31, end=True) == 6


def test_one_call_may_be_a_whole_sequence(client: Client) -> None:
    assert [step(client, 5, 32, start=True, end=True) for _ in range(2)] == [5, 5]


def test_a_sequence_is_over_after_its_end(server: Server, client: Client) -> None:
    assert step(client, 5, 33, start=True, end=True) == 5
    for _ in range(2):
        x = client.tensor("x", np.array([1]), "INT64")
        try:
            told = f"begins anew with {int(client.infer('sums', [x], sequence_id=33).as_numpy('sum')[0])}"
            step(client, 0, 33, end=True)
        except InferenceServerException:
            told = "refused"
        server.check("a sequence that goes on after its end", told, "refused")


def test_a_sequence_goes_on_by_another_connection(server: Server, client: Client) -> None:
    assert step(client, 1, 34, start=True) == 1
    with client_of(server, client.way) as other:
        assert step(other, 2, 34, end=True) == 3


def test_a_model_without_a_state_takes_a_sequence(server: Server, client: Client) -> None:
    x = client.tensor("x", np.ones((1, 2), np.float32), "FP32")
    for _ in range(2):
        result = client.infer("doubler", [x], sequence_id=41, sequence_start=True, sequence_end=True)
        assert result.as_numpy("y").tolist() == [[2, 2]]

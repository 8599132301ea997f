# SPDX-License-Identifier: Apache-2.0
"""Instances that sleep where calls over gRPC come, and are called by every way that there is."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest

import remotemedia as rm
from tests.python.wire.wire_server import wire_server

CALLS = 300

TRIPLER = """
class Tripler(Doubler):
    model_id = "tripler"
    def infer(self, inputs):
        return {"y": inputs["x"] * 3}
"""


@pytest.mark.parametrize("instances", [1, 3])
def test_models_of_one_address_are_woken_by_calls_of_all_ways(instances: int) -> None:
    x = np.arange(6, dtype=np.float32).reshape(2, 3)

    def repeat(model: str, transport: Any) -> int:
        endpoint = f"{server.endpoint}#{model}"
        with rm.ModelWorkerClient.connect(endpoint, transport=transport, timeout=60) as client:
            return sum(np.array_equal(client.infer(x + n).to_numpy(), wanted[model](x + n)) for n in range(CALLS))

    wanted = {"doubler": lambda given: given * 2, "tripler": lambda given: given * 3}
    served = f"{TRIPLER}\nserve(Doubler(), Tripler(), instances={instances})"
    with wire_server(served) as server, ThreadPoolExecutor() as threads:
        ways = [(model, transport) for model in wanted for transport in ("grpc", "grpc", "shared_memory")]
        assert list(threads.map(lambda way: repeat(*way), ways)) == [CALLS] * len(ways)

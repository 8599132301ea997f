# SPDX-License-Identifier: Apache-2.0
"""What a worker's options do to its clients."""

import numpy as np
import pytest

import remotemedia as rm
from tests.python.workers.served import Served, served


def test_as_many_calls_run_at_once_as_there_are_instances() -> None:
    meeting = """
class Meeting(Doubler):
    together = threading.Barrier(3)
    def infer(self, inputs):
        self.together.wait(60)
        return super().infer(inputs)

rm.ModelWorker(Meeting(), rm.WorkerConfig(instances=3, max_batch_size=1)).serve(ENDPOINT)
"""
    with served(meeting) as (_, client):
        for _ in range(20):
            calls = [client.infer_future([[number]]) for number in range(3)]
            assert [call.result(60).to_numpy().tolist() for call in calls] == [[[0]], [[2]], [[4]]]


def test_one_instance_runs_one_call_after_the_other() -> None:
    alone = """
class Alone(Doubler):
    free = threading.Lock()
    def infer(self, inputs):
        assert self.free.acquire(blocking=False)
        try:
            return super().infer(inputs)
        finally:
            self.free.release()

rm.ModelWorker(Alone(), rm.WorkerConfig(max_batch_size=1)).serve(ENDPOINT)
"""
    with served(alone) as (worker, client), worker.connect() as other:
        calls = [caller.infer_future([[number]]) for number in range(50) for caller in (client, other)]
        assert [call.result(60).to_numpy().item() for call in calls] == [2 * (number // 2) for number in range(100)]


@pytest.mark.shared_memory
def test_whoever_keeps_an_output_beyond_its_lease_is_let_go() -> None:
    leases = "rm.ModelWorker(Doubler(), rm.WorkerConfig(output_lease_seconds=0.5)).serve(ENDPOINT)"
    with Served(leases) as worker, worker.connect(max_retries=0) as keeps, worker.connect() as reads:
        x = np.ones((1, 5000), np.float32)
        kept = keeps.infer(x)
        assert kept.storage == "shared_memory"
        with pytest.raises((rm.Rejected, rm.WorkerUnavailable), match=r"output_lease|gone"):
            while True:  # others are given back at once
                keeps.infer(x)
        assert np.array_equal(reads.infer(x).to_numpy(), x * 2)
        assert np.array_equal(kept.to_numpy(), x * 2)

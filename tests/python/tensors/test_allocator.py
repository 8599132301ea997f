# SPDX-License-Identifier: Apache-2.0
"""SharedMemoryAllocator from Python: quotas, sessions, the budget, metrics, errors asked twice."""

import gc
import threading
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import remotemedia as rm

MIB = 1 << 20


def test_a_tensor_lies_in_shared_memory(allocator: rm.SharedMemoryAllocator) -> None:
    tensor = allocator.allocate_tensor((3, 4), "float32")
    assert (tensor.shape, tensor.dtype.name, tensor.storage, tensor.device) == (
        (3, 4),
        "float32",
        "shared_memory",
        "cpu",
    )
    assert not tensor.read_only
    assert tensor.is_contiguous
    assert tensor.data_ptr % 256 == 0


def test_its_dtype_is_uint8_and_its_shape_may_be_a_number(allocator: rm.SharedMemoryAllocator) -> None:
    tensor = allocator.allocate_tensor(5)
    assert (tensor.shape, tensor.dtype.name, tensor.nbytes) == ((5,), "uint8", 5)


@pytest.mark.parametrize("shape", [(), 0, (0,), (3, 0), [2, 3], (np.int64(4),), (1,) * 64])
def test_any_shape_is_allocated(allocator: rm.SharedMemoryAllocator, shape: Any) -> None:
    for tensor in (allocator.allocate_tensor(shape, "int16"), rm.TensorBuffer.allocate(shape, "int16")):
        assert tensor.to_numpy().shape == np.empty(shape).shape
        tensor.to_numpy()[...] = 3
        assert np.all(tensor.to_numpy() == 3)


def test_a_tensor_is_allocated_with_an_allocator_too(allocator: rm.SharedMemoryAllocator) -> None:
    assert rm.TensorBuffer.allocate(3, allocator=allocator).storage == "shared_memory"
    assert rm.TensorBuffer.allocate(3).storage == "heap"
    assert rm.TensorBuffer.allocate(3).dtype == "float32"


@pytest.mark.parametrize("shape", [-1, (3, -1), 2**63, (2**40, 2**40), (1,) * 65])
def test_impossible_shapes_are_refused(allocator: rm.SharedMemoryAllocator, shape: Any) -> None:
    for _ in range(2):
        with pytest.raises(rm.InvalidTensor):
            allocator.allocate_tensor(shape)
        with pytest.raises(rm.InvalidTensor):
            rm.TensorBuffer.allocate(shape)
    assert allocator.metrics().allocations_total == 0


@pytest.mark.parametrize("shape", [None, "3", 1.5, (1.5,), ("3",), object()])
def test_what_is_no_shape_is_a_type_error(allocator: rm.SharedMemoryAllocator, shape: Any) -> None:
    for _ in range(2):
        with pytest.raises(TypeError):
            allocator.allocate_tensor(shape)


@pytest.mark.parametrize("session", [7, b"s", object()])
def test_a_session_is_named_by_text(allocator: rm.SharedMemoryAllocator, session: Any) -> None:
    with pytest.raises(TypeError):
        allocator.allocate_tensor(3, session_id=session)


# Limits


@pytest.mark.parametrize(
    ("limits", "error"),
    [
        ({"max_memory_bytes": -1}, ValueError),
        ({"max_memory_bytes": 1.5}, TypeError),
        ({"per_session_quota_bytes": -1}, ValueError),
        ({"per_session_quota_bytes": "1"}, TypeError),
        ({"lease_ttl_seconds": -1}, ValueError),
        ({"lease_ttl_seconds": float("nan")}, ValueError),
        ({"lease_ttl_seconds": "1"}, TypeError),
        ({"cleanup_interval_seconds": 0}, ValueError),
        ({"cleanup_interval_seconds": -1}, ValueError),
        ({"cleanup_interval_seconds": None}, TypeError),
        ({"heap_fallback": 1}, TypeError),
        ({"unknown": 1}, TypeError),
    ],
)
def test_limits_that_make_no_sense_are_refused(limits: dict[str, Any], error: type[Exception]) -> None:
    for _ in range(2):
        with pytest.raises(error):
            rm.AllocatorConfig(**limits)


def test_limits_are_read_back_and_given_by_keyword() -> None:
    config = rm.AllocatorConfig(per_session_quota_bytes=7)
    assert (config.per_session_quota_bytes, config.max_memory_bytes, config.heap_fallback) == (7, None, True)
    assert (config.lease_ttl_seconds, config.cleanup_interval_seconds) == (None, 60.0)
    with pytest.raises(TypeError):
        rm.AllocatorConfig(7)  # type: ignore[call-arg]
    with pytest.raises(TypeError):
        rm.SharedMemoryAllocator({"max_memory_bytes": 7})  # type: ignore[arg-type]


def test_the_quota_is_of_the_living_tensors_of_a_session() -> None:
    allocator = rm.SharedMemoryAllocator(rm.AllocatorConfig(per_session_quota_bytes=1000))
    kept = [allocator.allocate_tensor(400, session_id="a"), allocator.allocate_tensor(600, session_id="a")]
    for _ in range(2):
        with pytest.raises(rm.QuotaExceeded, match=r"a.*1000"):
            allocator.allocate_tensor(1, session_id="a")
    assert allocator.allocate_tensor(1000, session_id="b").storage == "shared_memory"
    assert allocator.session_usage("a") == 1000
    del kept[0]
    assert allocator.session_usage("a") == 600
    kept.append(allocator.allocate_tensor(400, session_id="a"))
    with pytest.raises(rm.QuotaExceeded):
        allocator.allocate_tensor(1, session_id="a")


def test_a_view_counts_as_what_it_keeps() -> None:
    allocator = rm.SharedMemoryAllocator(rm.AllocatorConfig(per_session_quota_bytes=1000))
    array = allocator.allocate_tensor(1000, session_id="a").to_numpy()[:1]
    with pytest.raises(rm.QuotaExceeded):
        allocator.allocate_tensor(1, session_id="a")
    del array
    assert allocator.allocate_tensor(1000, session_id="a").nbytes == 1000


def test_a_quota_holds_under_16_threads() -> None:
    allocator = rm.SharedMemoryAllocator(rm.AllocatorConfig(per_session_quota_bytes=8 * 1000))
    start, refusals, over = threading.Barrier(16), [0] * 16, []

    def work(number: int) -> None:
        start.wait()
        for _ in range(200):
            try:
                tensor = allocator.allocate_tensor(1000, session_id="shared")
            except rm.QuotaExceeded:
                refusals[number] += 1
                continue
            if allocator.session_usage("shared") > 8 * 1000:
                over.append(allocator.session_usage("shared"))
            tensor.to_numpy()[:] = number
            if not np.all(tensor.to_numpy() == number):
                over.append(number)

    threads = [threading.Thread(target=work, args=(number,)) for number in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert over == []
    assert allocator.session_usage("shared") == 0
    metrics = allocator.metrics()
    assert metrics.allocations_total == metrics.frees_total == 16 * 200 - sum(refusals)
    assert metrics.bytes_allocated == 0


def test_sixteen_threads_get_exactly_what_the_quota_has() -> None:
    allocator = rm.SharedMemoryAllocator(rm.AllocatorConfig(per_session_quota_bytes=8 * 1000))
    start, kept, refused = threading.Barrier(16), [], []

    def work() -> None:
        start.wait()
        try:
            kept.append(allocator.allocate_tensor(1000, session_id="shared"))
        except rm.QuotaExceeded as error:
            refused.append(error)

    threads = [threading.Thread(target=work) for _ in range(16)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (len(kept), len(refused)) == (8, 8)
    assert len({tensor.data_ptr for tensor in kept}) == 8


def test_beyond_the_budget_memory_is_heap() -> None:
    allocator = rm.SharedMemoryAllocator(rm.AllocatorConfig(max_memory_bytes=4 * MIB))
    kept = [allocator.allocate_tensor(MIB) for _ in range(8)]
    storages = [tensor.storage for tensor in kept]
    assert storages[0] == "shared_memory"
    assert storages[-1] == "heap"
    metrics = allocator.metrics()
    assert metrics.fallbacks == {"budget": storages.count("heap")}
    assert metrics.bytes_reserved <= 4 * MIB
    for number, tensor in enumerate(kept):
        tensor.to_numpy()[:] = number
    assert [int(tensor.to_numpy()[-1]) for tensor in kept] == list(range(8))


def test_without_the_fallback_it_is_out_of_memory() -> None:
    allocator = rm.SharedMemoryAllocator(rm.AllocatorConfig(max_memory_bytes=2 * MIB, heap_fallback=False))
    for _ in range(2):
        with pytest.raises(rm.OutOfMemory) as refused:
            allocator.allocate_tensor(64 * MIB)
        assert isinstance(refused.value, MemoryError)
        assert refused.value.unit == "bytes"
        assert refused.value.needed >= 64 * MIB
    assert allocator.allocate_tensor(1000).storage == "shared_memory"


def test_more_than_the_machine_has_is_out_of_memory(allocator: rm.SharedMemoryAllocator) -> None:
    for _ in range(2):
        with pytest.raises(rm.OutOfMemory):
            allocator.allocate_tensor(2**46)
        with pytest.raises(rm.OutOfMemory):
            rm.TensorBuffer.allocate(2**46, "uint8")


# Sessions


def segment_of(tensor: rm.TensorBuffer) -> str:
    """The line of /proc/self/maps that it lies in."""
    with Path("/proc/self/maps").open() as maps:
        for line in maps:
            first, last = (int(address, 16) for address in line.split()[0].split("-"))
            if first <= tensor.data_ptr < last:
                return line
    raise AssertionError("the tensor lies nowhere")


def test_sessions_never_share_a_segment(allocator: rm.SharedMemoryAllocator) -> None:
    a = [allocator.allocate_tensor(100, session_id="a") for _ in range(4)]
    b = [allocator.allocate_tensor(100, session_id="b") for _ in range(4)]
    none = [allocator.allocate_tensor(100) for _ in range(4)]
    segments = [{segment_of(tensor) for tensor in tensors} for tensors in (a, b, none)]
    assert [len(found) for found in segments] == [1, 1, 1]
    assert len(set.union(*segments)) == 3


def test_memory_of_a_session_never_comes_to_another(allocator: rm.SharedMemoryAllocator) -> None:
    addresses = set()
    for number in range(20):
        tensor = allocator.allocate_tensor(1000, session_id=f"s{number}")
        tensor.to_numpy()[:] = 77
        line = segment_of(tensor)
        del tensor
        other = allocator.allocate_tensor(1000, session_id=f"t{number}")
        assert segment_of(other).split()[4] != line.split()[4] or segment_of(other) != line
        addresses.add(line.split()[4])
        assert not np.any(other.to_numpy() == 77)
    assert addresses


def test_closing_a_session_tells_what_is_viewed_still(allocator: rm.SharedMemoryAllocator) -> None:
    kept = [allocator.allocate_tensor(100, session_id="a") for _ in range(3)]
    other = allocator.allocate_tensor(100, session_id="b")
    token = kept[0].to_shared_memory()
    assert allocator.close_session("a") == 3
    for _ in range(2):
        with pytest.raises(rm.SharedMemoryUnavailable):
            rm.TensorBuffer.from_shared_memory(token)
    kept[0].to_numpy()[:] = 1
    assert rm.TensorBuffer.from_shared_memory(other.to_shared_memory()).nbytes == 100
    kept.clear()
    assert allocator.session_usage("a") == 0
    assert allocator.close_session("a") == 0
    assert allocator.close_session("never heard of") == 0
    assert allocator.allocate_tensor(100, session_id="a").storage == "shared_memory"


def test_usage_is_what_was_asked_for(allocator: rm.SharedMemoryAllocator) -> None:
    assert allocator.session_usage("a") == 0
    tensor = allocator.allocate_tensor((3, 5), "int16", session_id="a")
    assert allocator.session_usage("a") == tensor.nbytes == 30
    assert allocator.session_usage("b") == 0


# Metrics, cleaning up, closing


def test_metrics_count(allocator: rm.SharedMemoryAllocator) -> None:
    before = allocator.metrics()
    assert (before.allocations_total, before.frees_total, before.bytes_allocated, before.fallbacks) == (0, 0, 0, {})
    kept = [allocator.allocate_tensor(1000) for _ in range(3)]
    metrics = allocator.metrics()
    assert (metrics.allocations_total, metrics.frees_total) == (3, 0)
    assert 3000 <= metrics.bytes_allocated <= metrics.bytes_reserved
    assert metrics.regions_active >= 1
    kept.pop()
    assert allocator.metrics().frees_total == 1
    assert metrics.frees_total == 0  # of then


def test_cleaning_up_ends_exports_and_no_view(allocator: rm.SharedMemoryAllocator) -> None:
    kept = [allocator.allocate_tensor(100) for _ in range(3)]
    ids = [tensor.to_shared_memory() for tensor in kept]
    opened = rm.TensorBuffer.from_shared_memory(ids[0])
    assert allocator.cleanup_expired() == 0
    assert allocator.cleanup_expired(ttl_seconds=3600) == 0
    assert allocator.cleanup_expired(ttl_seconds=0) == 3
    assert allocator.cleanup_expired(ttl_seconds=0) == 0
    kept[0].to_numpy()[:] = 9
    assert opened.to_bytes() == bytes([9] * 100)
    with pytest.raises(rm.SharedMemoryUnavailable):
        rm.TensorBuffer.from_shared_memory(ids[0])
    assert rm.TensorBuffer.from_shared_memory(kept[0].to_shared_memory()).to_bytes() == bytes([9] * 100)


@pytest.mark.parametrize("ttl", [-1.0, float("nan")])
def test_a_time_that_makes_no_sense_is_refused(allocator: rm.SharedMemoryAllocator, ttl: float) -> None:
    for _ in range(2):
        with pytest.raises(ValueError):  # noqa: PT011
            allocator.cleanup_expired(ttl_seconds=ttl)


def test_a_closed_allocator_gives_heap_and_keeps_what_it_gave() -> None:
    allocator = rm.SharedMemoryAllocator()
    tensor = allocator.allocate_tensor(100)
    token = tensor.to_shared_memory()
    for _ in range(2):
        allocator.close()
    tensor.to_numpy()[:] = 4
    assert tensor.to_bytes() == bytes([4] * 100)
    with pytest.raises(rm.SharedMemoryUnavailable):
        rm.TensorBuffer.from_shared_memory(token)
    for _ in range(2):
        assert allocator.allocate_tensor(3).storage == "heap"
    assert allocator.metrics().fallbacks == {"closed": 2}
    allocator.free(tensor)


def test_allocators_come_and_go() -> None:
    for _ in range(50):
        tensor = rm.SharedMemoryAllocator().allocate_tensor(100)
        tensor.to_numpy()[:] = 1
    gc.collect()
    assert tensor.to_numpy().sum() == 100


def test_a_subclass_is_an_allocator_too() -> None:
    class Mine(rm.SharedMemoryAllocator):
        made = 0

        def frame(self) -> rm.TensorBuffer:
            self.made += 1
            return self.allocate_tensor(8)

    mine = Mine()
    assert mine.frame().storage == "shared_memory"
    assert rm.TensorBuffer.allocate(3, allocator=mine).storage == "shared_memory"
    assert mine.made == 1

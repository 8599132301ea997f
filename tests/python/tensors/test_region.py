# SPDX-License-Identifier: Apache-2.0
"""SharedMemoryRegion: raw shared bytes, here and in another process."""

import gc
import weakref
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

import remotemedia as rm
from tests.python.core.program import Program

SIZES = [1, 255, 4096, 5000, 1 << 20]


@pytest.mark.parametrize("size", SIZES)
def test_a_region_is_as_big_as_asked_and_zero(size: int) -> None:
    with rm.SharedMemoryRegion.create(size) as region:
        assert region.size == size
        assert not region.read_only
        view = region.view()
        assert (view.nbytes, view.format, view.readonly) == (size, "B", False)
        assert not np.any(np.asarray(view))
        view[-1] = 7
        assert region.view()[-1] == 7


@pytest.mark.parametrize("size", [0, -1, -(2**63)])
def test_a_region_has_at_least_one_byte(size: int) -> None:
    for _ in range(2):
        with pytest.raises(ValueError, match="1 byte"):
            rm.SharedMemoryRegion.create(size)


@pytest.mark.parametrize("size", [None, "1", 1.5])
def test_a_size_is_an_int(size: Any) -> None:
    with pytest.raises(TypeError):
        rm.SharedMemoryRegion.create(size)


def test_more_than_the_machine_has_is_refused() -> None:
    for _ in range(2):
        with pytest.raises((rm.OutOfMemory, rm.SharedMemoryUnavailable)):
            rm.SharedMemoryRegion.create(2**46)


def test_parts_of_it_are_viewed() -> None:
    region = rm.SharedMemoryRegion.create(100)
    region.view()[:] = bytes(range(100))
    assert region.view(10).tolist() == list(range(10, 100))
    assert region.view(10, 5).tolist() == list(range(10, 15))
    assert region.view(length=3).tolist() == [0, 1, 2]
    assert region.view(100).nbytes == region.view(3, 0).nbytes == 0
    array = np.frombuffer(region.view(8, 16), np.int64)
    assert array.shape == (2,)


@pytest.mark.parametrize(
    ("offset", "length"), [(-1, None), (101, None), (0, 101), (100, 1), (0, -1), (50, 2**62), (2**62, 1)]
)
def test_views_beyond_its_bytes_are_refused(offset: int, length: int | None) -> None:
    region = rm.SharedMemoryRegion.create(100)
    for _ in range(2):
        with pytest.raises(ValueError, match="100"):
            region.view(offset, length)


def test_a_view_outlives_the_region() -> None:
    region = rm.SharedMemoryRegion.create(100)
    gone = weakref.ref(region)
    view = region.view()
    view[0] = 1
    region.close()
    del region
    gc.collect()
    assert gone() is None
    assert view[0] == 1


def test_a_closed_region_is_over() -> None:
    region = rm.SharedMemoryRegion.create(100)
    token = region.id
    for _ in range(2):
        region.close()
    assert region.size == 0
    uses: list[Callable[[], Any]] = [region.view, lambda: region.id]
    for _ in range(2):
        for use in uses:
            with pytest.raises(ValueError, match="closed"):
                use()
        with pytest.raises(rm.SharedMemoryUnavailable):
            rm.SharedMemoryRegion.open(token)


def test_a_with_statement_closes_it_also_after_an_error() -> None:
    with pytest.raises(KeyError), rm.SharedMemoryRegion.create(10) as region:
        raise KeyError
    assert region.size == 0


def test_opened_it_is_read_only() -> None:
    region = rm.SharedMemoryRegion.create(100, writable=True)
    opened = rm.SharedMemoryRegion.open(region.id)
    assert (opened.size, opened.read_only, opened.id) == (100, True, region.id)
    region.view()[5] = 5
    assert opened.view()[5] == 5
    with pytest.raises(TypeError):
        opened.view()[5] = 6
    with pytest.raises(ValueError, match="read-only"):
        np.asarray(opened.view())[0] = 1


def test_it_is_opened_for_writing_where_that_was_granted() -> None:
    region = rm.SharedMemoryRegion.create(100, writable=True)
    opened = rm.SharedMemoryRegion.open(region.id, writable=True)
    assert not opened.read_only
    opened.view()[5] = 6
    assert region.view()[5] == 6


def test_writing_that_was_not_granted_is_refused() -> None:
    region = rm.SharedMemoryRegion.create(100)
    for _ in range(2):
        with pytest.raises(rm.SharedMemoryUnavailable):
            rm.SharedMemoryRegion.open(region.id, writable=True)
    assert rm.SharedMemoryRegion.open(region.id).read_only


@pytest.mark.parametrize("token", ["", "nonsense", "/etc/passwd", "a" * 1000, "\0", "é"])
def test_what_is_no_id_opens_nothing(token: str) -> None:
    for _ in range(2):
        with pytest.raises((rm.SharedMemoryUnavailable, ValueError)):
            rm.SharedMemoryRegion.open(token)
        with pytest.raises((rm.SharedMemoryUnavailable, ValueError)):
            rm.TensorBuffer.from_shared_memory(token)


def test_an_id_that_was_changed_opens_nothing() -> None:
    region = rm.SharedMemoryRegion.create(100)
    token = region.id
    for place in (len(token) // 2, len(token) - 2, len(token) - 1):
        changed = token[:place] + ("0" if token[place] != "0" else "1") + token[place + 1 :]
        with pytest.raises((rm.SharedMemoryUnavailable, ValueError)):
            rm.SharedMemoryRegion.open(changed)
    assert rm.SharedMemoryRegion.open(token).size == 100


@pytest.mark.parametrize("timeout", [-1.0, float("nan")])
def test_a_timeout_that_makes_no_sense_is_refused(timeout: float) -> None:
    region = rm.SharedMemoryRegion.create(1)
    for _ in range(2):
        with pytest.raises(ValueError):  # noqa: PT011
            rm.SharedMemoryRegion.open(region.id, timeout=timeout)


def test_another_process_reads_and_writes_it() -> None:
    region = rm.SharedMemoryRegion.create(100, writable=True)
    secret = rm.SharedMemoryRegion.create(100)
    other = Program("""
    region = rm.SharedMemoryRegion.open(sys.stdin.readline().strip(), writable=True)
    region.view()[1] = region.view()[0] + 1
    say("written")
    sys.stdin.readline()
    say(str(region.view()[2]))
    token = sys.stdin.readline().strip()
    for _ in range(2):
        try:
            rm.SharedMemoryRegion.open(token, writable=True)
        except rm.SharedMemoryUnavailable:
            say("refused")
    say(str(rm.SharedMemoryRegion.open(token).read_only))
    """)
    region.view()[0] = 41
    other.tell(region.id)
    other.wait_for("written")
    assert region.view()[1] == 42
    region.view()[2] = 9
    other.tell("look")
    other.tell(secret.id)
    assert other.end() == ["written", "9", "refused", "refused", "True"]


def test_another_process_keeps_what_it_opened() -> None:
    creator = Program("""
    region = rm.SharedMemoryRegion.create(100)
    region.view()[:] = bytes(range(100))
    say(region.id)
    say("ready")
    sys.stdin.readline()
    """)
    creator.wait_for("ready")
    opened = rm.SharedMemoryRegion.open(creator.lines[0])
    creator.tell("end")
    creator.end()
    assert opened.view().tolist() == list(range(100))
    for _ in range(2):
        with pytest.raises(rm.SharedMemoryUnavailable):
            rm.SharedMemoryRegion.open(creator.lines[0])


# TensorCapabilities


def test_capabilities_are_found_out() -> None:
    found = rm.TensorCapabilities.detect()
    for name in ("shared_memory", "seals", "huge_pages", "cuda", "metal", "dlpack"):
        assert isinstance(getattr(found, name), bool)
    assert found.dlpack
    assert (found.shared_memory_reason is None) == found.shared_memory
    assert found.shared_memory == (rm.SharedMemoryAllocator().allocate_tensor(1).storage == "shared_memory")


def test_capabilities_are_not_written_to() -> None:
    found = rm.TensorCapabilities.detect()
    with pytest.raises(AttributeError):
        found.cuda = True  # type: ignore[misc]


# Errors


def test_zero_copy_unavailable_is_a_buffer_error() -> None:
    assert issubclass(rm.ZeroCopyUnavailable, (rm.RemoteMediaError, BufferError))
    assert issubclass(rm.ZeroCopyUnavailable, BufferError)
    assert issubclass(rm.InvalidTensor, ValueError)
    assert issubclass(rm.OutOfMemory, MemoryError)
    assert issubclass(rm.DeadlineExceeded, TimeoutError)

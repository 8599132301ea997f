# SPDX-License-Identifier: Apache-2.0
"""SampleHistory: the samples between two positions, where they lie if they came in one piece."""

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from remotemedia.nodes.ml.sample_history import SampleHistory

Samples = npt.NDArray[np.float32]


def history_of(*lengths: int) -> tuple[SampleHistory, list[Samples]]:
    """Chunks of these lengths, their samples numbered through."""
    chunks = np.split(np.arange(sum(lengths), dtype=np.float32), np.cumsum(lengths)[:-1])
    history = SampleHistory()
    for chunk in chunks:
        history.append(chunk)
    return history, chunks


@given(data=st.data(), lengths=st.lists(st.integers(0, 20), min_size=1, max_size=8))
def test_samples_are_found_by_their_position(data: st.DataObject, lengths: list[int]) -> None:
    history, _ = history_of(*lengths)
    history.forget_before(data.draw(st.integers(0, history.end)))
    start = data.draw(st.integers(history.start, history.end))
    end = data.draw(st.integers(start, history.end))
    assert np.array_equal(history.slice(start, end), np.arange(start, end, dtype=np.float32))


def test_samples_of_one_chunk_are_a_view_of_it() -> None:
    history, (first, second, _) = history_of(10, 20, 5)
    for start, end in ((10, 30), (12, 13), (29, 30)):
        assert np.shares_memory(history.slice(start, end), second)
    assert not np.shares_memory(history.slice(9, 12), second)
    history.forget_before(11)
    assert history.start == 10
    assert np.shares_memory(history.slice(10, 11), second)
    assert not np.shares_memory(history.slice(10, 30), first)


def test_samples_that_are_not_there_are_refused() -> None:
    history, _ = history_of(10, 10)
    history.forget_before(10)
    for start, end in ((9, 12), (12, 21), (15, 14)):
        for _ in range(2):
            with pytest.raises(IndexError, match=f"samples {start} to {end} asked for, 10 to 20 are kept"):
                history.slice(start, end)

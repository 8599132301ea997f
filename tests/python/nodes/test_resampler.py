# SPDX-License-Identifier: Apache-2.0
"""StreamingResampler: the same result whatever the chunks, aligned in time, without aliases."""

import numpy as np
import numpy.typing as npt
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from remotemedia.nodes.resampler import MAX_RATE, StreamingResampler

Samples = npt.NDArray[np.float32]

RATES = [8000, 11025, 16000, 22050, 24000, 32000, 44100, 48000, 96000, 16001]


def resample(samples: Samples, rate: int, output_rate: int = 16000, cuts: list[int] | None = None) -> Samples:
    resampler = StreamingResampler(rate, output_rate)
    chunks = np.split(samples, sorted(cuts or []))
    return np.concatenate([*(resampler.push(chunk) for chunk in chunks), resampler.finish()])


def tone(frequency: float, rate: int, seconds: float = 0.5) -> Samples:
    return np.sin(2 * np.pi * frequency * np.arange(int(rate * seconds)) / rate).astype(np.float32)


@settings(max_examples=60, deadline=None)
@given(data=st.data(), rate=st.sampled_from(RATES), length=st.integers(0, 12_000))
def test_chunk_boundaries_do_not_change_one_bit(data: st.DataObject, rate: int, length: int) -> None:
    samples = np.random.default_rng(length).uniform(-1, 1, length).astype(np.float32)
    cuts = data.draw(st.lists(st.integers(0, length), max_size=12))
    assert np.array_equal(resample(samples, rate, cuts=cuts), resample(samples, rate))


@pytest.mark.parametrize("rate", RATES)
def test_single_samples_give_what_the_whole_gives(rate: int) -> None:
    samples = np.random.default_rng(7).uniform(-1, 1, 700).astype(np.float32)
    assert np.array_equal(resample(samples, rate, cuts=list(range(700))), resample(samples, rate))


@settings(max_examples=200, deadline=None)
@given(rate=st.integers(1, 50), output_rate=st.integers(1, 50), length=st.integers(0, 300))
def test_the_length_is_that_of_the_same_time_rounded_up(rate: int, output_rate: int, length: int) -> None:
    samples = np.ones(length, np.float32)
    assert len(resample(samples, rate, output_rate)) == -(-length * output_rate // rate)


@pytest.mark.parametrize("rate", RATES)
@pytest.mark.parametrize("frequency", [100.0, 1000.0, 3000.0])
def test_a_tone_stays_the_tone_it_was_at_the_same_time(rate: int, frequency: float) -> None:
    output = resample(tone(frequency, rate), rate)
    expected = np.sin(2 * np.pi * frequency * np.arange(len(output)) / 16000)
    assert np.abs(output - expected)[200:-200].max() < 1e-4


@pytest.mark.parametrize("rate", [rate for rate in RATES if rate > 20_000])
@pytest.mark.parametrize("frequency", [8_800.0, 10_000.0])
def test_what_the_lower_rate_cannot_hold_is_gone(rate: int, frequency: float) -> None:
    output = resample(tone(frequency, rate), rate)
    assert np.abs(output)[200:-200].max() < 1e-4, "80 dB down"


def test_equal_rates_pass_everything_through() -> None:
    samples = np.random.default_rng(1).uniform(-1, 1, 999).astype(np.float32)
    assert np.array_equal(resample(samples, 16000, cuts=[5, 500]), samples)


def test_a_constant_stays_constant() -> None:
    for rate in RATES:
        output = resample(np.full(rate // 4, 0.5, np.float32), rate)
        assert np.abs(output - 0.5)[400:-400].max() < 1e-6


def test_what_is_kept_between_chunks_is_bounded() -> None:
    resampler = StreamingResampler(48000, 16000)
    for _ in range(200):
        resampler.push(np.zeros(4800, np.float32))
    assert resampler._pending.nbytes < 10_000
    assert resampler._pending.base is None, "no view that keeps a larger array alive"


@pytest.mark.parametrize("rate", [0, -1, MAX_RATE + 1])
def test_rates_out_of_range_are_refused(rate: int) -> None:
    for rates in ((rate, 16000), (16000, rate)):
        with pytest.raises(ValueError, match="a sample rate must be 1 to 384000 Hz"):
            StreamingResampler(*rates)

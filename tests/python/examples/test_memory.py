# SPDX-License-Identifier: Apache-2.0
"""Memory as PSS."""

import mmap

import pytest

from examples.speech_demo.run.memory import parse_pss, pss_bytes


def test_pss_is_read_in_bytes_and_is_not_one_of_its_parts() -> None:
    text = "00400000-7fff ---p 00000000 00:00 0 [rollup]\nRss: 900 kB\nPss: 500 kB\nPss_Anon: 300 kB\n"
    assert parse_pss(text) == 500 * 1024


def test_a_text_without_pss_is_refused() -> None:
    with pytest.raises(ValueError, match="Pss"):
        parse_pss("Rss: 900 kB\n")


def test_pages_count_once_they_are_touched() -> None:
    size = 64 << 20
    before = pss_bytes()
    with mmap.mmap(-1, size) as pages:
        mapped = pss_bytes()
        for page in range(0, size, mmap.PAGESIZE):
            pages[page] = 1
        touched = pss_bytes()
    assert mapped - before < size // 8
    assert touched - mapped > size * 7 // 8

# SPDX-License-Identifier: Apache-2.0
"""The page says what the checks allow to differ."""

from tests.triton.differences import CASES, GROUPS
from tests.triton.triton_model import ROOT


def test_the_page_lists_what_differs() -> None:
    page = (ROOT / "docs/wire.md").read_text()
    section = page.split("## Beside a real Triton\n")[1].split("\n## ")[0]
    header, rule, *rows = [line for line in section.splitlines() if line.startswith("|")]
    assert (header, rule) == ("| | a Triton | a worker | why |", "|---|---|---|---|")
    assert rows == [
        f"| {each.what} | {each.triton} | {each.worker} | {each.why} |" for each in GROUPS if not each.told_above
    ]


def test_no_case_is_listed_twice() -> None:
    assert len(CASES) == sum(len(group.cases) for group in GROUPS)

# SPDX-License-Identifier: Apache-2.0
"""Tables in a page of the documentation, so that nobody types a figure.

    python -m benchmarks.page memory.json docs/benchmarks.md

puts the tables of `scripts/bench memory --json memory.json` between `<!-- PART -->` and `<!-- end of PART -->`.
"""

import contextlib
import io
import json
import sys
from collections.abc import Iterator
from pathlib import Path


@contextlib.contextmanager
def shown(part: str, tables: dict[str, str]) -> Iterator[None]:
    """Prints what is printed within, and keeps it in `tables`."""
    text = io.StringIO()
    with contextlib.redirect_stdout(text):
        yield
    tables[part] = text.getvalue()
    print(tables[part], end="", flush=True)


def fill(page: str, tables: dict[str, str]) -> str:
    """The page with these tables."""
    for part, text in tables.items():
        begin, end = f"<!-- {part} -->\n", f"<!-- end of {part} -->"
        before, found, after = page.partition(begin)
        if not found or end not in after:
            raise ValueError(f"the page has no place for the tables of {part}")
        page = f"{before}{begin}{text}\n{after[after.index(end) :]}"
    return page


def main() -> None:
    measured, page = Path(sys.argv[1]), Path(sys.argv[2])
    for result in json.loads(measured.read_text(encoding="utf-8")).values():
        page.write_text(fill(page.read_text(encoding="utf-8"), result.get("tables", {})), encoding="utf-8")


if __name__ == "__main__":
    main()

# SPDX-License-Identifier: Apache-2.0
"""What the pages say is so: their programs run and print what they say, their links lead somewhere."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.python.markdown_blocks import blocks_in, blocks_of, cpp_programs, python_program

ROOT = Path(__file__).parents[2]
PAGES = sorted(
    [*ROOT.glob("*.md"), *(page for folder in ("cpp", "docs", "examples") for page in (ROOT / folder).rglob("*.md"))]
)

LINK = re.compile(r"\[[^\]]*\]\(([^)\s]+)\)")
SCRIPT = re.compile(r"(?<![\w/.])(?:scripts|\.ci)/\w+")
WARNINGS = ("-Wall", "-Wextra", "-Wpedantic", "-Wconversion", "-Wshadow", "-Werror")


def each_page(language: str = "") -> pytest.MarkDecorator:
    """Every page, or those that have blocks of a language."""
    pages = [page for page in PAGES if not language or blocks_in(page, language)]
    return pytest.mark.parametrize("page", pages, ids=[str(page.relative_to(ROOT)) for page in pages])


def run(*command: str | Path, folder: Path) -> str:
    done = subprocess.run([str(part) for part in command], cwd=folder, capture_output=True, text=True, check=False)
    assert done.returncode == 0, f"{command[0]} ended with {done.returncode}:\n{done.stdout}{done.stderr}"
    return done.stdout


@each_page("python")
def test_the_python_of_a_page_runs_and_prints_what_the_page_says(page: Path, tmp_path: Path) -> None:
    blocks = blocks_in(page, "python")
    program, empty = tmp_path / f"{page.name}.py", tmp_path / "empty"
    program.write_text(python_program(blocks))
    empty.mkdir()
    assert run(sys.executable, "-W", "error", program, folder=empty) == "".join(block.printed for block in blocks)


@pytest.fixture(scope="session")
def library() -> Path:
    """The library that was built with the Python package."""
    shared = ROOT / "build/python/cpp/libremotemedia.so"
    assert shared.exists(), "scripts/bootstrap builds it"
    return shared


@each_page("cpp")
def test_the_cpp_of_a_page_compiles_without_a_warning_and_prints_what_the_page_says(
    page: Path, library: Path, tmp_path: Path
) -> None:
    cache = ["ccache"] if shutil.which("ccache") else []
    compiler: list[str | Path] = [*cache, os.environ.get("CXX", "c++"), "-std=c++20", *WARNINGS, "-I", ROOT / "cpp"]
    for number, (program, printed) in enumerate(cpp_programs(blocks_in(page, "cpp"))):
        source, compiled, linked = (tmp_path / f"{number}{suffix}" for suffix in (".cpp", ".o", ""))
        source.write_text(program)
        run(*compiler, "-c", source, "-o", compiled, folder=tmp_path)
        run(*compiler, compiled, library, f"-Wl,-rpath,{library.parent}", "-o", linked, folder=tmp_path)
        assert run(linked, folder=tmp_path) == printed


@each_page("bash")
def test_the_commands_of_a_page_are_there(page: Path) -> None:
    for block in blocks_in(page, "bash"):
        run("bash", "-n", "-c", block.text, folder=ROOT)
        missing = [script for script in SCRIPT.findall(block.text) if not os.access(ROOT / script, os.X_OK)]
        assert missing == []


def targets_of(page: Path) -> list[tuple[str, Path, str]]:
    """Each link that leads to another place in the project: as written, its file and its heading."""
    links = [link for link in LINK.findall(page.read_text()) if not re.match(r"https?:|mailto:", link)]
    parts = [(link, *link.partition("#")) for link in links]
    return [(link, (page.parent / path).resolve() if path else page, heading) for link, path, _, heading in parts]


def headings_of(page: Path) -> set[str]:
    """The names by which its headings can be linked."""
    prose = re.sub(r"^```.*?^```$", "", page.read_text(), flags=re.MULTILINE | re.DOTALL)
    headings = re.findall(r"^#+ (.*)$", prose, flags=re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).strip().replace(" ", "-") for heading in headings}


@each_page()
def test_the_links_of_a_page_lead_somewhere(page: Path) -> None:
    targets = targets_of(page)
    assert [link for link, found, _ in targets if not (found.exists() and found.is_relative_to(ROOT))] == []
    assert [link for link, found, heading in targets if heading and heading not in headings_of(found)] == []


@each_page()
def test_the_lines_of_a_page_are_at_most_120_characters_long_but_for_tables(page: Path) -> None:
    assert [line for line in page.read_text().splitlines() if len(line) > 120 and not line.startswith("|")] == []


def test_every_page_is_linked_from_an_index() -> None:
    indexes = [ROOT / "docs/README.md", ROOT / "docs/decisions/README.md"]
    linked = {found for index in indexes for _, found, _ in targets_of(index)}
    assert set((ROOT / "docs").rglob("*.md")) - {indexes[0]} - linked == set()


def test_the_map_of_the_rooms_names_every_header() -> None:
    rooms = ROOT / "cpp/remotemedia"
    assert set(rooms.rglob("*.h")) - {found for _, found, _ in targets_of(rooms / "README.md")} == set()


PAGE = """\
```python
x = 1
```
```cpp
#include <cstdio>
std::puts("2");
```
```output
2
```

```python
print(x)
```
```output
1
```
```cpp
int main() {}
```
"""


def test_a_page_is_read_as_the_programs_that_it_shows() -> None:
    first, part, second, whole = blocks_of(PAGE)
    assert [(block.language, block.line) for block in (first, part, second, whole)] == [
        ("python", 2),
        ("cpp", 5),
        ("python", 13),
        ("cpp", 19),
    ]
    assert python_program([first, second]) == "\nx = 1\n" + 10 * "\n" + "print(x)\n"
    assert second.printed == "1\n"
    together, alone = cpp_programs([part, whole])
    assert together == ('#include <cstdio>\n\nint main() {\n\nstd::puts("2");\n\n}\n', "2\n")
    assert alone == ("int main() {}\n", "")


def test_a_block_without_an_end_is_an_error() -> None:
    with pytest.raises(ValueError, match="line 2 has no end"):
        blocks_of("```python\nx = 1\n")

# SPDX-License-Identifier: Apache-2.0
"""The sources point down, and a source that does not is found."""

from pathlib import Path

import pytest

from tests.layering.layers import PACKAGES, ROOMS, violations

ROOT = Path(__file__).parents[2]


def write(root: Path, files: dict[str, str]) -> None:
    for name, text in files.items():
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)


def test_the_sources_point_down() -> None:
    assert violations(ROOT) == []


def test_the_sources_are_really_read() -> None:
    assert {path.name for path in (ROOT / "cpp/remotemedia").iterdir() if path.is_dir()} <= set(ROOMS)
    assert list((ROOT / "cpp/remotemedia").rglob("*.cpp"))
    assert list((ROOT / "python/remotemedia/core").glob("*.py"))


@pytest.mark.parametrize("table", [ROOMS, PACKAGES], ids=["rooms", "packages"])
def test_the_tables_have_no_cycle(table: dict[str, set[str]]) -> None:
    settled: set[str] = set()
    while ready := {name for name, below in table.items() if name not in settled and below <= settled}:
        settled |= ready
    assert settled == set(table)


def test_a_tree_that_points_down_is_accepted(tmp_path: Path) -> None:
    write(
        tmp_path,
        {
            "cpp/remotemedia/base/clock.h": '#include <chrono>\n#include "remotemedia/base/export.h"\n',
            "cpp/remotemedia/base/export.h": "#if defined(_WIN32)\n#endif\n",
            "cpp/remotemedia/platform/CMakeLists.txt": "add_room(NAME platform SOURCES a_linux.cpp USES base)",
            "cpp/remotemedia/platform/a_linux.cpp": "#include <sys/mman.h>\n#include <remotemedia/base/clock.h>\n",
            "python/src/module.cpp": "#include <nanobind/nanobind.h>\n#include <remotemedia/base/clock.h>\n",
            "python/remotemedia/__init__.py": "from remotemedia.pipeline import Pipeline\n",
            "python/remotemedia/core/registry.py": "from remotemedia import _core\nfrom .._core import x\nimport os\n",
            "python/remotemedia/nodes/ml/vad.py": "from ...core.registry import a\nfrom ..node import Node\n",
            "python/remotemedia/pipeline/run.py": "from remotemedia.nodes.node import Node\n",
        },
    )
    assert violations(tmp_path) == []


@pytest.mark.parametrize(
    ("name", "text", "fault"),
    [
        ("cpp/remotemedia/base/a.h", "#include <remotemedia/registry/b.h>\n", "base may not include remotemedia/reg"),
        ("cpp/remotemedia/platform/a.h", ' #  include "remotemedia/registry/b.h"\n', "platform may not include"),
        ("cpp/remotemedia/registry/a.h", "#include <remotemedia/tensor/b.h>\n", "registry may not include"),
        ("cpp/remotemedia/registry/a.cpp", "#include <remotemedia/base/b.h>\n", "does not name base in USES"),
        ("cpp/remotemedia/registry/a.cpp", '#include "model_key.h"\n', "without its path"),
        ("cpp/remotemedia/registry/a.cpp", "#include <unistd.h>\n", "only platform may include <unistd.h>"),
        ("cpp/remotemedia/registry/a.cpp", "#include <sys/mman.h>\n", "only platform may include <sys/mman.h>"),
        ("cpp/remotemedia/registry/a.cpp", "#include <Python.h>\n", "only python/src may include <Python.h>"),
        ("cpp/remotemedia/platform/a.cpp", "#include <nanobind/nanobind.h>\n", "only python/src may include"),
        ("cpp/remotemedia/platform/a.cpp", "#ifdef __linux__\n#endif\n", "asks for the operating system"),
        ("cpp/remotemedia/base/a.cpp", "#if X && defined(_WIN32)\n#endif\n", "asks for the operating system"),
        ("cpp/remotemedia/base/CMakeLists.txt", "add_room(NAME base USES registry)", "base may not use registry"),
        ("cpp/remotemedia/attic/a.h", "", "has no row"),
        ("python/src/module.cpp", "#include <pthread.h>\n", "only platform may include <pthread.h>"),
        ("python/remotemedia/core/a.py", "import remotemedia.nodes.vad\n", "core may not import remotemedia.nodes"),
        ("python/remotemedia/core/a.py", "from ..pipeline import b\n", "core may not import remotemedia.pipeline"),
        ("python/remotemedia/core/a.py", "from .. import nodes\n", "core may not import remotemedia.nodes"),
        ("python/remotemedia/core/a.py", "from remotemedia import registry\n", "core may not import remotemedia"),
        ("python/remotemedia/core/a.py", "def f():\n    import remotemedia\n", "a.py:2: remotemedia.core may not"),
        ("python/remotemedia/nodes/ml/a.py", "from ...pipeline import b\n", "nodes may not import remotemedia.pipe"),
        (
            "python/remotemedia/nodes/a.py",
            "from remotemedia._core import b\n",
            "nodes may not import remotemedia._core",
        ),
        ("python/remotemedia/attic.py", "", "has no row"),
        ("python/remotemedia/core/string_utils.py", "", "does not say what"),
        ("cpp/remotemedia/registry/cache_manager.h", "", "does not say what"),
        ("tests/python/common/a.py", "", "does not say what"),
    ],
)
def test_what_points_up_is_found(tmp_path: Path, name: str, text: str, fault: str) -> None:
    write(tmp_path, {name: text})
    found = violations(tmp_path)
    assert len(found) == 1
    assert fault in found[0]

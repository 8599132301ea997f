# SPDX-License-Identifier: Apache-2.0
"""The examples, and the project that the page on building shows, build with the library and print what they should."""

import os
import subprocess
from pathlib import Path

import pytest

from tests.python.markdown_blocks import Block, blocks_in

ROOT = Path(__file__).parents[2]

pytestmark = pytest.mark.timeout(900)

PRINTED = {
    "share_a_model": "loads: 1, holds: 8, bytes: 4000000\nmean: 2.0\nmodels left: 0, bytes: 0\n",
    "limited_memory": (
        "in memory: anna@cpu bert@cpu\n"
        "in memory: bert@cpu carla@cpu\n"
        "40000000 bytes needed, 20000000 could be free; held: bert@cpu carla@cpu\n"
        "in memory: anna@cpu carla@cpu\n"
    ),
    "hand_over": (
        "parent: (1080, 1920, 3), shared_memory, checksum 793152000\n"
        "parent: session 'camera-1' has 6220800 bytes in use of a quota of 16000000 and asks for 24883200 more:"
        " let blocks go, or raise per_session_quota_bytes\n"
        "child: (1080, 1920, 3), shared_memory, read-only, checksum 793152000\n"
        "parent: has let go, 6220800 bytes in use\n"
        "child: still checksum 793152000\n"
    ),
}


def run(*command: str | Path) -> str:
    done = subprocess.run(
        [str(part) for part in command], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, check=False
    )
    assert done.returncode == 0, f"{command} ended with {done.returncode}:\n{done.stdout}"
    return done.stdout


@pytest.fixture(scope="module")
def prefix(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the library is installed; built where test_install.py builds it."""
    build, prefix = ROOT / "build/install-test/shared-OFF", tmp_path_factory.mktemp("prefix")
    run("cmake", "-S", ROOT, "-B", build, "-DBUILD_SHARED_LIBS=OFF", "-DREMOTEMEDIA_WERROR=ON")
    run("cmake", "--build", build, "--parallel", str(os.cpu_count()))
    run("cmake", "--install", build, "--prefix", prefix)
    return prefix


def build(source: Path, build: Path, prefix: Path) -> None:
    """As a user does, and without a warning."""
    warnings = "-DCMAKE_CXX_FLAGS=-Wall -Wextra -Wpedantic -Wconversion -Wshadow -Werror"
    run("cmake", "-S", source, "-B", build, f"-DCMAKE_PREFIX_PATH={prefix}", warnings)
    run("cmake", "--build", build, "--parallel", str(os.cpu_count()))


@pytest.fixture(scope="module")
def examples(prefix: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("examples")
    build(ROOT / "examples/cpp", folder, prefix)
    return folder


@pytest.mark.parametrize("name", PRINTED)
def test_an_example_prints_what_it_should(examples: Path, name: str) -> None:
    assert run(examples / name) == PRINTED[name]


def test_the_example_of_a_backend_is_built_with_the_installed_headers(prefix: Path, tmp_path: Path) -> None:
    build(ROOT / "examples/backend", tmp_path, prefix)
    assert (tmp_path / "linear.so").is_file()


def test_every_example_is_tried() -> None:
    assert {path.stem for path in (ROOT / "examples/cpp").glob("*.cpp")} == set(PRINTED)


README_PROGRAMS = blocks_in(ROOT / "README.md", "cpp")


@pytest.mark.parametrize("program", README_PROGRAMS, ids=[f"line {program.line}" for program in README_PROGRAMS])
def test_the_project_of_the_building_page_builds_a_program_of_the_readme(
    prefix: Path, tmp_path: Path, program: Block
) -> None:
    (lists,) = blocks_in(ROOT / "docs/building.md", "cmake")
    (tmp_path / "CMakeLists.txt").write_text(lists.text)
    (tmp_path / "main.cpp").write_text(program.text)
    build(tmp_path, tmp_path / "build", prefix)
    assert run(tmp_path / "build/program") == program.printed

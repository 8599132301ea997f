# SPDX-License-Identifier: Apache-2.0
"""The library and the package as strangers get them: installed to a fresh place, used from there."""

import os
import subprocess
import sys
import venv
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
HERE = Path(__file__).parent
BUILD = ROOT / "build/install-test"

pytestmark = pytest.mark.timeout(900)


def run(*command: str | Path, cwd: Path = ROOT) -> str:
    """Runs a command to its end and returns what it printed; its whole output is in the failure."""
    done = subprocess.run(
        [str(part) for part in command],
        cwd=cwd,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=False,
    )
    assert done.returncode == 0, f"{command} ended with {done.returncode}:\n{done.stdout}"
    return done.stdout


def build_and_run_the_consumer(build: Path, *options: str) -> str:
    run("cmake", "--fresh", "-S", HERE / "consumer", "-B", build, *options)
    run("cmake", "--build", build, "--parallel", str(os.cpu_count()))
    return run(build / "consumer")


@pytest.fixture(scope="module", params=["OFF", "ON"], ids=["static", "shared"])
def prefix(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the library is installed after a build with no generator, preset or option but the kind of library."""
    build = BUILD / f"shared-{request.param}"
    prefix = tmp_path_factory.mktemp("prefix")
    # Warnings as errors only so that the compiler cache serves what the release preset has compiled.
    run("cmake", "-S", ROOT, "-B", build, f"-DBUILD_SHARED_LIBS={request.param}", "-DREMOTEMEDIA_WERROR=ON")
    run("cmake", "--build", build, "--parallel", str(os.cpu_count()))
    run("cmake", "--install", build, "--prefix", prefix)
    return prefix


def test_a_consumer_finds_the_installed_library(prefix: Path, tmp_path: Path) -> None:
    output = build_and_run_the_consumer(tmp_path, f"-DCMAKE_PREFIX_PATH={prefix}")
    assert output == "consumer: ok\n"


def test_a_consumer_finds_the_build_tree(tmp_path: Path) -> None:
    output = build_and_run_the_consumer(tmp_path, f"-Dremotemedia_DIR={ROOT / 'build/release'}")
    assert output == "consumer: ok\n"


@pytest.fixture(scope="module")
def python(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The interpreter of a plain environment in which `pip install .` ran, with build isolation."""
    folder = tmp_path_factory.mktemp("environment")
    venv.create(folder, with_pip=True)
    python = folder / "bin/python"
    # The compiler's name and warnings as errors only for the compiler cache.
    cached = "CXX=c++", "SKBUILD_CMAKE_DEFINE=REMOTEMEDIA_WERROR=ON"
    run("env", *cached, python, "-m", "pip", "install", "--disable-pip-version-check", ROOT)
    return python


def test_the_installed_package_has_its_types(python: Path) -> None:
    listed = run(python, "-m", "pip", "show", "--files", "remotemedia")
    assert "remotemedia/py.typed" in listed
    assert "remotemedia/_core.pyi" in listed
    assert ".cpp" not in listed


def test_the_installed_package_needs_numpy_and_nothing_else(python: Path) -> None:
    installed = run(python, "-m", "pip", "list", "--format=freeze").lower()
    names = {line.split("==")[0] for line in installed.splitlines() if "==" in line}
    assert names - {"pip", "setuptools"} == {"numpy", "remotemedia"}


def test_a_user_program_runs_with_the_installed_package_and_leaks_nothing(
    python: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("REMOTEMEDIA_LEAK_CHECK", "1")
    assert run(python, HERE / "user_program.py", cwd=tmp_path).endswith("user program: ok\n")


def test_mypy_strict_accepts_a_user_program(python: Path, tmp_path: Path) -> None:
    mypy = Path(sys.executable).parent / "mypy"
    run(mypy, "--strict", "--config-file=", f"--python-executable={python}", HERE / "user_program.py", cwd=tmp_path)


def test_mypy_strict_refuses_a_wrong_use_of_the_model(python: Path, tmp_path: Path) -> None:
    wrong = tmp_path / "wrong.py"
    wrong.write_text(
        "import remotemedia as rm\n"
        "handle = rm.registry().get_or_load('k', lambda: 'text')\n"
        "number: int = handle.model\n"
    )
    mypy = Path(sys.executable).parent / "mypy"
    done = subprocess.run(
        [mypy, "--strict", "--config-file=", f"--python-executable={python}", wrong],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert 'variable has type "int"' in done.stdout

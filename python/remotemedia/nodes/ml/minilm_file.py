# SPDX-License-Identifier: Apache-2.0
"""The network of all-MiniLM-L6-v2 as a file that remotemedia-model-worker serves.

    python -m remotemedia.nodes.ml.minilm_file FOLDER

writes FOLDER/minilm.xml and FOLDER/minilm.bin, and prints the path of the first, which is the one to be served.
"""

from __future__ import annotations

import argparse
import os
import sys
import tempfile
from pathlib import Path

from remotemedia.core.errors import LoadFailed
from remotemedia.nodes.ml.minilm_graph import build_minilm, import_openvino


def write_minilm(folder: Path) -> Path:
    """Writes the network to folder, and returns the path of the one of its two files that is to be served.

    Whoever finds that one has both, whole, also after a crash.

    Raises:
        LoadFailed: As build_minilm().
        OSError: It cannot be written there.
    """
    model = build_minilm()
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".minilm-", dir=folder) as unfinished:
        import_openvino().save_model(model, Path(unfinished) / "minilm.xml", compress_to_fp16=False)
        for name in ("minilm.bin", "minilm.xml"):
            _sync(Path(unfinished) / name)
            (Path(unfinished) / name).replace(folder / name)
            _sync(folder)
    return folder / "minilm.xml"


def _sync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def main() -> None:
    """Writes the file from a command line."""
    parser = argparse.ArgumentParser(
        prog="python -m remotemedia.nodes.ml.minilm_file",
        description="Writes all-MiniLM-L6-v2 as a file that remotemedia-model-worker serves.",
    )
    parser.add_argument("folder", type=Path, help="made if it is not there")
    try:
        print(write_minilm(parser.parse_args().folder))
    except (LoadFailed, OSError) as failed:
        sys.exit(str(failed))


if __name__ == "__main__":
    main()

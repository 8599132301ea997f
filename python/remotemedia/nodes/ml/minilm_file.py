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
from remotemedia.nodes.ml.minilm_folder import minilm_folder
from remotemedia.nodes.ml.minilm_graph import build_minilm, import_openvino


def write_minilm(folder: Path, model: str | None = None) -> Path:
    """Writes the network to folder, and returns the path of the one of its two files that is to be served.

    Whoever finds that one has both, whole, also after a crash.

    Args:
        folder: Where to; made if it is not there.
        model: As EmbeddingNode's.

    Raises:
        LoadFailed: If a package is missing, with the command that installs it, or there is no such model.
        OSError: It cannot be written there.
    """
    network = build_minilm(minilm_folder(model))
    folder.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".minilm-", dir=folder) as unfinished:
        import_openvino().save_model(network, Path(unfinished) / "minilm.xml", compress_to_fp16=False)
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
    parser.add_argument("--model", metavar="FOLDER", help="other weights than the package's, for EmbeddingNode(model=)")
    arguments = parser.parse_args()
    try:
        print(write_minilm(arguments.folder, arguments.model))
    except (LoadFailed, OSError) as failed:
        sys.exit(str(failed))


if __name__ == "__main__":
    main()

# SPDX-License-Identifier: Apache-2.0
"""Models of files behind gRPC, `vad` and `other`, whose loads do what is written."""

import os
from pathlib import Path
from typing import TypeVar

import remotemedia as rm
from tests.python.programs.model_worker_program import SLOW_PLUGIN, ModelWorkerProgram

Self = TypeVar("Self", bound="SlowModels")


class SlowModels:
    """Serves them until it is left."""

    def __init__(self, folder: Path, *words: str | Path) -> None:
        self.file = folder / "vad.slow"
        other = folder / "other.slow"
        for file in (self.file, other):
            file.write_text("")
        self.program = ModelWorkerProgram(
            *("--model", f"vad={self.file}", "--model", f"other={other}", "--backend", SLOW_PLUGIN),
            *("--endpoint", f"grpc+unix:{folder}/wire", *words),
        )
        self.endpoint = self.program.endpoint

    @property
    def target(self) -> str:
        """What gRPC calls it."""
        return self.endpoint.removeprefix("grpc+")

    def load_slowly(self) -> "SlowLoad":
        """The next load of `vad` does what is written. It is not in memory."""
        rm.RemoteModels.connect(self.endpoint).evict("vad")
        return SlowLoad(self.file)

    def end(self) -> list[str]:
        """What it has logged."""
        code, log = self.program.end()
        assert code == 0
        return [str(line["message"]) for line in log]

    def loads(self) -> int:
        """Ends it: how often `vad` was loaded."""
        return sum(message.startswith("loaded 'vad'") for message in self.end())

    def __enter__(self: Self) -> Self:
        return self

    def __exit__(self, *error: object) -> None:
        self.program.process.kill()
        self.program.process.communicate()


class SlowLoad:
    """What a loader does, line by line."""

    def __init__(self, file: Path) -> None:
        self._file = file
        self._pipe = file.with_suffix(".pipe")
        os.mkfifo(self._pipe)
        file.write_text(f"{self._pipe}\n")
        self._end = -1

    def says(self, line: str) -> None:
        """Says "FRACTION STAGE", or "fail TEXT"."""
        if self._end < 0:
            self._end = os.open(self._pipe, os.O_WRONLY)  # waits for the loader
        os.write(self._end, f"{line}\n".encode())

    def ends(self) -> None:
        """The next load is a quick one."""
        self._file.write_text("")
        self._pipe.unlink()
        os.close(self._end)

# SPDX-License-Identifier: Apache-2.0
"""Real models in workers: what is measured and what it has to reach."""

from collections.abc import Callable, Sequence
from dataclasses import asdict
from typing import Any

from benchmarks import models_tables as tables
from benchmarks.page import shown
from benchmarks.rounds import Round, Rounds, measure_in_rounds, run_python
from benchmarks.sizes import STREAMS
from benchmarks.target import Control, Target, TargetGroup, Verdict, judge
from benchmarks.target_tables import show_targets
from benchmarks.timed_parts import need_two_cpus

PARTS = ("vad", "embeddings", "start_up", "live")
USUAL_PARTS = PARTS
ROUNDS, ATTEMPTS, PATIENCE_SECONDS = 3, 4, 5.0

MOST_OVERHEAD = 0.10
"""How much longer a step in a worker may take than one in this process."""

IN_THIS_PROCESS = (Control("vad/openvino"), Control("vad/onnxruntime"))

STEPS = TargetGroup(
    "A step of Silero VAD for one stream, µs; how many times as long others take",
    ("OpenVINO in this process", "ONNX Runtime in this process"),
    [
        Target(
            "a client of a worker",
            "vad/worker",
            None,
            (Control("vad/openvino", 1 / (1 + MOST_OVERHEAD)), Control("vad/onnxruntime")),
        ),
        Target("control: OpenVINO in this process", "vad/openvino", None, IN_THIS_PROCESS),
        Target("control: ONNX Runtime in this process", "vad/onnxruntime", None, IN_THIS_PROCESS),
    ],
    unit="µs",
    p99="p99",
)
FRAMES = TargetGroup(
    "A frame of a live stream, from when it is due until its answer is here, µs",
    (),
    [Target(f"{streams} streams" if streams > 1 else "1 stream", f"live/{streams}", None, ()) for streams in STREAMS],
    unit="µs",
    p99="p99",
)
GROUPS = {"vad": [STEPS], "live": [FRAMES]}

SHOWN: dict[str, Callable[[Rounds], None]] = {
    "vad": tables.show_batches_of_vad,
    "embeddings": tables.show_embeddings,
    "start_up": tables.show_start_up,
    "live": tables.show_most_streams,
}
"""What is shown of a part beside its targets."""


def measure(parts: Sequence[str], rounds: int, attempts: int, patience_seconds: float) -> dict[str, Any]:
    """Measures, prints tables and returns everything for the JSON file."""
    need_two_cpus()
    measured = measure_in_rounds(lambda: _run(parts), rounds, attempts, patience_seconds)
    shown_tables: dict[str, str] = {}
    judged: list[Verdict] = []
    for part in parts:
        groups = GROUPS.get(part, [])
        verdicts = [judge(measured, target) for group in groups for target in group.targets]
        with shown(part, shown_tables):
            show_targets(groups, verdicts, measured)
            SHOWN[part](measured)
        judged += verdicts
    return {
        "tables": shown_tables,
        "rounds": measured.clean,
        "thrown_away": measured.thrown_away,
        "targets": [asdict(verdict) for verdict in judged],
    }


def _run(parts: Sequence[str]) -> Round:
    found: Round = {}
    for part in parts:
        found |= run_python(f"models_{part}")
    return found

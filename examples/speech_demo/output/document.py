# SPDX-License-Identifier: Apache-2.0
"""The results as one JSON document.

Times are seconds, sizes bytes. `format` changes when a name here changes its meaning or goes.
"""

from dataclasses import asdict
from typing import Any

from examples.speech_demo.prerequisites import Missing
from examples.speech_demo.run.comparison import ArmComparison
from examples.speech_demo.run.state import PipelineState, RunState
from examples.speech_demo.words.accuracy import compare

FORMAT = "remotemedia-speech-demo/2"


def make_document(state: RunState, comparison: ArmComparison | None, missing: list[Missing]) -> dict[str, Any]:
    """All that was heard, counted and measured; `comparison` is null when it was left out."""
    return {
        "format": FORMAT,
        "missing": [asdict(each) for each in missing],
        "pipelines": [_pipeline(each) for each in state.pipelines],
        "workers": [asdict(worker) for worker in state.workers.values()],
        "left_behind": asdict(state.left) if state.left else None,
        "run": asdict(state.measured) if state.measured else None,
        "comparison": asdict(comparison) if comparison else None,
    }


def _pipeline(pipeline: PipelineState) -> dict[str, Any]:
    recording = pipeline.recording
    return {
        "recording": recording.name,
        "file": str(recording.path),
        "seconds": pipeline.heard_seconds,
        "segments": [asdict(segment) for segment in pipeline.segments],
        "text": pipeline.text,
        "transcript": recording.transcript,
        "word_accuracy": _word_accuracy(pipeline),
    }


def _word_accuracy(pipeline: PipelineState) -> dict[str, Any] | None:
    transcript = pipeline.recording.transcript
    if transcript is None or any(segment.text is None for segment in pipeline.segments):
        return None
    comparison = compare(transcript, [segment.text or "" for segment in pipeline.segments])
    return {
        "accuracy": comparison.accuracy,
        "words": comparison.words,
        "substitutions": comparison.substitutions,
        "deletions": comparison.deletions,
        "insertions": comparison.insertions,
    }

# SPDX-License-Identifier: Apache-2.0
"""The results as tables."""

from rich.console import Console
from rich.table import Table
from rich.text import Text

from examples.speech_demo.run.comparison import NAMES, ArmComparison, Spread
from examples.speech_demo.run.state import PipelineState, RunState, Segment
from examples.speech_demo.words.accuracy import Comparison, MarkedWord, compare

_TIMES = "speech, s"


def print_recordings(console: Console, state: RunState, *, speech_to_text: bool) -> None:
    """For each pipeline: segments of speech, what was heard in them beside what was said, word accuracy."""
    for pipeline in state.pipelines:
        if not speech_to_text:
            _print(console, _title(pipeline, "speech found, not transcribed"), _found(pipeline))
        elif pipeline.recording.transcript is None:
            _print(console, _title(pipeline, "no transcript to compare with"), _heard(pipeline))
        else:
            texts = [segment.text or "" for segment in pipeline.segments]
            comparison = compare(pipeline.recording.transcript, texts)
            _print(console, _title(pipeline, _accuracy(comparison)), _beside(pipeline, comparison))


def print_workers(console: Console, state: RunState) -> None:
    """The only copy of each model, and how it was called."""
    table = Table("model")
    for name in ("start-up", "memory", "calls", "batch", "p50", "p99"):
        table.add_column(name, justify="right")
    for worker in state.workers.values():
        table.add_row(
            worker.model,
            f"{worker.start_up_seconds:.2f} s",
            f"{worker.memory_bytes * 1e-6:.0f} MB",
            str(worker.requests),
            f"{worker.average_batch_size:.2f}",
            _latency(worker.p50_latency_ms),
            _latency(worker.p99_latency_ms),
        )
    _print(console, f"A worker for each model, and {len(state.pipelines)} programs that load none", table)
    console.print(
        "Memory: PSS of the worker. Batch: rows that ran at once, on average. p50, p99: from acceptance to answer.",
        style="dim",
    )


def _latency(milliseconds: float) -> str:
    return f"{milliseconds:.2f} ms" if milliseconds < 1000 else f"{milliseconds / 1000:.2f} s"


def print_left_behind(console: Console, state: RunState) -> None:
    """What is there after the end."""
    left = state.left
    if left is None or left.nothing:
        console.print("Ended: no process, no socket and no shared memory is left.")
        return
    for kind, found in (("process", left.processes), ("socket", left.sockets), ("memory", left.shared_memory)):
        for each in found:
            console.print(f"left behind: {kind} {each}", style="bold red")


def print_comparison(console: Console, figures: ArmComparison, pipelines: int, *, speech_to_text: bool) -> None:
    """All arms beside each other, and what is counted."""
    arms = [figures.workers, figures.private, figures.one_process]
    table = Table("")
    for name in NAMES.values():
        table.add_column(name, justify="right")
    table.add_row("processes", *(str(number) for number in (_processes(pipelines, speech_to_text), pipelines, 1)))
    table.add_row("loads of models", *(str(arm.loads) for arm in arms))
    table.add_row("start-up", *(_seconds(arm.start_up) for arm in arms))
    table.add_row("recordings heard in", *(_seconds(arm.listening) for arm in arms), end_section=True)
    table.add_row("memory, no model yet", *(_megabytes(arm.memory_before) for arm in arms))
    table.add_row("+ models, loaded", *(_megabytes(arm.models_memory) for arm in arms))
    table.add_row("+ models at work", *(_megabytes(arm.working_memory) for arm in arms))
    table.add_row("= memory in all", *(_megabytes(arm.memory) for arm in arms))
    _print(console, f"{pipelines} pipelines: programs that share workers, programs alone, one program", table)
    console.print(_what_is_counted(figures.rounds, speech_to_text=speech_to_text), style="dim")


def _processes(pipelines: int, speech_to_text: bool) -> int:
    return pipelines + (2 if speech_to_text else 1)


def _print(console: Console, title: str, table: Table) -> None:
    console.print()
    console.print(title, style="bold")
    console.print(table)


def _beside(pipeline: PipelineState, comparison: Comparison) -> Table:
    table = Table(_TIMES)
    table.add_column("heard", ratio=1)
    table.add_column("transcript", ratio=1)
    times = [_times(segment) for segment in pipeline.segments] or ["none"]
    for time, each in zip(times, comparison.segments, strict=True):
        table.add_row(time, _marked(each.heard, "bold red"), _marked(each.said, "bold yellow"))
    return table


def _heard(pipeline: PipelineState) -> Table:
    table = Table(_TIMES, "heard")
    for segment in pipeline.segments:
        table.add_row(_times(segment), segment.text)
    return table


def _found(pipeline: PipelineState) -> Table:
    table = Table(_TIMES)
    for segment in pipeline.segments:
        table.add_row(_times(segment))
    return table


def _title(pipeline: PipelineState, outcome: str) -> str:
    return f"{pipeline.recording.name}, {pipeline.heard_seconds:.1f} s: {outcome}"


def _accuracy(comparison: Comparison) -> str:
    return f"word accuracy {100 * comparison.accuracy:.1f} %, {comparison.errors} wrong of {comparison.words} words"


def _times(segment: Segment) -> str:
    return f"{segment.start:5.2f}\u2013{segment.end:5.2f}"


def _marked(words: tuple[MarkedWord, ...], wrong_style: str) -> Text:
    return Text(" ").join(Text(word.text, style="" if word.right else wrong_style) for word in words)


def _seconds(spread: Spread) -> str:
    return _cell(spread, ".2f", "s")


def _megabytes(spread: Spread) -> str:
    return _cell(spread.scaled(1e-6), ".0f", "MB")


def _cell(spread: Spread, form: str, unit: str) -> str:
    middle, lowest, highest = (f"{value:{form}}" for value in (spread.median, spread.lowest, spread.highest))
    return f"{middle} {unit}" + (f" ({lowest}\u2013{highest})" if lowest != highest else "")


def _what_is_counted(rounds: int, *, speech_to_text: bool) -> str:
    lines = [
        f"Median (lowest\u2013highest) of {rounds} runs in fresh processes, in turn, one at a time.",
        "Start-up: from the first call for a model, or the start of the workers, until every pipeline holds its "
        "models. Libraries were imported before, but in workers.",
        "Memory: PSS of all processes of the run together.",
        "Private copies: a program for each pipeline, as without workers. One process: all pipelines in one program, "
        "which is the least that can be had without workers, where the programs can be made one.",
    ]
    if speech_to_text:
        lines.append("One Whisper answers one call at a time; private copies answer at once, on as many cores.")
    return "\n".join(lines)

# SPDX-License-Identifier: Apache-2.0
"""The results as tables."""

from rich.console import Console
from rich.table import Table
from rich.text import Text

from examples.speech_demo.run.comparison import ArmComparison, Spread
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


def print_registry(console: Console, state: RunState) -> None:
    """What the registry said of its models while all pipelines held them."""
    table = Table("model")
    for name in ("calls", "loads", "holders"):
        table.add_column(name, justify="right")
    table.add_column("held by", overflow="fold")
    for model in state.models:
        functions = sorted({label.rpartition(":")[2] for label in model.holders})
        counts = (str(number) for number in (model.calls, model.loads, len(model.holders)))
        table.add_row(model.name, *counts, "\n".join(functions))
    _print(console, "The registry, read while every pipeline holds its models", table)
    if state.measured:
        console.print(f"In all: {state.measured.loads} loads, {state.measured.hits} hits", style="dim")


def print_comparison(console: Console, figures: ArmComparison, pipelines: int, *, speech_to_text: bool) -> None:
    """Both arms beside each other, and what is counted."""
    sharing, private = figures.sharing, figures.private
    table = Table("")
    for name in ("sharing", "private copies", "ratio"):
        table.add_column(name, justify="right")
    table.add_row("loads of models", str(sharing.loads), str(private.loads))
    table.add_row("start-up", *_seconds(sharing.start_up, private.start_up))
    table.add_row("recordings heard in", *_seconds(sharing.listening, private.listening), end_section=True)
    table.add_row("memory, no model yet", *_megabytes(sharing.memory_before, private.memory_before))
    table.add_row("+ models, loaded", *_megabytes(sharing.models_memory, private.models_memory))
    table.add_row("+ models at work", *_megabytes(sharing.working_memory, private.working_memory))
    table.add_row("= memory in all", *_megabytes(sharing.memory, private.memory))
    _print(console, f"Pipelines that share their models, and pipelines with private copies ({pipelines} each)", table)
    console.print(_what_is_counted(figures.rounds, speech_to_text=speech_to_text), style="dim")


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


def _seconds(sharing: Spread, private: Spread) -> list[str]:
    return [_cell(sharing, ".2f", "s"), _cell(private, ".2f", "s"), _ratio(sharing, private)]


def _megabytes(sharing: Spread, private: Spread) -> list[str]:
    return [_cell(arm.scaled(1e-6), ".0f", "MB") for arm in (sharing, private)] + [_ratio(sharing, private)]


def _cell(spread: Spread, form: str, unit: str) -> str:
    middle, lowest, highest = (f"{value:{form}}" for value in (spread.median, spread.lowest, spread.highest))
    return f"{middle} {unit}" + (f" ({lowest}\u2013{highest})" if lowest != highest else "")


def _ratio(sharing: Spread, private: Spread) -> str:
    return f"{sharing.median / private.median:.2f}" if private.median else ""


def _what_is_counted(rounds: int, *, speech_to_text: bool) -> str:
    lines = [
        f"Median (lowest\u2013highest) of {rounds} fresh processes for each side, run in turn, one at a time.",
        "Start-up: from the first call for a model until every pipeline holds its models. Libraries were imported "
        "before, and the files were in the page cache.",
        "Memory: PSS of the one process that runs all pipelines; what the page cache holds is not in it. Pipelines "
        "with a process each would repeat Python and its libraries besides.",
    ]
    if speech_to_text:
        lines.append("A shared Whisper answers one call at a time; private copies answer at once, on as many cores.")
    return "\n".join(lines)

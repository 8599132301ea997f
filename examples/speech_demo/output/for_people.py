# SPDX-License-Identifier: Apache-2.0
"""The demo for people: live progress on a terminal, lines elsewhere, then tables."""

import sys

from rich.console import Console

from examples.speech_demo.command_line import Options
from examples.speech_demo.output.live_progress import LiveProgress
from examples.speech_demo.output.progress_lines import ProgressLines
from examples.speech_demo.output.report import print_comparison, print_left_behind, print_recordings, print_workers
from examples.speech_demo.plan import Plan
from examples.speech_demo.run.comparison import ArmComparison, compare_arms
from examples.speech_demo.run.listening import Progress, listen
from examples.speech_demo.run.state import RunState


def run_for_people(options: Options, plan: Plan) -> None:
    """Runs everything and prints what came of it, each part as soon as it is there.

    Raises:
        ArmFailed: A process of the pipelines failed.
    """
    console = Console(highlight=False)
    draws = console.is_terminal and not console.is_dumb_terminal
    state = RunState.of(plan.recordings)
    progress: Progress = (
        LiveProgress(state, console, speech_to_text=plan.speech_to_text)
        if draws
        else ProgressLines(state, sys.stdout, speech_to_text=plan.speech_to_text)
    )
    listen(plan.job, state, progress)
    print_recordings(console, state, speech_to_text=plan.speech_to_text)
    print_workers(console, state)
    print_left_behind(console, state)
    if options.compare:
        figures = _compare(options, plan, console, draws=draws)
        print_comparison(console, figures, len(plan.recordings), speech_to_text=plan.speech_to_text)


def _compare(options: Options, plan: Plan, console: Console, *, draws: bool) -> ArmComparison:
    if not draws:
        return compare_arms(plan.job, options.rounds, lambda run: print(run, flush=True))
    with console.status("comparison") as status:
        return compare_arms(plan.job, options.rounds, status.update)

# SPDX-License-Identifier: Apache-2.0
"""The demo for programs: one JSON document on stdout, progress as lines on stderr."""

import json
import sys

from examples.speech_demo.command_line import Options
from examples.speech_demo.output.document import make_document
from examples.speech_demo.output.progress_lines import ProgressLines
from examples.speech_demo.plan import Plan
from examples.speech_demo.run.comparison import compare_arms
from examples.speech_demo.run.listening import listen
from examples.speech_demo.run.state import RunState


def run_for_programs(options: Options, plan: Plan) -> None:
    """Runs everything, then writes the document.

    Raises:
        ArmFailed: A process of the pipelines failed; then nothing is written to stdout.
    """
    state = RunState.of(plan.recordings)
    listen(plan.job, state, ProgressLines(state, sys.stderr, speech_to_text=plan.speech_to_text))
    comparison = compare_arms(plan.job, options.rounds, _announce) if options.compare else None
    json.dump(make_document(state, comparison, plan.missing), sys.stdout, indent=2)
    print(flush=True)


def _announce(run: str) -> None:
    print(run, file=sys.stderr, flush=True)
